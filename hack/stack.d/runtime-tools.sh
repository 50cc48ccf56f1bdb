# The OCI project's validation programs from their own Go module, built once per content into the cache. Sourced; wants
# hack/lib/log.sh, hack/lib/cache.sh and $checkout.

# runtime_tools_build: prints a directory that holds the programs of validation/ in programs/, and what they look for in
# their working directory: runtimetest, which runs in the container, and an archive of a root file system.
runtime_tools_build() {
  local module=$checkout/hack/tools/runtime-tools entry work source
  local package=github.com/opencontainers/runtime-tools
  command -v go >/dev/null || fail "go is not in PATH" "install Go 1.26 or newer; the programs are built from their module"
  entry=runtime-tools-$(cat "$module/go.mod" "$module/go.sum" <(cd "$module" && go version) | sha256sum | cut -c1-16)
  [ -e "$CACHE_DIR/$entry" ] || cache_lock runtime-tools
  if [ ! -e "$CACHE_DIR/$entry" ]; then
    say "building the OCI validation programs (once; a minute)"
    work=$CACHE_DIR/$entry.staging
    rm -rf "$work" && mkdir -p "$work/programs"
    # Static: runtimetest finds no libc in the container.
    CGO_ENABLED=0 GOFLAGS=-mod=readonly run_logged "$CACHE_DIR/log/runtime-tools.log" "go build" last_line \
      nice -n 5 sh -ec 'cd "$1" && go build -trimpath -o "$2/programs/" "$3/validation/..." && go build -trimpath -o "$2/runtimetest" "$3/cmd/runtimetest"' sh "$module" "$work" "$package" ||
      fail "the OCI validation programs did not build" "read $CACHE_DIR/log/runtime-tools.log"
    source=$(cd "$module" && GOFLAGS=-mod=readonly go list -m -f '{{.Dir}}' "$package")
    install -m 644 "$source"/rootfs-*.tar.gz "$work/"
    cache_publish "$work" "$entry"
  fi
  printf '%s\n' "$CACHE_DIR/$entry"
}
