# Kubernetes from its own Go module, built once per content into the cache. Sourced by hack/stack.

kubernetes_programs="kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl"

# kubernetes_build: prints the directory with the programs. The first build takes some ten minutes.
kubernetes_build() {
  local module=$checkout/hack/tools/kubernetes version entry work program packages=() flags
  command -v go >/dev/null || fail "go is not in PATH" "install Go 1.26 or newer; Kubernetes is built from its module"
  version=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' <(sed 's/^require //' "$module/go.mod"))
  entry=kubernetes-$(hash_contents "$module/go.mod" "$module/go.sum" <(echo "$kubernetes_programs"))
  [ -e "$CACHE_DIR/$entry" ] || cache_lock kubernetes
  if [ ! -e "$CACHE_DIR/$entry" ]; then
    say "building Kubernetes $version (once; ten minutes on two idle cores)"
    # Away from the checkout, where a change of branch may take the module from under a build of many minutes.
    work=$CACHE_DIR/$entry.staging
    rm -rf "$work" && mkdir -p "$work/module" "$work/bin"
    cp "$module"/go.* "$work/module/"
    for program in $kubernetes_programs; do packages+=("k8s.io/kubernetes/cmd/$program"); done
    # Without it the programs call themselves v0.0.0, and kubectl warns of the skew.
    flags="-s -w -X k8s.io/component-base/version.gitVersion=$version"
    run_logged "$CACHE_DIR/log/kubernetes.log" "go build" last_line \
      nice -n 10 go -C "$work/module" build -p "${KATA_TS_JOBS:-2}" -trimpath -ldflags "$flags" -o "$work/bin/" "${packages[@]}" ||
      fail "Kubernetes $version did not build" "read $CACHE_DIR/log/kubernetes.log"
    cache_publish "$work/bin" "$entry"
    rm -rf "$work"
  fi
  printf '%s\n' "$CACHE_DIR/$entry"
}

# hash_contents FILE…: a hash over the bytes alone: the same module in another clone is the same build.
hash_contents() { cat -- "$@" | sha256sum | cut -c1-16; }
