# Go programs, built from pinned modules into the cache. Sourced by hack/stack; wants $checkout, $cache, say and fail.

# go_build MODULE-DIR OUTPUT-NAME BUILD-ARGUMENT…: prints the path of the program. Cached by the module's pins, the
# arguments and the compiler. Static, so that it runs in any mount namespace.
go_build() {
  local module=$checkout/hack/tools/$1 name=$2 key out; shift 2
  command -v go >/dev/null || fail "go is not in PATH" "install Go $(sed -n 's/^go //p' "$module/go.mod") or newer"
  key=$(cat "$module/go.mod" "$module/go.sum" <(printf '%s\n' "$@") <(cd "$module" && go version) | sha256sum | cut -c1-16)
  out=$cache/go/$name-$key
  if [ ! -x "$out/$name" ]; then
    mkdir -p "$cache/go"
    exec 7>"$cache/go/$name.lock"
    flock 7
    if [ ! -x "$out/$name" ]; then
      say "building $name (once; a minute or two)"
      rm -rf "$out.new"; mkdir -p "$out.new"
      (cd "$module" && CGO_ENABLED=0 GOFLAGS=-mod=readonly nice -n 5 go "$1" -o "$out.new/$name" "${@:2}") >"$out.log" 2>&1 7>&- ||
        { tail -n 15 "$out.log" >&2; fail "$name did not build (see above)" "check that the Go module proxy can be reached; the log is $out.log"; }
      mv "$out.new" "$out"
    fi
    exec 7>&-
  fi
  printf '%s\n' "$out/$name"
}

crictl_program() { go_build cri crictl build -trimpath -ldflags=-s\ -w sigs.k8s.io/cri-tools/cmd/crictl; }
critest_program() { go_build cri critest test -c -trimpath -ldflags=-s\ -w sigs.k8s.io/cri-tools/cmd/critest; }
# What critest runs itself with, in parallel; it is of the version that critest is linked with.
ginkgo_program() { go_build cri ginkgo build -trimpath -ldflags=-s\ -w github.com/onsi/ginkgo/v2/ginkgo; }

# containerd_from_source: prints a directory like an unpacked package's, with the containerd that Debian does not have.
containerd_from_source() {
  local version key out program
  version=$(sed -nE 's#^\s*github.com/containerd/containerd/v2 v([0-9.]+).*#\1#p' "$checkout/hack/tools/containerd/go.mod")
  key=$(sha256sum "$checkout/hack/tools/containerd/go.sum" | cut -c1-16)
  out=$cache/go/containerd-$version-$key
  if [ ! -e "$out/VERSION" ]; then
    rm -rf "$out"; mkdir -p "$out/usr/bin"
    for program in containerd ctr containerd-shim-runc-v2; do
      # CRI's pod networks need no cgo; what does, the Go linker leaves out.
      cp "$(go_build containerd "$program" build -trimpath "-ldflags=-s -w -X github.com/containerd/containerd/v2/version.Version=$version" \
        "github.com/containerd/containerd/v2/cmd/$program")" "$out/usr/bin/$program"
    done
    printf '%s\n' "$version" >"$out/VERSION"
  fi
  printf '%s\n' "$out"
}
