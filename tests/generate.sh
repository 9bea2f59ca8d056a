#!/usr/bin/env bash
# Writes what is generated from the types in crates/api: generate.sh CRD_FOLDER REFERENCE_FOLDER.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --quiet --package sharedkey-api --bins --locked
cargo run --quiet --package sharedkey-api --bin crdgen --locked -- "$1"
cargo run --quiet --package sharedkey-api --bin apidoc --locked -- "$2/api.md" "$2/reasons.md"
