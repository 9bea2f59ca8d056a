#!/usr/bin/env bash
# Lints and tests the strict AWS. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=$(./install.sh)
"$python" -m ruff check --quiet .
"$python" -m ruff format --quiet --check .
exec "$python" -m pytest -p no:cacheprovider -n "${PYTEST_WORKERS:-2}" "$@"
