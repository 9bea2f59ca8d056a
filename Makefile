# What people and CI run. Everything that is needed beyond the language toolchains (Rust, Go, Python) is pinned by this
# repository and goes into target/ or the user's cache folder, once.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint crds bench

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Show the product on a local control plane and a strict AWS (KEEP=1 leaves both up)
	@tests/demo.sh

test: ## Run every lint and every test
	@tests/test.sh

lint: ## Run the lints alone
	@tests/lint.sh

crds: ## Generate crds/ and docs/reference/ from the types
	@echo '==> generating crds/ and docs/reference/'
	@tests/generate.sh crds docs/reference

bench: ## Measure what policies and fleets cost, in one table (BENCH_OBJECTS=1000 leaves out the largest fleet)
	@tests/bench.sh
