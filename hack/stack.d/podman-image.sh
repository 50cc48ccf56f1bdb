# The image that podman's tests run, as an archive in the cache. Needs debian_unpack.
podman_busybox() {
  local busybox key archive
  busybox=$(debian_unpack busybox-static bookworm)
  key=$(cat "$busybox/VERSION" "$checkout"/hack/images/*.ts | sha256sum | cut -c1-16)
  archive=$cache/images/busybox-$key.tar
  if [ ! -e "$archive" ]; then
    mkdir -p "$cache/images"
    "$checkout/node_modules/.bin/tsx" "$checkout/hack/images/busybox.ts" "$busybox/bin/busybox" "$archive.$$" >&2
    mv "$archive.$$" "$archive"
  fi
  echo "$archive"
}
