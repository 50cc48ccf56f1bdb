import { describe, expect, it } from 'vitest'
import { agentMappings, mappedId, mappingsOfMount, mappingsOfPod, withMappedOwner, withoutMappings } from './id-mappings.ts'

const ids = [{ containerID: 0, hostID: 100_000, size: 1000 }, { containerID: 2000, hostID: 5000, size: 1 }]
const mount = { destination: '/data', type: 'bind', source: '/var/data' }

describe('id mappings', () => {
  it.each([[0, 100_000], [999, 100_999], [1000, undefined], [2000, 5000], [2001, undefined]])('maps %i to %s', (inside, outside) => {
    expect(mappedId(inside, ids)).toBe(outside)
  })

  it('gives what has no place in a namespace to nobody', () => {
    expect(withMappedOwner({ uid: 1, gid: 1500, mode: 0o644 }, { uids: ids, gids: ids })).toEqual({ uid: 100_001, gid: 65_534, mode: 0o644 })
    expect(withMappedOwner({ uid: 1, gid: 1500 }, undefined)).toEqual({ uid: 1, gid: 1500 })
  })

  it('reads those of a pod, and refuses a user namespace without any', () => {
    expect(mappingsOfPod({ namespaces: [{ type: 'pid' }] })).toBeUndefined()
    expect(mappingsOfPod({ namespaces: [{ type: 'user' }], uidMappings: ids, gidMappings: ids })).toEqual({ uids: ids, gids: ids })
    expect(() => mappingsOfPod({ namespaces: [{ type: 'user' }], uidMappings: ids })).toThrow('no mappings')
  })

  it('refuses a user namespace without a root', () => {
    const others = [{ containerID: 1, hostID: 100_000, size: 1000 }]
    expect(() => mappingsOfPod({ namespaces: [{ type: 'user' }], uidMappings: others, gidMappings: ids })).toThrow('map id 0')
  })

  it("takes a mount's own mappings, or with the option those of the container", () => {
    expect(mappingsOfMount(mount, { uidMappings: ids, gidMappings: ids })).toBeUndefined()
    expect(mappingsOfMount({ ...mount, uidMappings: ids, gidMappings: ids }, {})).toEqual({ uids: ids, gids: ids, recursive: false })
    expect(mappingsOfMount({ ...mount, options: ['rbind', 'ridmap'] }, { uidMappings: ids, gidMappings: ids })).toEqual({ uids: ids, gids: ids, recursive: true })
    expect(() => mappingsOfMount({ ...mount, options: ['idmap'] }, {})).toThrow('/data')
    expect(withoutMappings({ ...mount, options: ['rbind', 'ridmap'], uidMappings: ids, gidMappings: ids })).toEqual({ ...mount, options: ['rbind'] })
  })

  it('tells the agent nothing where there is nothing', () => {
    expect(agentMappings(undefined)).toEqual({ uidMappings: [], gidMappings: [] })
    expect(agentMappings({ uids: ids.slice(0, 1), gids: [] }).uidMappings).toEqual([{ containerId: 0, hostId: 100_000, size: 1000 }])
  })
})
