# The daemon's namespaces, configuration, start and exports. Sourced by hack/stack.
#
# A holder process owns a mount and a network namespace for as long as the stack is up; containerd and every ctr join
# it. So containerd can be killed and started again while its shims and their mounts live on, as on a real node, and
# /run/containerd and /run/kata-ts are private to this stack: two versions with equal container ids do not meet.

# $KATA_TS_STACKS puts stacks elsewhere: a second set beside the checkout's own, or a path short enough for a socket.
stack_dir() { printf '%s/%s\n' "${KATA_TS_STACKS:-$checkout/build/stack}" "$1"; }
alive() { local pid; pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }

# A recycled pid must not pass for ours: the process has to carry this stack's mark in its environment.
ours() { alive "$1" && { tr "\0" "\n" <"/proc/$(cat "$1")/environ"; } 2>/dev/null | grep -qxF "KATA_TS_STACK=$2"; }

containerd_package() {
  case $1 in 1.6) debian_unpack containerd bookworm ;; 2.1) debian_unpack containerd sid ;; 2.2) containerd_from_source ;; esac
}

# stack_up VERSION [cri [kubernetes|docker|nerdctl]…]: a stack that has CRI keeps it; one that has not is given it by
# starting containerd again. What stands on CRI is started last.
stack_up() {
  local version=$1 cri=${2:-} dir more; dir=$(stack_dir "$1")
  [ "$(id -u)" = 0 ] || fail "namespaces, mounts and cgroups need root" "run it with sudo"
  [ ${#dir} -le 85 ] || fail "$dir is too long for a unix socket" "set KATA_TS_STACKS to a shorter directory"
  mkdir -p "$dir/bin" "$cache"
  exec 9>"$dir/lock"
  flock 9
  if [ "$cri" = cri ] && ! has_cri "$dir"; then
    stop_containerd "$dir"
    touch "$dir/cri"
  fi
  if ! { ours "$dir/containerd.pid" "$dir" && [ -S "$dir/containerd.sock" ]; }; then
    local package runc
    package=$(containerd_package "$version")
    runc=$(debian_unpack runc bookworm)
    ours "$dir/holder.pid" "$dir" || start_holder "$dir"
    ! has_cri "$dir" || prepare_cri "$version" "$dir"
    write_containerd_config "$version" "$dir"
    write_kata_ts_config "$dir"
    # ctr makes its FIFOs under /run/containerd, which is the stack's own: it has to run inside the namespaces.
    write_client "$dir" ctr up "$package/usr/bin/ctr" "CONTAINERD_ADDRESS=\"\${CONTAINERD_ADDRESS:-$dir/containerd.sock}\""
    start_containerd "$version" "$dir" "$package" "$runc"
  fi
  import_busybox "$dir"
  for more in "${@:3}"; do "${more}_up" "$dir"; done
  flock -u 9
}

# `/` becomes a slave (mounts made here never reach the host, mounts of the host appear here) and shared again below
# that, because a container may ask for rshared volumes.
start_holder() {
  local dir=$1
  rm -f "$dir/holder.pid"
  KATA_TS_STACK=$dir setsid unshare --mount --net --propagation slave sh -euc '
    mount --make-rshared /
    mkdir -p /run/containerd /run/kata-ts
    mount -t tmpfs -o mode=0711 kata-ts-stack /run/containerd
    mount -t tmpfs -o mode=0711 kata-ts-stack /run/kata-ts
    ip link set lo up 2>/dev/null || true
    echo $$ >"$KATA_TS_STACK/holder.pid.new"
    mv "$KATA_TS_STACK/holder.pid.new" "$KATA_TS_STACK/holder.pid"
    exec sleep infinity' </dev/null >"$dir/holder.log" 2>&1 9>&- &
  wait_for 10 "the namespaces to stand" "$dir/holder.log" test -s "$dir/holder.pid"
}

stop_containerd() { stop_daemon TERM "$1" containerd; }

# stop_daemon SIGNAL DIR NAME: returns when the process of NAME.pid is gone; nothing where it is not this stack's.
stop_daemon() {
  local pid
  ours "$2/$3.pid" "$2" || return 0
  pid=$(cat "$2/$3.pid")
  kill "-$1" "$pid" 2>/dev/null || true
  # A zombie counts as gone: only its parent can end it.
  while kill -0 "$pid" 2>/dev/null && ! grep -qs '^State:.Z' "/proc/$pid/status"; do sleep 0.02; done
}

# wait_for SECONDS WHAT LOG COMMAND…: until COMMAND succeeds. Ends the script when that takes too long, and at once when the
# daemon that writes LOG (its pid is in the file of that name in .pid) is dead: it says why there.
wait_for() {
  local seconds=$1 what=$2 log=$3 end; shift 3
  end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    if [ -s "${log%.log}.pid" ] && ! alive "${log%.log}.pid"; then
      tail -n 15 "$log" >&2
      fail "its daemon ended while we waited for $what: the end of its log is above" "read $log; hack/stack down starts afresh"
    fi
    [ $SECONDS -lt $end ] || { tail -n 15 "$log" >&2; fail "waited $seconds s for $what: the end of the log is above" "read $log; hack/stack down starts afresh"; }
    sleep 0.05
  done
}

write_containerd_config() {
  local version=$1 dir=$2 format=3 disabled=''
  [ "$version" != 1.6 ] || format=2
  # CRI wants CNI and a pause image, NRI plugins' directories: neither belongs to a stack that only ctr drives.
  has_cri "$dir" || disabled='"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri",'
  cat >"$dir/containerd.toml" <<TOML
version = $format
root = "$dir/root"
state = "$dir/state"
disabled_plugins = [
  $disabled
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "$dir/containerd.sock"

[ttrpc]
  address = "$dir/containerd.sock.ttrpc"

[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/opt"
TOML
  ! has_cri "$dir" || cri_toml "$version" "$dir" >>"$dir/containerd.toml"
}

# Files in config.d beside it override it, for one stack at a time.
write_kata_ts_config() {
  local dir=$1
  mkdir -p "$dir/kata-ts/config.d"
  cat >"$dir/kata-ts/config.toml" <<TOML
[guest]
kernel = "$checkout/build/guest/vmlinux"
initrd = "$checkout/build/guest/initrd.cpio"
TOML
}

# write_client DIR NAME UP PROGRAM EXPORTS [NSENTER-OPTION…]: bin/NAME runs PROGRAM inside the stack's namespaces, with the
# shell words EXPORTS in its environment. UP: what `hack/stack` is called with when there is no stack.
write_client() {
  local dir=$1 name=$2 up=$3 program=$4 exports=$5 namespaces='--mount --net --wd="$PWD"'
  [ $# -eq 5 ] || namespaces=${*:6}
  cat >"$dir/bin/$name" <<SH
#!/bin/sh
read -r holder <"$dir/holder.pid" || { echo "$name: the stack is down: hack/stack $up" >&2; exit 1; }
export $exports
exec nsenter --target "\$holder" $namespaces "$program" "\$@"
SH
  chmod +x "$dir/bin/$name"
}

start_containerd() {
  local version=$1 dir=$2 package=$3 runc=$4
  say "starting containerd $(cat "$package/VERSION") in $dir"
  rm -f "$dir/containerd.sock" "$dir/containerd.sock.ttrpc" "$dir/containerd.pid"
  # The working directory is / so that no relative path of the daemon's can depend on where hack/stack was called.
  (
    cd /
    export KATA_TS_STACK=$dir KATA_TS_CONFIG=$dir/kata-ts/config.toml
    export PATH=$checkout/build/bin:$runc/usr/sbin:$runc/usr/bin:$package/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    setsid nsenter --target "$(cat "$dir/holder.pid")" --mount --net \
      sh -c 'echo $$ >"$KATA_TS_STACK/containerd.pid"; exec containerd --config "$KATA_TS_STACK/containerd.toml" --log-level debug' \
      </dev/null >>"$dir/containerd.log" 2>&1 9>&- &
  )
  wait_for 30 "containerd to answer" "$dir/containerd.log" containerd_answers "$dir"
}

containerd_answers() { [ -S "$1/containerd.sock" ] && "$1/bin/ctr" --connect-timeout 2s version; }

# Not KATA_TS_STACK, the mark of what `down` ends: a shell that uses the stack is not part of it.
stack_env() {
  local dir; dir=$(stack_dir "$1")
  cat <<SH
export CONTAINERD_ADDRESS='$dir/containerd.sock'
export CONTAINERD_NAMESPACE='default'
export KATA_TS_STACK_DIR='$dir'
export PATH='$dir/bin':"\$PATH"
SH
  cri_env "$dir"
  kubernetes_env "$dir"
}
