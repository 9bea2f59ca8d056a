#!/usr/bin/env bash
# Installs the strict AWS's Python packages into the user's cache folder and prints the path of the Python to run it with.
# A second run finds them there and does nothing.
#
# Virtual environments hold their own absolute path, so a finished one cannot be moved into place. It is built where it will
# live, and a marker file written last says that it is whole; without the marker it is built anew.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lock="$here/requirements.lock"
say() { echo "[strict-aws] $*" >&2; }

base_python=${PYTHON:-python3}
version=$("$base_python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
hash=$( { cat "$lock"; echo "$version"; } | sha256sum | cut -c1-16)
root="${XDG_CACHE_HOME:-$HOME/.cache}/sharedkey-operator/strict-aws"
venv="$root/$hash"
whole="$venv/.complete"

if [[ ! -e "$whole" ]]; then
    mkdir -p "$root"
    # Two runs at once must not build over each other; the lock goes with the process, also when it is killed.
    exec 9>"$root/.$hash.lock"
    flock 9
fi
if [[ ! -e "$whole" ]]; then
    say "installing $(grep -c '==' "$lock") pinned packages for Python $version (once)"
    rm -rf "$venv"
    "$base_python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock" >&2
    touch "$whole"
    say "installed"
fi
echo "$venv/bin/python"
