#!/usr/bin/env bash
# Builds what the demo needs and runs it. KEEP=1 keeps the world up until Ctrl-C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/steps.sh

quietly() { "$@" >/dev/null; }

# Never the cluster of an ambient KUBECONFIG: the demo writes CRDs, roles and objects.
step "Kubernetes control plane" quietly tests/controlplane/build.sh
step "strict AWS" quietly tests/aws/install.sh
step "operator and demo" cargo build --package sharedkey-operator --package sharedkey-e2e --bins --locked
step "the demo" "${CARGO_TARGET_DIR:-target}/debug/demo"
run_steps
