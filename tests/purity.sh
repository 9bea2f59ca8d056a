#!/usr/bin/env bash
# The pure crates (docs/architecture.md) depend on no runtime, no client, no clock and no randomness, directly or through
# others. What they may not call in the standard library stands in their clippy.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runtimes='tokio|tokio-.*|async-std|async-io|smol|mio|socket2|futures-executor|tower'
clients='hyper|hyper-.*|h2|reqwest|ureq|rustls|kube-client|kube-runtime|aws-.*|sharedkey-(aws|operator)'
clocks='time|chrono|web-time|instant|quanta'
randomness='rand|rand_.*|getrandom|fastrand|uuid'

impure=0
for crate in policy api engine; do
  tree=$(cargo tree --quiet --package "sharedkey-$crate" --edges normal --prefix none)
  found=$(grep -E "^($runtimes|$clients|$clocks|$randomness) " <<<"$tree" | sort -u || true)
  if [ -n "$found" ]; then
    printf 'sharedkey-%s must stay pure, but depends on:\n%s\n' "$crate" "$found" >&2
    impure=1
  fi
done
exit $impure
