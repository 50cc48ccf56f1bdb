# What a Kubernetes node has beside containerd: the CRI plugin's configuration, a CNI network and crictl. Sourced by
# hack/stack.

sandbox_image=registry.k8s.io/pause:3.10
has_cri() { [ -e "$1/cri" ]; }

# prepare_cri VERSION DIR: everything that must stand before containerd starts.
prepare_cri() {
  local dir=$2
  write_cni "$dir"
  start_node_network "$dir"
  start_registry "$dir"
  # crictl makes no file of its own but connects to the streaming server on the stack's loopback.
  write_client "$dir" crictl "up --cri" "$(crictl_program)" "CRI_CONFIG_FILE=\"\${CRI_CONFIG_FILE:-$dir/crictl.yaml}\""
  cat >"$dir/crictl.yaml" <<YAML
runtime-endpoint: unix://$dir/containerd.sock
image-endpoint: unix://$dir/containerd.sock
timeout: 60
YAML
  mkdir -p "$dir/cdi" "$dir/nri/plugins" "$dir/nri/conf.d"
}

# The pods' network: a bridge with IPv4 and IPv6, host ports by portmap, and the bandwidth that annotations of pods ask for.
write_cni() {
  local dir=$1
  mkdir -p "$dir/cni"
  cat >"$dir/cni/10-pods.conflist" <<JSON
{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "/var/lib/cni/networks",
      "ranges": [[{ "subnet": "10.88.0.0/16" }], [{ "subnet": "fd00:88::/64" }]],
      "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true }, "snat": true },
  { "type": "bandwidth", "capabilities": { "bandwidth": true } } ] }
JSON
}

# An address and default routes that stand for the node's uplink: what asks for the node's address finds one, and what
# is sent elsewhere goes nowhere. A bridge without ports, as not every kernel has dummy devices.
start_node_network() {
  nsenter --target "$(cat "$1/holder.pid")" --mount --net sh -euc '
    # Not by /sys, which may be a mount that shows the devices of the host.
    ! ip link show node0 >/dev/null 2>&1 || exit 0
    mount | grep -q "^kata-ts-stack on /run/netns " || {
      mkdir -p /run/netns /var/lib/cni
      mount -t tmpfs -o mode=0755 kata-ts-stack /run/netns
      mount --make-rshared /run/netns
      mount -t tmpfs -o mode=0700 kata-ts-stack /var/lib/cni
    }
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad || true
    ip link add node0 type bridge
    ip addr add 192.0.2.10/24 dev node0
    ip addr add 2001:db8::10/64 dev node0 nodad
    ip link set node0 up
    ip route add default via 192.0.2.1
    ip -6 route add default via 2001:db8::1 dev node0' >>"$1/holder.log" 2>&1 ||
    fail "the node's network could not be made: $(tail -n 2 "$1/holder.log")" "hack/stack down starts afresh"
}

cri_env() {
  has_cri "$1" || return 0
  cat <<SH
export CONTAINER_RUNTIME_ENDPOINT='unix://$1/containerd.sock'
export IMAGE_SERVICE_ENDPOINT='unix://$1/containerd.sock'
export CRI_CONFIG_FILE='$1/crictl.yaml'
SH
}

# The handlers: runc as control; kata-ts with a pause container; from 2.x kata-ts-sandbox, which is the same shim behind
# the Sandbox API, and kata-ts-streaming, whose stdio has no FIFOs but streams of the shim's. A pod's annotations reach the runtime only where they are named here.
runtime_toml() {
  local table=$1 name=$2 more=${3:-}
  cat <<TOML
[plugins."$table".containerd.runtimes.$name]
  runtime_type = "io.containerd.$([ "$name" = runc ] && echo runc || echo kata-ts).v2"
  privileged_without_host_devices = $([ "$name" = runc ] && echo false || echo true)
  pod_annotations = ["io.kata-ts.*"]
  container_annotations = ["io.kata-ts.*"]
  $more
TOML
}

cri_toml() {
  local version=$1 dir=$2 cni; cni=$(debian_unpack containernetworking-plugins bookworm)/usr/lib/cni
  if [ "$version" = 1.6 ]; then cri_toml_v2 "$dir" "$cni"; else cri_toml_v3 "$dir" "$cni"; fi
}

# restrict_oom_score_adj: root without CAP_SYS_RESOURCE cannot lower a score below its own.
cri_toml_v2() {
  local dir=$1 cni=$2 table=io.containerd.grpc.v1.cri
  cat <<TOML
[plugins."$table"]
  sandbox_image = "$sandbox_image"
  disable_apparmor = true
  restrict_oom_score_adj = true
  enable_cdi = true
  cdi_spec_dirs = ["$dir/cdi"]
  [plugins."$table".registry]
    config_path = "$dir/certs.d"
  [plugins."$table".cni]
    bin_dir = "$cni"
    conf_dir = "$dir/cni"
  [plugins."$table".containerd]
    default_runtime_name = "runc"
TOML
  runtime_toml "$table" runc
  runtime_toml "$table" kata-ts
}

cri_toml_v3() {
  local dir=$1 cni=$2 images=io.containerd.cri.v1.images table=io.containerd.cri.v1.runtime
  cat <<TOML
[plugins."$images"]
  [plugins."$images".pinned_images]
    sandbox = "$sandbox_image"
  [plugins."$images".registry]
    config_path = "$dir/certs.d"
[plugins."$table"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  enable_cdi = true
  cdi_spec_dirs = ["$dir/cdi"]
  [plugins."$table".cni]
    bin_dirs = ["$cni"]
    conf_dir = "$dir/cni"
  [plugins."$table".containerd]
    default_runtime_name = "runc"
[plugins."io.containerd.nri.v1.nri"]
  disable = false
  socket_path = "$dir/nri/nri.sock"
  plugin_path = "$dir/nri/plugins"
  plugin_config_path = "$dir/nri/conf.d"
TOML
  runtime_toml "$table" runc
  runtime_toml "$table" kata-ts
  runtime_toml "$table" kata-ts-sandbox 'sandboxer = "shim"'
  runtime_toml "$table" kata-ts-streaming 'sandboxer = "shim"
  io_type = "streaming"'
}
