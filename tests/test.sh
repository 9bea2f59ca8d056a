#!/usr/bin/env bash
# Every lint and every test. What is built once per machine comes first, and beside nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/lint.sh

quietly() { "$@" >/dev/null; }

# These wait most of their minutes, so they run beside all others, in two rows; `quiet` counts calls by the sweep and runs alone.
long=(crashes races silence storm)

# Always the whole workspace: a part of it is built with other features, which means anew.
tests() { # targets of tests
  cargo test --workspace --locked "${@/#/--test=}"
}

others() {
  local all list='import json, sys
for package in json.load(sys.stdin)["packages"]:
  print(*(target["name"] for target in package["targets"] if "test" in target["kind"]), sep="\n")'
  all=$(cargo metadata --no-deps --format-version 1 --locked | python3 -c "$list") || return
  mapfile -t all < <(grep --invert-match --line-regexp --regexp="" "${long[@]/#/--regexp=}" --regexp=quiet <<<"$all")
  cargo test --workspace --locked --lib --bins && tests "${all[@]}"
}

storm() { tests storm; }

blows() { tests crashes races silence; }

# Runs all commands but the first in the background, and shows what they printed when all have ended. All have to pass.
side_by_side() {
  local logs command other others=() failed=0
  logs=$(mktemp --directory)
  set -m # process groups of their own, so that they can be ended as a whole
  for command in "${@:2}"; do
    "$command" >"$logs/$command" 2>&1 &
    others+=("$!")
  done
  set +m
  # shellcheck disable=SC2064 # the processes of now
  trap "kill -INT -- ${others[*]/#/-}" INT TERM
  "$1" || failed=1
  for other in "${others[@]}"; do
    wait "$other" || failed=1
  done
  trap - INT TERM
  cat "$logs"/* >&2
  rm -r "$logs"
  return "$failed"
}

step "Kubernetes control plane" quietly tests/controlplane/build.sh
step "strict AWS" quietly tests/aws/install.sh
lint_steps
# All targets in one build, so that the operator's program is there when tests start it, with the same features.
step "Rust: build" cargo build --workspace --all-targets --locked
# End-to-end stories wait for sweeps more than they compute.
export RUST_TEST_THREADS=6
step "Rust: tests, end-to-end stories included, and beside them ${long[*]}" side_by_side others storm blows
step "Rust: a thousand quiet sweeps" tests quiet
step "Python: tests of the strict AWS" tests/aws/test.sh
run_steps
