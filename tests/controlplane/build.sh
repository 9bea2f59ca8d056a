#!/usr/bin/env bash
# Builds the Kubernetes control plane that the tests and the demo run on, from the two modules of pinned Go tools beside
# this script, and prints the folder that holds the binaries.
#
# The binaries go into the user's cache folder under a hash of what they are built from: a second checkout on the same
# machine builds nothing. A folder named by KUBEBUILDER_ASSETS (the convention of envtest) is used instead where it is set.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binaries="etcd kube-apiserver kube-controller-manager kubectl"
say() { printf '[controlplane] %s\n' "$*" >&2; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for binary in $binaries; do
    [ -x "$KUBEBUILDER_ASSETS/$binary" ] || { say "KUBEBUILDER_ASSETS is set, but $KUBEBUILDER_ASSETS/$binary is missing"; exit 1; }
  done
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

version=$(awk '$1 == "k8s.io/kubernetes" {print $2}' "$here/go.mod")
[ -n "$version" ] || { say "go.mod names no k8s.io/kubernetes"; exit 1; }
recipe=$(cat "$here"/go.mod "$here"/go.sum "$here"/../etcd/go.mod "$here"/../etcd/go.sum "${BASH_SOURCE[0]}" | sha256sum | cut -c1-16)
out="${XDG_CACHE_HOME:-$HOME/.cache}/sharedkey-operator/controlplane/$recipe"

complete() { for binary in $binaries; do [ -x "$out/$binary" ] || return 1; done; }
if complete; then echo "$out"; exit 0; fi
command -v go >/dev/null || { say "Go is needed to build the control plane (or set KUBEBUILDER_ASSETS)"; exit 1; }

mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
if complete; then echo "$out"; exit 0; fi

export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false"
stamp="-X k8s.io/component-base/version.gitVersion=$version"
stamp="$stamp -X k8s.io/component-base/version.gitMajor=$(echo "$version" | sed -E 's/^v([0-9]+).*/\1/')"
stamp="$stamp -X k8s.io/component-base/version.gitMinor=$(echo "$version" | sed -E 's/^v[0-9]+\.([0-9]+).*/\1/')"

# One binary at a time, each moved into place when it is whole: an interrupted build goes on where it stopped.
build() { # module folder, package, binary
  [ -x "$out/$3" ] && return 0
  local started=$SECONDS
  say "building $3 ($4 of 4) ..."
  (cd "$1" && go build -trimpath -ldflags "-s -w $stamp" -o "$out/.$3.part" "$2")
  mv "$out/.$3.part" "$out/$3"
  say "built $3 in $((SECONDS - started)) s"
}
say "no control plane $version for this recipe in the cache; building it takes about 12 minutes on two cores, once per machine"
build "$here/../etcd" go.etcd.io/etcd/server/v3 etcd 1
build "$here" k8s.io/kubernetes/cmd/kubectl kubectl 2
build "$here" k8s.io/kubernetes/cmd/kube-controller-manager kube-controller-manager 3
build "$here" k8s.io/kubernetes/cmd/kube-apiserver kube-apiserver 4
echo "$out"
