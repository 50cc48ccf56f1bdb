# Other clients of the stack's containerd: Docker's daemon and nerdctl, each with its state below the stack. Sourced by
# hack/stack.

# docker_up DIR: a dockerd of the containerd's age: 20.10 of bookworm on 1.6, 28.5 of sid on 2.x. It has its image from
# CRI's registry. 20.10 knows runtimes by the path of an OCI command line only; later ones take a shim's name as well.
docker_up() {
  local dir=$1 daemon client
  case ${dir##*/} in
    1.6) daemon=$(debian_unpack docker.io bookworm); client=$daemon ;;
    *) daemon=$(debian_unpack docker.io sid); client=$(debian_unpack docker-cli sid) ;;
  esac
  write_client "$dir" docker "up --docker" "$client/usr/bin/docker" "DOCKER_HOST=\"unix://$dir/docker/docker.sock\" DOCKER_CONFIG=\"$dir/docker/client\""
  if ! ours "$dir/docker.pid" "$dir"; then
    mkdir -p "$dir/docker"
    echo '{ "runtimes": { "kata-ts": { "path": "'"$checkout"'/build/bin/kata-ts" } } }' >"$dir/docker/daemon.json"
    # Its usual place, private to the stack: the names of runtimes' sockets below it are long.
    nsenter --target "$(cat "$dir/holder.pid")" --mount sh -ec 'mkdir -p /run/docker; mountpoint -q /run/docker || mount -t tmpfs kata-ts-stack /run/docker'
    PATH=$daemon/usr/sbin:$(debian_unpack runc bookworm)/usr/sbin:$PATH in_stack "$dir" docker "$daemon/usr/sbin/dockerd" \
      --containerd "$dir/containerd.sock" --host "unix://$dir/docker/docker.sock" --pidfile "$dir/docker/dockerd.pid" \
      --data-root "$dir/docker/root" --exec-root /run/docker --bip 172.31.0.1/16 --storage-driver overlay2 \
      --exec-opt native.cgroupdriver=cgroupfs --insecure-registry "$registry_address" --config-file "$dir/docker/daemon.json"
  fi
  wait_for 60 "dockerd to answer" "$dir/docker.log" "$dir/bin/docker" version
  # dockerd lets the node forward for its own containers alone, as it does on any node it shares with CNI.
  nsenter --target "$(cat "$dir/holder.pid")" --net iptables --policy FORWARD ACCEPT
  "$dir/bin/docker" image inspect busybox >/dev/null 2>&1 || {
    "$dir/bin/docker" pull --quiet "$registry_address/library/busybox:latest" >/dev/null &&
      "$dir/bin/docker" tag "$registry_address/library/busybox:latest" busybox
  } || fail "docker could not pull busybox from the stack's registry" "read $dir/docker.log and $dir/registry.log"
}

nerdctl_program() { go_build nerdctl nerdctl build -trimpath -ldflags=-s\ -w github.com/containerd/nerdctl/cmd/nerdctl; }

# nerdctl has no daemon: its program, its own CNI networks, and a configuration that names both.
nerdctl_up() {
  local dir=$1 program cni
  program=$(nerdctl_program)
  cni=$(debian_unpack containernetworking-plugins bookworm)/usr/lib/cni
  mkdir -p "$dir/nerdctl/cni" "$dir/nerdctl/data"
  cat >"$dir/nerdctl/nerdctl.toml" <<TOML
address = "unix://$dir/containerd.sock"
data_root = "$dir/nerdctl/data"
cni_path = "$cni"
cni_netconfpath = "$dir/nerdctl/cni"
cgroup_manager = "cgroupfs"
TOML
  write_client "$dir" nerdctl "up --nerdctl" "$program" "NERDCTL_TOML=\"$dir/nerdctl/nerdctl.toml\" PATH=\"$checkout/build/bin:$PATH\""
}
