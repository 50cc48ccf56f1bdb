import type { Spec } from '../../../e2e/spec.ts'
import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { LoopDisk } from '../../loop-disk.ts'

const giving = (disks: readonly [LoopDisk, access: string][]) => (spec: Spec): void => {
  spec.linux.devices = disks.map(([{ device: path, major, minor }]) => ({ path, type: 'b', major, minor, fileMode: 0o600, uid: 0, gid: 0 }))
  const rules = spec.linux.resources['devices']
  if (Array.isArray(rules)) rules.push(...disks.map(([{ major, minor }, access]) => ({ allow: true, type: 'b', major, minor, access })))
}

export const attack: Attack = {
  id: 'disk-queues',
  title: 'an attacker\'s kernel drives the registers and queues of its disks by hand: writes, discards and zeroes of a read-only disk, sectors beyond the end, malformed descriptor chains',
  family: 'guest',
  leak: 'read-only volumes, what lies next to a volume on the host, the VMM',
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'the same disk, given to write',
    unavailable: (host) => host.stack === undefined ? 'only on the private containerd' : undefined,
    async run(site) {
      const disk = new LoopDisk(site, 'disk', 1, 1)
      const before = disk.hash()
      const told = await (await Assault.begin(site)).runInGuest('disk-queues', { options: { spec: giving([[disk, 'rwm']]) } })
      return disk.hash() === before ? contained(told) : escaped(`the disk is another: ${told}`)
    },
  },
  async run(site) {
    const [readonly, writable] = [new LoopDisk(site, 'readonly', 1, 1), new LoopDisk(site, 'writable', 1, 1)]
    const before = [readonly.hash(), writable.hash('beyond'), writable.hash()]
    const assault = await Assault.begin(site)
    const told = await assault.runInGuest('disk-queues', { options: { spec: giving([[readonly, 'rm'], [writable, 'rwm']]) } })
    // The driver works, or nothing was attacked: the disk that may be written was.
    if (writable.hash() === before[2]) throw new Error(`the writable disk is as it was: ${told}`)
    const verdict = await assault.verdict([
      ...(readonly.hash() === before[0] ? [] : ['the read-only disk was written']),
      ...(writable.hash('beyond') === before[1] ? [] : ['what lies behind the end of a disk was written']),
      ...(/[1-9]\d* told a secret/.test(told) ? ['what lies behind the end of a disk was read'] : []),
    ])
    return { ...verdict, evidence: verdict.reach === 'host' ? `${verdict.evidence}; ${told}` : `${told}; ${verdict.evidence}` }
  },
}
