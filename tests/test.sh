#!/usr/bin/env bash
# Every lint and every test. What is built once per machine comes first, and beside nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/lint.sh

quietly() { "$@" >/dev/null; }

# These wait most of their minutes, so they run beside the stories, and `storm` after those; `quiet` counts calls by the sweep and runs
# alone.
long=(crashes races silence)
apart=("${long[@]}" storm quiet)

# Always the whole workspace: a part of it is built with other features, which means anew.
tests() { # targets of tests
  cargo test --workspace --locked "${@/#/--test=}"
}

others() {
  local all list='import json, sys
for package in json.load(sys.stdin)["packages"]:
  print(*(target["name"] for target in package["targets"] if "test" in target["kind"]), sep="\n")'
  all=$(cargo metadata --no-deps --format-version 1 --locked | python3 -c "$list") || return
  mapfile -t all < <(grep --invert-match --line-regexp --regexp="" "${apart[@]/#/--regexp=}" <<<"$all")
  cargo test --workspace --locked --lib --bins && tests "${all[@]}" && tests storm
}

long() { tests "${long[@]}"; }

# Runs the second command in the background and shows what it printed when both have ended. Both have to pass.
side_by_side() {
  local log other failed=0
  log=$(mktemp)
  set -m # a process group of its own, so that it can be ended as a whole
  "$2" >"$log" 2>&1 &
  other=$!
  set +m
  # shellcheck disable=SC2064 # the process of now
  trap "kill -INT -- -$other" INT TERM
  "$1" || failed=1
  wait "$other" || failed=1
  trap - INT TERM
  cat "$log" >&2
  rm "$log"
  return "$failed"
}

step "Kubernetes control plane" quietly tests/controlplane/build.sh
step "strict AWS" quietly tests/aws/install.sh
lint_steps
# All targets in one build, so that the operator's program is there when tests start it, with the same features.
step "Rust: build" cargo build --workspace --all-targets --locked
# End-to-end stories wait for sweeps more than they compute.
export RUST_TEST_THREADS=6
step "Rust: tests, end-to-end stories included, and beside them ${long[*]}" side_by_side others long
step "Rust: a thousand quiet sweeps" tests quiet
step "Python: tests of the strict AWS" tests/aws/test.sh
run_steps
