#!/usr/bin/env bash
# Builds what the benchmark measures, with optimisations, and measures it. BENCH_OBJECTS=1000 leaves out the largest fleet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/steps.sh

target=${CARGO_TARGET_DIR:-target}
printed=$target/policies.txt

quietly() { "$@" >/dev/null; }

policies() {
  cargo bench --quiet --locked --package sharedkey-policy --bench policy >"$printed"
  cargo bench --quiet --locked --package sharedkey-engine --bench reconcile >>"$printed"
}

step "Kubernetes control plane" quietly tests/controlplane/build.sh
step "strict AWS" quietly tests/aws/install.sh
step "operator and benchmark, with optimisations (minutes, the first time)" \
  cargo build --release --package sharedkey-operator --package sharedkey-e2e --bin sharedkey-operator --bin bench --locked
step "one key policy: parse, compare, plan for 1, 8 and 32 KB" policies
step "fleets of up to ${BENCH_OBJECTS:-5000} objects, and the table" "$target/release/bench" "$printed"
run_steps
