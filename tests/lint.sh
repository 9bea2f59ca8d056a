#!/usr/bin/env bash
# Everything about the sources that can be judged without running them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/steps.sh

generated() {
  local fresh
  fresh=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$fresh'" RETURN
  mkdir "$fresh/reference"
  tests/generate.sh "$fresh/crds" "$fresh/reference" &&
    diff --recursive --unified crds "$fresh/crds" &&
    diff --recursive --unified docs/reference "$fresh/reference" ||
    { echo "generated files are not what the types say: run make crds and commit the result" >&2; return 1; }
}

ruff() {
  local python
  python=$(tests/aws/install.sh)
  "$python" -m ruff check --quiet tests/aws && "$python" -m ruff format --quiet --check tests/aws
}

lint_steps() {
  step "Rust: format" cargo fmt --all --check
  step "Python: format and lints" ruff
  step "pure crates depend on nothing impure" tests/purity.sh
  step "dependencies: licences, sources, bans" tests/deny.sh
  step "Rust: lints" cargo clippy --workspace --all-targets --locked -- --deny warnings
  # The docs of CRD fields are what `kubectl explain` shows, where a URL stands bare.
  step "Rust: documentation" env RUSTDOCFLAGS="--deny warnings --allow rustdoc::bare_urls" cargo doc --quiet --workspace --no-deps --locked
  step "CRDs and API reference are what the types say" generated
}

# Sourced by test.sh, which has more steps.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  lint_steps
  run_steps
fi
