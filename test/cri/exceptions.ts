/**
 * Specs of critest that pass with runc and need not pass with kata-ts, each with the reason that README gives.
 * The list is kept tight: a spec that stands here and passes on every containerd fails the lane.
 */
export const exceptions: Readonly<Record<string, string>> = {
  '[k8s.io] Security Context NamespaceOption runtime should support HostPID':
    "the host's PID namespace: a pod with a kernel of its own cannot be in it",
  '[k8s.io] Security Context NamespaceOption runtime should support HostIpc is true':
    "the host's IPC namespace: a pod with a kernel of its own cannot be in it",
  '[k8s.io] Security Context NamespaceOption runtime should support HostNetwork is true':
    "the host's network namespace: a pod with a kernel of its own cannot be in it",
  '[k8s.io] Networking runtime should support networking runtime should support port mapping with host port and container port [Conformance]':
    "the host's network namespace: a pod with a kernel of its own cannot be in it",
}
