/** Containers of one sandbox, made by containerd's API with the annotations of CRI: any containerd has it, with CNI or without. */
import type { Container, ContainerOptions } from '../e2e/container.ts'
import { beSandbox, joinSandbox } from '../e2e/pod-spec.ts'
import type { Site } from './site.ts'

export class Pod {
  private constructor(private readonly site: Site, readonly sandbox: Container, readonly pid: number) {}

  static async run(site: Site): Promise<Pod> {
    const sandbox = await site.create({ args: ['sleep', '100000'], spec: beSandbox })
    return new Pod(site, sandbox, await sandbox.start())
  }

  /** A running container that shares the network, IPC and UTS namespaces of the sandbox, as a pod's do. */
  start(options: ContainerOptions = {}): Promise<Container> {
    return this.site.start(this.member(options))
  }

  /** The options of a container that belongs to the pod. */
  member(options: ContainerOptions): ContainerOptions {
    return {
      ...options,
      spec: (spec, id) => {
        joinSandbox(spec, { id: this.sandbox.containerId, pid: this.pid })
        options.spec?.(spec, id)
      },
    }
  }
}
