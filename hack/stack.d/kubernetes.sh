# Kubernetes on top of a stack with CRI: etcd, API server, controllers, scheduler, kube-proxy and kubelet, one node.
# Everything runs in the stack's own namespaces, so the usual addresses and ports are free. Sourced by hack/stack.

kubernetes_node=192.0.2.10 # the address that start_node_network gives the node
kubernetes_services=10.96.0.0/16
kubernetes_dns=10.96.0.10

# The cgroups of this stack's pods have a parent of their own: kubelets of two stacks share the host's hierarchies.
kubernetes_cgroup() { printf 'kata-ts-%s\n' "$(printf %s "$1" | sha256sum | cut -c1-8)"; }
cgroup_hierarchies() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup
  else find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d ! -name unified; fi
}

kubernetes_up() {
  local dir=$1 programs etcd
  programs=$(kubernetes_build)
  etcd=$(debian_unpack etcd-server sid)
  mkdir -p "$dir/kubernetes"
  kubernetes_keys "$dir/kubernetes"
  write_kubelet_config "$dir"
  nsenter --target "$(cat "$dir/holder.pid")" --mount --net sh -ec "$kubernetes_mounts" kubernetes "$dir"
  local hierarchy
  for hierarchy in $(cgroup_hierarchies); do mkdir -p "$hierarchy/$(kubernetes_cgroup "$dir")"; done
  # kubectl reads and writes files of the caller, so it joins the network namespace alone.
  write_client "$dir" kubectl "up --kubernetes" "$programs/kubectl" "KUBECONFIG=\"\${KUBECONFIG:-$dir/kubernetes/kubeconfig}\"" --net
  start_etcd "$dir" "$etcd"
  start_apiserver "$dir" "$programs"
  kubernetes_daemon "$dir" kubelet "$programs/kubelet" --config="$dir/kubernetes/kubelet.yaml" \
    --kubeconfig="$dir/kubernetes/kubeconfig" --root-dir=/run/kubelet --cert-dir=/run/kubelet/pki \
    --hostname-override=node --node-ip=$kubernetes_node
  kubernetes_daemon "$dir" kube-controller-manager "$programs/kube-controller-manager" \
    --kubeconfig="$dir/kubernetes/kubeconfig" --leader-elect=false --secure-port=0 --allocate-node-cidrs=false \
    --service-account-private-key-file="$dir/kubernetes/sa.key" --root-ca-file="$dir/kubernetes/certificates/apiserver.crt" \
    --flex-volume-plugin-dir=/run/kubelet/volumeplugins
  kubernetes_daemon "$dir" kube-scheduler "$programs/kube-scheduler" --kubeconfig="$dir/kubernetes/kubeconfig" \
    --leader-elect=false --secure-port=0
  kubernetes_daemon "$dir" kube-proxy "$programs/kube-proxy" --kubeconfig="$dir/kubernetes/kubeconfig" \
    --proxy-mode=nftables --hostname-override=node --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0 --oom-score-adj=0 --metrics-bind-address=127.0.0.1:10249 \
    --healthz-bind-address=127.0.0.1:10256
  wait_for 60 "the node to be ready" "$dir/kubernetes/kubelet.log" \
    "$dir/bin/kubectl" wait --for=condition=Ready node/node --timeout=1s
  "$dir/bin/kubectl" apply -f "$checkout/deploy/runtimeclass.yaml" >/dev/null
  # Pods are refused until their namespace has its service account, which a controller makes.
  wait_for 30 "the default service account" "$dir/kubernetes/kube-controller-manager.log" \
    "$dir/bin/kubectl" get serviceaccount default
}

# kubelet's directory stands at a short path, because its sockets' names have to fit into 108 bytes, but on the stack's
# disk, because emptyDir has to be a disk. /var/log is the stack's own: the names of log links there are fixed.
kubernetes_mounts='
  mkdir -p /run/kubelet "$1/kubelet"
  mountpoint -q /run/kubelet || mount --bind "$1/kubelet" /run/kubelet
  mountpoint -q /var/log || mount -t tmpfs kata-ts-stack /var/log
  mount --make-rshared /run/kubelet
  sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1'

# One administrator's token; the API server makes its own certificate. All of it listens on the private namespace only.
kubernetes_keys() {
  local state=$1 token
  [ ! -e "$state/kubeconfig" ] || return 0
  token=$(openssl rand -hex 16)
  openssl genrsa -out "$state/sa.key" 2048 2>/dev/null
  openssl rsa -in "$state/sa.key" -pubout -out "$state/sa.pub" 2>/dev/null
  (umask 077; printf '%s,admin,admin,"system:masters"\n' "$token" >"$state/tokens.csv")
  (umask 077; cat >"$state/kubeconfig.new" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: stack, cluster: {server: "https://$kubernetes_node:6443", certificate-authority: "$state/certificates/apiserver.crt"}}]
users: [{name: admin, user: {token: "$token"}}]
contexts: [{name: stack, context: {cluster: stack, user: admin}}]
current-context: stack
YAML
  )
  mv "$state/kubeconfig.new" "$state/kubeconfig"
}

write_kubelet_config() {
  local dir=$1
  printf 'search stack.example\nnameserver 192.0.2.53\n' >"$dir/kubernetes/resolv.conf"
  cat >"$dir/kubernetes/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$dir/containerd.sock
address: $kubernetes_node
healthzBindAddress: 127.0.0.1
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /$(kubernetes_cgroup "$dir")
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100
clusterDNS: [$kubernetes_dns]
clusterDomain: cluster.local
resolvConf: $dir/kubernetes/resolv.conf
volumePluginDir: /run/kubelet/volumeplugins
makeIPTablesUtilChains: false
allowedUnsafeSysctls: ["net.core.somaxconn", "kernel.msg*"]
# Tests wait for what kubelet does by the clock: volumes are synced and crashed containers restarted at once.
syncFrequency: 2s
featureGates: {KubeletCrashLoopBackOffMax: true}
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
YAML
}

# kubernetes_daemon DIR NAME COMMAND…: starts it in the stack's namespaces unless it runs.
kubernetes_daemon() {
  local dir=$1 name=$2; shift 2
  ! ours "$dir/kubernetes/$name.pid" "$dir" || return 0
  say "starting $name"
  in_stack "$dir" "kubernetes/$name" "$@"
}

start_etcd() {
  local dir=$1 etcd=$2
  kubernetes_daemon "$dir" etcd "$etcd/usr/bin/etcd" --data-dir "$dir/kubernetes/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
}

start_apiserver() {
  local dir=$1 programs=$2 state=$1/kubernetes
  kubernetes_daemon "$dir" kube-apiserver "$programs/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --cert-dir="$state/certificates" --bind-address=0.0.0.0 --advertise-address=$kubernetes_node --secure-port=6443 \
    --service-cluster-ip-range=$kubernetes_services --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$state/sa.pub" --service-account-signing-key-file="$state/sa.key" \
    --token-auth-file="$state/tokens.csv" --authorization-mode=AlwaysAllow --allow-privileged=true \
    --kubelet-preferred-address-types=InternalIP --profiling=false
  wait_for 120 "the API server" "$state/kube-apiserver.log" "$dir/bin/kubectl" get --raw /readyz
}

kubernetes_env() {
  local dir=$1
  [ -e "$dir/kubernetes/kubeconfig" ] || return 0
  printf "export KUBECONFIG='%s'\n" "$dir/kubernetes/kubeconfig"
}

# Before the containers are stopped: a kubelet that lives would start them again.
kubernetes_stop() {
  local dir=$1 name
  for name in kubelet kube-controller-manager kube-scheduler kube-proxy kube-apiserver etcd; do
    stop_daemon KILL "$dir" "kubernetes/$name"
  done
}

# After the containers: kubelet's own cgroups, which nobody else removes. Only empty ones go.
kubernetes_remove_cgroups() {
  local dir=$1 hierarchy root
  # On a hybrid host kata-ts puts its sandboxes into the unified hierarchy as well.
  for hierarchy in $(cgroup_hierarchies) /sys/fs/cgroup/unified; do
    root=$hierarchy/$(kubernetes_cgroup "$dir")
    [ ! -d "$root" ] || find "$root" -depth -type d -exec rmdir {} +
  done
}
