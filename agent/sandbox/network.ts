import * as sys from 'native:sys'
import { AT_FDCWD, O_TRUNC, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { sleep } from '../../native/ts/clock.ts'
import { E, errnoName, SysError } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { RtNetlink } from '../../native/ts/rtnetlink.ts'
import type { InterfaceAddress, NetworkInterface, Route } from '../../protocol/gen/agent.ts'
import { addressAdd } from '../../protocol/netlink/address.ts'
import { formatIp, formatMac } from '../../protocol/netlink/ip.ts'
import { linkDump, type LinkChange, type LinkInfo, linkSet } from '../../protocol/netlink/link.ts'
import { neighbourAdd } from '../../protocol/netlink/neighbour.ts'
import { routeAdd } from '../../protocol/netlink/route.ts'
import { type Change, NetlinkSession } from '../../protocol/netlink/session.ts'
import { invalid } from '../refusal.ts'

/** A hot-plugged device is found by the guest's kernel within a second, emulated and on a loaded host as well. */
const deviceLimitMs = 15_000
const pollMs = 10

/**
 * Gives the VM's network devices the names, addresses, routes and neighbours that the pod's interfaces have on the host:
 *
 *   names ─▶ links up ─▶ addresses ─▶ routes on the link ─▶ routes through gateways ─▶ neighbours
 *
 * A device that was just plugged in may take a moment to appear: it is waited for. Every address is usable when this is back.
 * `take` is called before each look for devices. Rejects with Fault, SysError or NetlinkRefusal.
 */
export async function setUpNetwork(interfaces: readonly NetworkInterface[], take: () => void = () => {}): Promise<void> {
  using socket = new RtNetlink()
  const session = new NetlinkSession(socket, errnoName)
  const pairs = await findDevices(interfaces, session, take)
  session.change(...freeNames(pairs))
  for (const { settings, link } of pairs) {
    setIpv6(link.name, settings.ipv6Disabled)
    session.change(linkChange(settings, link))
  }
  session.change(...pairs.flatMap(({ settings, link }) => settings.addresses.map(address => addressChange(settings, link, address))))
  const routes = pairs.flatMap(({ settings, link }) => settings.routes.map(route => ({ route, change: routeChange(settings, link, route) })))
  // A gateway can be named only when there is a way to it. Sorting is stable.
  routes.sort((a, b) => Number(a.route.gateway.length > 0) - Number(b.route.gateway.length > 0))
  session.change(...routes.map(each => each.change))
  session.change(...pairs.flatMap(({ settings, link }) => settings.neighbours.map(({ address, mac }): Change => ({
    what: `neighbour ${formatIp(address)} of ${settings.name}`,
    message: sequence => neighbourAdd(link.index, address, mac, sequence),
  }))))
}

interface Pair {
  settings: NetworkInterface
  /** As it is now: its name is changed here as it is there. */
  link: LinkInfo
}

/** The interfaces with their devices. */
async function findDevices(interfaces: readonly NetworkInterface[], session: NetlinkSession, take: () => void): Promise<Pair[]> {
  for (const { name, mac } of interfaces) if (mac.length !== 6) throw invalid(`interface ${name}: a MAC address of ${mac.length} bytes`)
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    take()
    const { pairs, missing } = pair(interfaces, readLinks(session))
    if (!missing) return pairs
    if (waitedMs >= deviceLimitMs) throw new Fault(`interface ${missing.name}: the VM has no network device with the address ${formatMac(missing.mac)}`)
    await sleep(pollMs)
  }
}

function readLinks(session: NetlinkSession): LinkInfo[] {
  return session.ask('dump of links', linkDump).flatMap(answer => (answer.kind === 'link' && answer.link.isEthernet ? [answer.link] : []))
}

/** Each interface with its device, and the first that has none. */
function pair(interfaces: readonly NetworkInterface[], links: readonly LinkInfo[]): { pairs: Pair[]; missing: NetworkInterface | undefined } {
  const free = [...links].sort((a, b) => a.index - b.index)
  const pairs: Pair[] = []
  let missing: NetworkInterface | undefined
  for (const settings of interfaces) {
    const mac = formatMac(settings.mac)
    const at = free.findIndex(link => link.mac === mac)
    const [link] = at < 0 ? [] : free.splice(at, 1)
    if (link) pairs.push({ settings, link })
    else missing ??= settings
  }
  return { pairs, missing }
}

/** Names are wanted that another device has yet: those move out of the way first. */
function freeNames(pairs: readonly Pair[]): Change[] {
  return pairs.flatMap(({ link }, position): Change[] => {
    const isWanted = pairs.some(other => other.link !== link && other.settings.name === link.name)
    if (!isWanted) return []
    const [was, name] = [link.name, `kata-move${position}`]
    link.name = name
    return [{ what: `name ${name} for ${was}`, message: sequence => linkSet(link.index, { name }, sequence) }]
  })
}

/** Before the link is up: then its addresses come without a wait for duplicates, which the host has looked for. */
function setIpv6(name: string, isDisabled: boolean): void {
  const directory = `/proc/sys/net/ipv6/conf/${name}`
  for (const [file, value] of [['accept_dad', '0'], ...(isDisabled ? [['disable_ipv6', '1']] : [])]) {
    const written = sys.writeFile(AT_FDCWD, `${directory}/${file}`, value ?? '', O_WRONLY | O_TRUNC, 0)
    // A guest kernel without IPv6 has neither; its addresses tell.
    if (written < 0 && written !== -E.ENOENT) throw new SysError('write', `${directory}/${file}`, -written)
  }
}

function linkChange(settings: NetworkInterface, link: LinkInfo): Change {
  const change: LinkChange = {
    up: true,
    ...(settings.name !== link.name && { name: settings.name }),
    ...(settings.mtu !== 0 && settings.mtu !== link.mtu && { mtu: settings.mtu }),
  }
  return { what: `interface ${settings.name} up`, message: sequence => linkSet(link.index, change, sequence) }
}

function addressChange(settings: NetworkInterface, link: LinkInfo, given: InterfaceAddress): Change {
  const prefix = { address: requireIp(given.address, settings), length: given.prefixLength }
  const options = { scope: given.scope, noPrefixRoute: given.noPrefixRoute, ...(given.peer.length > 0 && { peer: given.peer }) }
  return {
    what: `address ${formatIp(given.address)}/${given.prefixLength} of ${settings.name}`,
    message: sequence => addressAdd(link.index, prefix, sequence, options),
  }
}

function routeChange(settings: NetworkInterface, link: LinkInfo, given: Route): Change {
  const route = {
    destination: { address: requireIp(given.destination, settings), length: given.prefixLength },
    gateway: given.gateway.length > 0 ? requireIp(given.gateway, settings) : undefined,
    index: link.index,
    ...(given.source.length > 0 && { source: requireIp(given.source, settings) }),
    ...(given.priority !== 0 && { priority: given.priority }),
    isOnLink: given.onLink,
    scope: given.scope,
    ...(given.table !== 0 && { table: given.table }),
    mtu: given.mtu,
    advmss: given.advmss,
  }
  const way = route.gateway ? ` via ${formatIp(route.gateway)}` : ''
  return { what: `route ${formatIp(given.destination)}/${given.prefixLength}${way} of ${settings.name}`, message: sequence => routeAdd(route, sequence) }
}

function requireIp(address: Uint8Array, { name }: NetworkInterface): Uint8Array {
  if (address.length !== 4 && address.length !== 16) throw invalid(`interface ${name}: an address of ${address.length} bytes`)
  return address
}
