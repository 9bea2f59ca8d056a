#!/usr/bin/env bash
# Checks the dependencies against deny.toml, with a pinned cargo-deny that is built into the user's cache folder once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.20.2
root="${XDG_CACHE_HOME:-$HOME/.cache}/sharedkey-operator/cargo-deny/$version"

if [ ! -x "$root/bin/cargo-deny" ]; then
  mkdir -p "$root"
  exec 9>"$root/.lock"
  flock 9
  if [ ! -x "$root/bin/cargo-deny" ]; then
    echo "[deny] building cargo-deny $version takes about 2 minutes on two cores, once per machine" >&2
    cargo install --locked --quiet --root "$root" --version "$version" cargo-deny
  fi
fi
exec "$root/bin/cargo-deny" --log-level error --locked check --hide-inclusion-graph bans licenses sources
