#!/usr/bin/env bash
# Every lint and every test. What is built once per machine comes first, and beside nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/lint.sh

quietly() { "$@" >/dev/null; }

step "Kubernetes control plane" quietly tests/controlplane/build.sh
step "strict AWS" quietly tests/aws/install.sh
lint_steps
# All targets in one build, so that the operator's program is there when tests start it, with the same features.
step "Rust: build" cargo build --workspace --all-targets --locked
# End-to-end stories wait for sweeps more than they compute.
step "Rust: tests, end-to-end tests included" env RUST_TEST_THREADS=6 cargo test --workspace --locked
step "Python: tests of the strict AWS" tests/aws/test.sh
run_steps
