# Root file systems of Debian packages, unpacked and never configured: seconds where debootstrap takes minutes. What the
# packages' own scripts would have made, and a container needs, is made by the recipe. Sourced; wants $cache, say, fail
# and hack/stack.d/debian.sh.

# debian_rootfs DIR PACKAGE...: the packages with all they depend on, in DIR, with a merged /usr.
debian_rootfs() {
  local dir=$1 suite=bookworm work deb name; shift
  work=$(mktemp -d "$cache/rootfs.XXXXXX")
  mkdir -p "$work/debs/partial"
  : >"$work/status"
  refresh_suite "$suite"
  say "fetching $* and what they depend on from Debian $suite"
  # An empty status file: nothing counts as installed, so the whole closure is fetched.
  private_apt "$suite" apt-get -qq -y --no-install-recommends --download-only -o Debug::NoLocking=1 -o Dir::State::status="$work/status" \
    -o Dir::Cache::archives="$work/debs" install base-files base-passwd bash coreutils dash findutils grep hostname libc-bin mount procps sed util-linux "$@" >/dev/null ||
    fail "Debian $suite did not give $*" "check the network; rm -r $cache/apt/$suite and try again"
  for name in bin sbin lib lib64; do
    mkdir -p "$dir/usr/$name"
    ln -s "usr/$name" "$dir/$name"
  done
  # The documentation stays behind: a third of the files, and nobody reads it in a test image.
  for deb in "$work"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink --no-same-owner --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale
  done
  cp "$dir/usr/share/base-passwd/passwd.master" "$dir/etc/passwd"
  cp "$dir/usr/share/base-passwd/group.master" "$dir/etc/group"
  ln -sf dash "$dir/usr/bin/sh"
  rm -rf "$dir/var/run" "$dir/var/lock"
  ln -s /run "$dir/var/run"
  ln -s /run/lock "$dir/var/lock"
  rm -rf "$work"
}
