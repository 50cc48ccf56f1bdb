# The guest kernel: Debian's linux-source with our fragments, nothing else switched on. Sourced by hack/build-guest.

KERNEL_SERIES=6.12
KERNEL_PACKAGE=linux-source-$KERNEL_SERIES
KERNEL_FRAGMENTS=(guest-image/kernel/*.config)
KERNEL_PATCHES=(guest-image/kernel/patches/*.patch)
# About how many objects a build makes: for the percentage only.
KERNEL_OBJECTS=1780

kernel_source_version() {
  dpkg-query -W -f '${Version}' "$KERNEL_PACKAGE" 2>/dev/null ||
    fail "Debian package $KERNEL_PACKAGE is not installed" "run hack/setup"
}

# The cache entry's name: changes with the source, the compiler, a fragment, a patch or a command below that decides
# about the bytes, but not with comments and messages.
kernel_entry() {
  {
    kernel_source_version
    dpkg-query -W -f '${Version}' gcc
    hash_files "${KERNEL_FRAGMENTS[@]}" "${KERNEL_PATCHES[@]}"
    declare -f kernel_make kernel_identity kernel_strip
  } | sha256sum | sed -E 's/(.{16}).*/kernel-\1/'
}

kernel_measure() {
  local built
  built=$(grep -cE '^  (CC|AS|LD|AR) ' "$1" || true)
  printf '%d objects, about %d %%' "$built" $((built * 100 / KERNEL_OBJECTS > 99 ? 99 : built * 100 / KERNEL_OBJECTS))
}

kernel_make() { nice -n 10 make -C "$work/src" O="$work/obj" "$@"; }

kernel_unpack() {
  [ -f "$work/src/Makefile" ] && return 0
  local free_kib
  free_kib=$(df --output=avail -k "$CACHE_DIR" | tail -n 1)
  [ "$free_kib" -gt 3500000 ] || fail "the kernel build needs 3.5 GB in $CACHE_DIR, $((free_kib / 1000)) MB are free" \
    "free some space, or set KATA_TS_CACHE to another disk"
  rm -rf "$work/src" "$work/src.new"
  mkdir -p "$work/src.new"
  run_logged "$CACHE_DIR/log/kernel-unpack.log" "unpacking $KERNEL_PACKAGE" working \
    tar -xf "/usr/src/$KERNEL_PACKAGE.tar.xz" --strip-components=1 -C "$work/src.new" ||
    fail "the kernel source does not unpack" "apt-get install --reinstall $KERNEL_PACKAGE"
  local patch
  for patch in "${KERNEL_PATCHES[@]}"; do
    patch -d "$work/src.new" -p1 --silent --forward --fuzz=0 <"$patch" >&2 ||
      fail "$patch does not apply to $KERNEL_PACKAGE $(kernel_source_version)" "bring the patch up to date with the source"
  done
  mv "$work/src.new" "$work/src"
}

kernel_configure() {
  mkdir -p "$work/obj"
  cat "${KERNEL_FRAGMENTS[@]}" >"$work/requests"
  kernel_make -s KCONFIG_ALLCONFIG="$work/requests" allnoconfig >"$CACHE_DIR/log/kernel-config.log" 2>&1 ||
    fail "Kconfig failed" "read $CACHE_DIR/log/kernel-config.log"
  node_modules/.bin/tsx guest-image/check-kernel-config.ts "$work/obj/.config" "${KERNEL_FRAGMENTS[@]}" ||
    fail "the kernel's configuration is not what the fragments ask for (above)" \
      "ask for the missing dependency in guest-image/kernel/ too, or drop the request"
}

# Nothing of this machine or moment may get into the image: same inputs, same bytes.
kernel_identity() {
  export KBUILD_BUILD_USER=kata-ts KBUILD_BUILD_HOST=kata-ts KBUILD_BUILD_VERSION=1
  KBUILD_BUILD_TIMESTAMP=$(TZ=UTC LC_ALL=C date -u -d "@$(stat -c %Y "$work/src/Makefile")")
  export KBUILD_BUILD_TIMESTAMP
}

kernel_strip() { strip --strip-all -o "$2" "$1"; }

kernel_compile() {
  local log=$CACHE_DIR/log/kernel.log
  kernel_identity
  run_logged "$log" "compiling the guest kernel" kernel_measure kernel_make -j "${KATA_TS_JOBS:-2}" vmlinux ||
    fail "the kernel does not compile" "read $log"
}

# Builds the kernel into the cache entry $1. KATA_TS_KEEP_KERNEL_TREE=1 keeps source and objects, so that a change of
# one symbol costs a minute instead of ten; what comes out is the same.
kernel_build() {
  local entry=$1 work staging
  work=$CACHE_DIR/kernel-tree-$(printf '%s %s' "$(kernel_source_version)" "$(hash_files "${KERNEL_PATCHES[@]}")" | sha256sum | cut -c1-16)
  staging=$CACHE_DIR/$entry.staging
  mkdir -p "$CACHE_DIR/log" "$work"
  kernel_unpack
  kernel_configure
  kernel_compile
  rm -rf "$staging"
  mkdir "$staging"
  kernel_strip "$work/obj/vmlinux" "$staging/vmlinux"
  cp "$work/obj/.config" "$staging/kernel.config"
  cache_publish "$staging" "$entry"
  [ -n "${KATA_TS_KEEP_KERNEL_TREE:-}" ] || rm -rf "$work"
}
