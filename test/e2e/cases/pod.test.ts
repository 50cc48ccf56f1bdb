import { describe, expect, it } from 'vitest'
import { CriLane } from '../cri/lane.ts'
import type { Pod, PodOptions } from '../cri/pod.ts'
import { forEachLane } from '../matrix.ts'

const forever = ['sleep', '100000']
/** CRI's name of the state. */
const exited = 2

forEachLane('pods', (lane) => {
  const pods = new CriLane(lane)

  // containerd has the Sandbox API from 2.0 on; runc's shim has no VM to be a sandbox.
  const handlers = lane.runtime === 'kata-ts' && lane.containerd !== '1.6' ? ['kata-ts', 'kata-ts-sandbox'] : [lane.runtime]
  describe.each(handlers)('%s', (handler) => {
    const run = (options: Partial<PodOptions> = {}): Promise<Pod> => pods.run({ handler, namespaces: { pid: 'CONTAINER' }, ...options })

    it('gives its containers the name, the resolver, the sysctls and the shared memory of the pod, and processes of their own', async () => {
      const pod = await run({ dns: { servers: ['10.0.0.10'], searches: ['svc.local'], options: ['ndots:5'] }, sysctls: { 'kernel.shm_rmid_forced': '1', 'net.ipv4.ip_local_port_range': '20000 30000' } })
      const first = await pod.start(forever)
      const second = await pod.start(forever)
      const name = pod.config.hostname ?? ''
      expect(await pod.shell(first, 'hostname; cat /etc/hostname')).toBe(`${name}\n${name}\n`)
      expect(await pod.shell(first, 'cat /etc/resolv.conf')).toBe('search svc.local\nnameserver 10.0.0.10\noptions ndots:5\n')
      expect(await pod.shell(first, 'grep -c localhost /etc/hosts')).toMatch(/^[1-9]/)
      expect(await pod.shell(second, 'cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_local_port_range')).toBe('1\n20000\t30000\n')
      await pod.shell(first, 'echo seen > /dev/shm/by-both')
      expect(await pod.shell(second, 'cat /dev/shm/by-both')).toBe('seen\n')
      expect(await pod.shell(second, 'tr "\\0" " " < /proc/1/cmdline; ls -d /proc/[0-9]* | wc -l')).toMatch(/^sleep 100000 [1-4]\n$/)
    })

    it('goes on when a container ends, and takes another in its place', async () => {
      const pod = await run()
      const sidecar = await pod.start(forever)
      for (const code of [0, 7]) {
        const container = await pod.start(['sh', '-c', `exit ${code}`])
        const status = async (): Promise<unknown> => (await pods.cri.call('ContainerStatus', { container_id: container })).status
        await expect.poll(status, { timeout: 20_000 }).toMatchObject({ exit_code: code, reason: code === 0 ? 'Completed' : 'Error' })
        await pods.cri.call('RemoveContainer', { container_id: container })
      }
      expect(await pod.shell(sidecar, 'echo alive')).toBe('alive\n')
    })

    it('shares processes among all containers when asked to, under a PID 1 that is none of theirs', async () => {
      const pod = await run({ namespaces: { pid: 'POD' } })
      const first = await pod.start(['sh', '-c', '(sleep 4321 &); exec sleep 100001'])
      const second = await pod.start(forever)
      expect(await pod.shell(second, 'cat /proc/1/comm')).toBe('pause\n')
      const all = 'for f in /proc/[0-9]*/cmdline; do tr "\\0" " " < $f; echo; done'
      const seen = await pod.shell(second, all)
      expect(seen).toContain('sleep 100001')
      expect(seen).toContain('sleep 4321')
      await pods.cri.call('StopContainer', { container_id: first, timeout: 0 })
      // What a container started goes with it, though the namespace stays.
      await expect.poll(() => pod.shell(second, all), { timeout: 10_000 }).not.toContain('sleep 4321')
    })

    it('lets a debugging container see the processes of its target and of no other', async () => {
      const pod = await run()
      await pod.start(forever)
      const target = await pod.start(['sleep', '100002'])
      const debuggers = await pod.start(forever, undefined, { pid: 'TARGET', target_id: target })
      expect(await pod.shell(debuggers, 'tr "\\0" " " < /proc/1/cmdline')).toBe('sleep 100002 ')
    })

    // runc has the host's namespaces to give, and no VM to lose.
    if (handler === 'runc') return
    it('refuses namespaces of the host, and names the field of the pod', async () => {
      for (const [namespaces, field] of [[{ pid: 'NODE' }, 'hostPID'], [{ ipc: 'NODE' }, 'hostIPC']] as const) {
        await expect(run({ namespaces })).rejects.toThrow(`without ${field}: true`)
      }
    })

    it('loses its containers, and tells so, when the VM dies', async () => {
      const pod = await run()
      const container = await pod.start(forever)
      const { info } = await pods.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true })
      process.kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid, 'SIGKILL') // the sandbox's pid is the VMM's
      const status = async (): Promise<unknown> => (await pods.cri.call('ContainerStatus', { container_id: container })).status
      await expect.poll(status, { timeout: 20_000 }).toMatchObject({ state: exited, exit_code: 137 })
      const state = async (): Promise<unknown> => (await pods.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: false })).status
      await expect.poll(state, { timeout: 10_000 }).toMatchObject({ state: 1 })
    })
  })
})
