/**
 * Specs of critest that pass with runc and do not with kata-ts, each with the reason, as README gives it. A spec that
 * stands here and passes fails the lane, so that the list stays as short as it can be.
 */
const kernelOfItsOwn = 'a pod with a kernel of its own cannot be in it; it is refused with an error that says so'
const notAsked = 'containerd up to 2.1 asks only io.containerd.runc.v2 whether it can make mounts recursively read-only, so the spec skips itself'

export const exceptions: Readonly<Record<string, string>> = {
  '[k8s.io] Security Context NamespaceOption runtime should support HostPID': `the host's PID namespace: ${kernelOfItsOwn}`,
  '[k8s.io] Security Context NamespaceOption runtime should support HostIpc is true': `the host's IPC namespace: ${kernelOfItsOwn}`,
  '[k8s.io] Security Context NamespaceOption runtime should support HostNetwork is true': `the host's network namespace: ${kernelOfItsOwn}`,
  '[k8s.io] Streaming runtime should support streaming interfaces runtime should support portforward in host network':
    `the host's network namespace: ${kernelOfItsOwn}`,
  "[k8s.io] Container Mount Propagation runtime should support mount propagation mount with 'rshared' should support propagation from host to container and vice versa":
    'a mount that is made in the guest cannot appear on the host; it is refused with an error that says so',
  '[k8s.io] Container Mount Readonly runtime should support readonly mounts should support recursive readonly mounts': notAsked,
  '[k8s.io] Container Mount Readonly runtime should support readonly mounts should reject a recursive readonly mount with ReadOnly: false': notAsked,
  '[k8s.io] Container Mount Readonly runtime should support readonly mounts should reject a recursive readonly mount with PROPAGATION_HOST_TO_CONTAINER': notAsked,
  '[k8s.io] Container Mount Readonly runtime should support readonly mounts should reject a recursive readonly mount with PROPAGATION_BIDIRECTIONAL': notAsked,
}
