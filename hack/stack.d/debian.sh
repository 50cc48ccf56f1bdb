# Debian packages, unpacked into the cache and never installed: no daemon of the system is enabled or started, and a
# package of another suite can stand beside the machine's own. Sourced by hack/stack; wants $cache, say and fail.

# The suites are read through a private apt: own source list and own package lists, Debian's keyring checked as usual.
# An unstable suite's Release file may be past its Valid-Until on a mirror; the signature is still verified.
private_apt() {
  local suite=$1; shift
  local state=$cache/apt/$suite
  "$@" -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" \
    -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root -o Acquire::Languages=none \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Update::Post-Invoke-Success::=
}

# The archive that this machine's own sources name, so that a mirror chosen by its administrator is used here too.
debian_archive() {
  local uri
  uri=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 ~ /\/debian\/?$/ { print $1; exit }')
  if [ -z "$uri" ]; then
    # No package list has been read yet, as on a machine fresh from its image: the source files name the archive.
    uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
      grep -v '^#' | grep -oE '(https?|file|copy)://[^ ]+/debian/?' | head -n 1)
  fi
  [ -n "$uri" ] || fail "no Debian archive in /etc/apt" "add a source for bookworm"
  printf '%s\n' "$uri"
}

refresh_suite() {
  local suite=$1 state=$cache/apt/$1
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$(debian_archive)" "$suite" \
    >"$state/sources.list"
  say "reading the package list of Debian $suite"
  private_apt "$suite" apt-get -qq update || fail "apt could not read Debian $suite (see above)" "check the network and the archive in /etc/apt"
}

# debian_unpack PACKAGE SUITE: prints the directory that holds the package's files. Cached by package and suite; the
# exact version stands in the file VERSION inside.
debian_unpack() {
  local package=$1 suite=$2 out=$cache/debian/$2/$1 work
  if [ ! -e "$out/VERSION" ]; then
    refresh_suite "$suite"
    work=$(mktemp -d "$cache/unpack.XXXXXX")
    say "fetching $package from Debian $suite"
    (cd "$work" && private_apt "$suite" apt-get -qq download "$package") || fail "Debian $suite did not give $package" "check the network; rm -r $cache/apt/$suite and try again"
    mkdir "$work/files"
    dpkg-deb -x "$work/$package"_*.deb "$work/files"
    dpkg-deb -f "$work/$package"_*.deb Version >"$work/files/VERSION"
    mkdir -p "$cache/debian/$suite"
    rm -rf "$out"
    mv "$work/files" "$out"
    rm -rf "$work"
  fi
  printf '%s\n' "$out"
}
