#!/bin/sh
# Puts one tree of kata-ts on a node, gives containerd the handler `kata-ts`, and verifies what containerd makes of it.
# Runs on the node itself (hack/install) or in a chroot of it (the DaemonSet of deploy/daemonset.yaml). Needs a POSIX
# shell, sed, grep, diff and the node's containerd; makes nothing before everything that can be checked is checked.
#
#   install.sh install TREE   copies TREE (bin/, share/, libexec/) to the prefix; idempotent, an older tree is replaced
#   install.sh verify         compares what is installed with containerd's effective configuration
#   install.sh uninstall      undoes install: containerd's configuration is again what it was, byte for byte
#
# Settings, by environment:
#   PREFIX=/opt/kata-ts                      where the tree stands
#   BIN_DIR=/usr/local/bin                   where links to the shim and to kata-ts stand, for ctr, Docker and nerdctl; empty: none
#   CONTAINERD_CONFIG=/etc/containerd/config.toml
#   CONTAINERD=containerd                    the daemon's program, asked for its version and its effective configuration
#   RESTART='systemctl restart containerd'   how containerd takes the configuration; empty: the caller does it
set -eu

PREFIX=${PREFIX:-/opt/kata-ts}
BIN_DIR=${BIN_DIR-/usr/local/bin}
CONTAINERD_CONFIG=${CONTAINERD_CONFIG:-/etc/containerd/config.toml}
CONTAINERD=${CONTAINERD:-containerd}
RESTART=${RESTART-systemctl restart containerd}

record=$PREFIX/share/kata-ts/installed   # what was changed outside of the tree
shim=$PREFIX/bin/containerd-shim-kata-ts-v2
begin='# begin kata-ts (made by install.sh; uninstall removes it)'
end='# end kata-ts'

say() { printf '%s\n' "$*" >&2; }
fail() { printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2; exit 1; }

# What containerd makes of its configuration, without its warnings.
effective() { "$CONTAINERD" --config "$CONTAINERD_CONFIG" config dump 2>/dev/null; }
containerd_major() { "$CONTAINERD" --version | sed -n 's/^[^ ]* [^ ]* v\{0,1\}\([0-9]*\)\..*/\1/p'; }
config_version() { sed -n 's/^version *= *\([0-9]*\).*/\1/p' "$CONTAINERD_CONFIG" | head -n 1; }

# runtime_table VERSION: the handler, in the words of this version of the configuration file.
runtime_table() { sed -n '/^\[plugins/,$p' "$PREFIX/share/kata-ts/containerd/version-$1.toml" | sed "s|/opt/kata-ts/|$PREFIX/|"; }

install_all() {
  tree=$1
  check_node "$tree"
  if installed_already "$tree" && (verify); then return 0; fi
  [ ! -e "$record" ] || { say "replacing what is installed in $PREFIX"; remove_all; }
  before=$(effective)
  trap 'status=$?; [ $status -eq 0 ] || { say "undoing"; remove_all; }' EXIT
  mkdir -p "$PREFIX/share/kata-ts"
  : >"$record"
  for part in bin share libexec; do
    [ ! -d "$tree/$part" ] || { mkdir -p "$PREFIX/$part"; cp -R "$tree/$part/." "$PREFIX/$part/"; }
  done
  # Paths of the tree, for the shim, which reads this file below /etc/kata-ts/config.toml.
  sed "s|@PREFIX@|$PREFIX|g" "$tree/share/kata-ts/config.toml" >"$PREFIX/share/kata-ts/config.toml"
  link containerd-shim-kata-ts-v2
  link kata-ts
  configure_containerd
  only_added "$before"
  verify
  restart
  trap - EXIT
  say "installed in $PREFIX; pods with runtimeClassName kata-ts need deploy/runtimeclass.yaml"
}

# The same tree again changes nothing, so containerd need not restart.
installed_already() {
  [ -e "$record" ] || return 1
  for part in bin libexec; do
    [ ! -d "$1/$part" ] || diff -r "$1/$part" "$PREFIX/$part" >/dev/null || return 1
  done
  cmp -s "$1/share/kata-ts/vmlinux" "$PREFIX/share/kata-ts/vmlinux" && cmp -s "$1/share/kata-ts/initrd.cpio" "$PREFIX/share/kata-ts/initrd.cpio" &&
    printf '%s\n' "$(effective)" | grep -qF "$shim"
}

check_node() {
  [ -x "$1/bin/containerd-shim-kata-ts-v2" ] || fail "$1 is no tree of kata-ts" "name the directory that has bin/containerd-shim-kata-ts-v2"
  case $PREFIX in /*) ;; *) fail "the prefix $PREFIX is not absolute" "name it from /" ;; esac
  case $PREFIX in *[!A-Za-z0-9/._-]*) fail "the prefix $PREFIX has characters that configuration files do not take" "use letters, digits, . _ - and /" ;; esac
  command -v "$CONTAINERD" >/dev/null || fail "there is no $CONTAINERD" "install containerd, or set CONTAINERD to its path"
  [ -n "$(containerd_major)" ] || fail "$CONTAINERD --version says no version" "set CONTAINERD to containerd 1.6 or newer"
  if [ -e "$CONTAINERD_CONFIG" ]; then
    case $(config_version) in
      2|3) ;;
      *) fail "$CONTAINERD_CONFIG is of version '$(config_version)'" "bring it to version 2 or 3: containerd config migrate" ;;
    esac
    effective >/dev/null || fail "containerd does not read $CONTAINERD_CONFIG: $("$CONTAINERD" --config "$CONTAINERD_CONFIG" config dump 2>&1 | tail -n 1)" "repair it first"
    ! grep -q 'disabled_plugins.*\(cri"\|cri.v1\)' "$CONTAINERD_CONFIG" || say "note: CRI is disabled in $CONTAINERD_CONFIG: ctr and Docker will find kata-ts, Kubernetes will not"
  fi
}

link() {
  [ -n "$BIN_DIR" ] || return 0
  mkdir -p "$BIN_DIR"
  [ ! -e "$BIN_DIR/$1" ] || [ -L "$BIN_DIR/$1" ] || fail "$BIN_DIR/$1 exists and is no link" "remove it, or set BIN_DIR"
  note link "$BIN_DIR/$1"
  ln -sf "$PREFIX/bin/$1" "$BIN_DIR/$1"
}

# Written before the deed, so that an install that is killed can be undone.
note() { printf '%s %s\n' "$1" "$2" >>"$record"; }

# containerd 1.x replaces a plugin's whole table by that of a drop-in, so there the table goes into the main file. 2.x
# merges key by key, but only from drop-ins of the main file's own version.
configure_containerd() {
  if [ ! -e "$CONTAINERD_CONFIG" ]; then
    note made "$CONTAINERD_CONFIG"
    mkdir -p "$(dirname "$CONTAINERD_CONFIG")"
    if [ "$(containerd_major)" = 1 ]; then echo 'version = 2'; else echo 'version = 3'; fi >"$CONTAINERD_CONFIG"
  fi
  version=$(config_version)
  directory=$(drop_in_directory)
  if [ "$(containerd_major)" = 1 ] || [ "$directory" = none ]; then
    edit append_table
  else
    [ -n "$directory" ] || { directory=$(dirname "$CONTAINERD_CONFIG")/conf.d; edit add_imports; }
    mkdir -p "$directory"
    note file "$directory/kata-ts.toml"
    { echo "version = $version"; runtime_table "$version"; } >"$directory/kata-ts.toml"
  fi
}

# The directory of the first glob that the main file imports; empty: it imports nothing; `none`: no glob among it.
drop_in_directory() {
  grep -q '^[[:space:]]*imports[[:space:]]*=' "$CONTAINERD_CONFIG" || return 0
  found=$(sed -n '/^[[:space:]]*imports[[:space:]]*=/,/\]/p' "$CONTAINERD_CONFIG" | grep -o "[\"'][^\"']*/\*\.toml[\"']" | head -n 1 | tr -d "\"'")
  case $found in /*) dirname "$found" ;; *) echo none ;; esac
}

# edit FUNCTION: the main file, replaced in one step by what FUNCTION prints; the original is kept for uninstall.
edit() {
  cp -p "$CONTAINERD_CONFIG" "$PREFIX/share/kata-ts/containerd-config.before"
  note edited "$CONTAINERD_CONFIG"
  cp -p "$CONTAINERD_CONFIG" "$CONTAINERD_CONFIG.kata-ts"
  "$1" >"$CONTAINERD_CONFIG.kata-ts"
  mv "$CONTAINERD_CONFIG.kata-ts" "$CONTAINERD_CONFIG"
  cp -p "$CONTAINERD_CONFIG" "$PREFIX/share/kata-ts/containerd-config.after"
}
append_table() { cat "$CONTAINERD_CONFIG"; printf '%s\n' "$begin"; runtime_table "$version"; printf '%s\n' "$end"; }
# Top-level keys come before the first table, so it goes right behind the version.
add_imports() { sed "/^version *=/a\\
$begin\\
imports = [\"$directory/*.toml\"]\\
$end" "$CONTAINERD_CONFIG"; }

# only_added BEFORE: the rest of the node's configuration must be what it was. diff of sorted lines: the order of
# tables in a dump is no promise.
only_added() {
  lost=$({ printf '%s\n' "$1" | sort >"$PREFIX/share/kata-ts/dump.before"; effective | sort | diff "$PREFIX/share/kata-ts/dump.before" -; } | sed -n 's/^< *//p' | grep -v '^imports' || true)
  rm -f "$PREFIX/share/kata-ts/dump.before"
  [ -z "$lost" ] || fail "with kata-ts's table containerd would lose: $(printf '%s' "$lost" | head -n 3 | tr '\n' ';')" "add the table of deploy/README.md to $CONTAINERD_CONFIG by hand"
}

verify() {
  [ -e "$record" ] || fail "nothing is installed in $PREFIX" "install.sh install TREE, or set PREFIX"
  dump=$(effective) || fail "containerd does not read its configuration" "run: $CONTAINERD --config $CONTAINERD_CONFIG config dump"
  table=$(printf '%s\n' "$dump" | sed -n '/containerd\.runtimes\.kata-ts\]/,/^ *\[/p')
  case $table in
    *runtime_path*"$shim"*) ;;
    *) fail "containerd's effective configuration has no handler kata-ts with $shim" "see: $CONTAINERD --config $CONTAINERD_CONFIG config dump" ;;
  esac
  case $table in *'privileged_without_host_devices = true'*) ;; *) fail "the handler kata-ts would give privileged containers the node's devices" "another drop-in overrides it; see: $CONTAINERD --config $CONTAINERD_CONFIG config dump" ;; esac
  "$PREFIX/bin/kata-ts" --version >/dev/null || fail "$PREFIX/bin/kata-ts does not run here" "is $PREFIX mounted noexec?"
  for program in $(sed -n 's/^\(path\|virtiofsd\|kernel\|initrd\|firmware\) *= *"\(\/[^"]*\)".*/\2/p' "$PREFIX/share/kata-ts/config.toml"); do
    [ -e "$program" ] || fail "$program does not exist, but $PREFIX/share/kata-ts/config.toml names it" "install QEMU (Debian: qemu-system-x86, qemu-system-common), or use a self-contained tree: hack/install --self-contained"
  done
  say "containerd's effective configuration has the handler kata-ts"
}

restart() { [ -z "$RESTART" ] || sh -c "$RESTART" || fail "containerd did not restart: $RESTART" "restart it by hand; set RESTART to how, or to nothing"; }

# A shim that is gone from the disk could not be run to delete its sandboxes.
check_unused() {
  for sandbox in /run/kata-ts/*/*/; do
    [ ! -d "$sandbox" ] || fail "sandboxes still run: $sandbox" "drain the node (kubectl drain), or stop its containers; then uninstall again"
  done
}

# Removes exactly what the record names; what others changed meanwhile stays.
remove_all() {
  [ -e "$record" ] || { say "nothing is installed in $PREFIX"; return 0; }
  while read -r kind path; do
    case $kind in
      link) [ ! -L "$path" ] || [ "$(readlink "$path")" != "$PREFIX/bin/${path##*/}" ] || rm -f "$path" ;;
      file) rm -f "$path"; rmdir "${path%/*}" 2>/dev/null || true ;;
      edited) restore "$path" ;;
      made) rm -f "$path" ;;
    esac
  done <"$record"
  rm -rf "$PREFIX/bin" "$PREFIX/share" "$PREFIX/libexec"
  rmdir "$PREFIX" 2>/dev/null || true
}

restore() {
  kept=$PREFIX/share/kata-ts
  rm -f "$1.kata-ts"
  if cmp -s "$1" "$kept/containerd-config.after"; then mv "$kept/containerd-config.before" "$1"
  elif grep -qxF "$begin" "$1"; then
    sed "/^# begin kata-ts/,/^# end kata-ts/d" "$1" >"$1.kata-ts" && cat "$1.kata-ts" >"$1" && rm -f "$1.kata-ts"
  fi
}

case ${1:-} in
  install) [ $# -eq 2 ] || fail "install wants a tree" "install.sh install TREE"; install_all "$2" ;;
  verify) verify ;;
  uninstall) check_unused; remove_all; restart; say "kata-ts is gone from $PREFIX" ;;
  *) sed -n '2,19s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
