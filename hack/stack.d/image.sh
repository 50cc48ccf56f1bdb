# Images, built here from Debian packages because no registry need be reachable. Sourced by hack/stack.

# import_busybox DIR: docker.io/library/busybox:latest, built once per content and imported once per containerd root.
import_busybox() {
  local dir=$1 busybox key archive
  busybox=$(debian_unpack busybox-static bookworm)
  key=$(cat "$busybox/VERSION" "$checkout"/hack/images/*.ts | sha256sum | cut -c1-16)
  archive=$cache/images/busybox-$key.tar
  [ "$(cat "$dir/busybox.imported" 2>/dev/null)" != "$key" ] || return 0
  if [ ! -e "$archive" ]; then
    say "building docker.io/library/busybox:latest from Debian's busybox-static"
    [ -x "$checkout/node_modules/.bin/tsx" ] || (cd "$checkout" && npm ci --no-audit --no-fund >&2)
    mkdir -p "$cache/images"
    "$checkout/node_modules/.bin/tsx" "$checkout/hack/images/busybox.ts" "$busybox/bin/busybox" "$archive.$$"
    mv "$archive.$$" "$archive"
  fi
  "$dir/bin/ctr" --namespace default image import "$archive" >/dev/null 2>"$dir/import.log" ||
    fail "image import failed: $(tail -n 3 "$dir/import.log")" "read $dir/containerd.log"
  printf '%s' "$key" >"$dir/busybox.imported"
}
