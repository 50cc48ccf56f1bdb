# Stopping a stack and proving that nothing of it is left. Sourced by hack/stack.

# Processes of this stack: those with its mark in their environment (containerd, shims, VMMs and their daemons inherit
# it) and those that see a mount of it (containers' own processes, whose environment is the image's).
stack_processes() {
  local dir=$1
  {
    grep -lzxF "KATA_TS_STACK=$dir" /proc/[0-9]*/environ
    grep -lF "$dir/" /proc/[0-9]*/mountinfo
    # A shim that was started by hand has neither; it names its containerd.
    grep -l '^containerd-shim' /proc/[0-9]*/comm | sed 's/comm$/cmdline/' | xargs -r grep -lF "$dir/containerd.sock"
  } 2>/dev/null | cut -d/ -f3 | sort -un | grep -vxE "$$|$BASHPID" || true
}

stack_down() {
  local version=$1 dir holder pids round; dir=$(stack_dir "$1")
  [ -d "$dir" ] || return 0
  holder=$(cat "$dir/holder.pid" 2>/dev/null || true)
  kubernetes_stop "$dir"
  # Containers first and by containerd, so that shims tidy cgroups and state the way they do on a node.
  if ours "$dir/containerd.pid" "$dir"; then stop_containers "$dir"; fi
  for round in $(seq 100); do
    # The holder goes last: its namespace is how leftovers are seen.
    pids=$(stack_processes "$dir" | grep -vx "${holder:-none}" || true)
    [ -n "$pids" ] || break
    kill -KILL $pids 2>/dev/null || true
    sleep 0.1
  done
  stop_daemon KILL "$dir" holder
  kubernetes_remove_cgroups "$dir"
  prove_nothing_left "$dir"
  rm -rf "$dir"
}

# Leaves their ids in the file `containers`, by which prove_nothing_left knows their cgroups.
stop_containers() {
  local dir=$1 namespace id ctr
  ctr="timeout 20 $dir/bin/ctr"
  for namespace in $($ctr namespace ls -q 2>/dev/null); do
    $ctr -n "$namespace" container ls -q 2>/dev/null >>"$dir/containers" || true
    for id in $($ctr -n "$namespace" task ls -q 2>/dev/null); do
      $ctr -n "$namespace" task kill -s SIGKILL --all "$id" >/dev/null 2>&1 || true
      $ctr -n "$namespace" task delete -f "$id" >/dev/null 2>&1 || true
    done
  done
}

prove_nothing_left() {
  local dir=$1 left round
  left=$(stack_processes "$dir")
  [ -z "$left" ] || fail "still running: $(ps -o pid=,args= -p "$(echo $left | tr ' ' ',')" | tr '\n' ';')" "kill them, then hack/stack down again"
  ! grep -F "$dir/" /proc/self/mountinfo >&2 || fail "still mounted on the host (see above)" "umount it, then hack/stack down again"
  left=$(ss -xl 2>/dev/null | grep -F "$dir/" || true)
  [ -z "$left" ] || fail "still listening: $left" "end its process, then hack/stack down again"
  # A cgroup goes when its last process is reaped, which is a moment after the kill.
  for round in $(seq 50); do
    left=$(find /sys/fs/cgroup -mindepth 2 -type d 2>/dev/null | grep -F -f <(grep . "$dir/containers" 2>/dev/null) || true)
    [ -n "$left" ] || break
    xargs -r rmdir 2>/dev/null <<<"$left" || true
    sleep 0.1
  done
  [ -z "$left" ] || fail "cgroups are left: $(echo $left)" "end the processes in them, then hack/stack down again"
  # runc leaves the parent cgroup that containerd's namespace is named after; rmdir takes it only if it is empty.
  rmdir /sys/fs/cgroup/{default,k8s.io,docker} /sys/fs/cgroup/*/{default,k8s.io,docker} 2>/dev/null || true
}
