import * as sys from 'native:sys'
import { E, isErrno } from '../../../native/ts/errno.ts'
import { Fault, story } from '../../../native/ts/fault.ts'
import { readTextIfPresent } from '../../../native/ts/file.ts'
import { environment, worksForUser } from '../rootless.ts'
import { Bus } from './bus.ts'

/** systemd's own sockets come first: they need no broker, and every signal of systemd's comes without being asked for. */
function sockets(own: boolean): { path: string; broker: boolean }[] {
  if (!own) return [{ path: '/run/systemd/private', broker: false }, { path: '/run/dbus/system_bus_socket', broker: true }]
  const directory = environment('XDG_RUNTIME_DIR') ?? `/run/user/${hostUid()}`
  const session = /(?:^|;)unix:path=([^,;]+)/.exec(environment('DBUS_SESSION_BUS_ADDRESS') ?? '')?.[1] ?? `${directory}/bus`
  return [{ path: `${directory}/systemd/private`, broker: false }, { path: session, broker: true }]
}

/** Our user as the bus, which is outside of our user namespace, numbers it (user_namespaces(7), uid_map). */
export function hostUid(map = readTextIfPresent('/proc/self/uid_map') ?? ''): number {
  const uid = sys.geteuid()
  for (const line of map.split('\n')) {
    const [inside = 0, outside = 0, length = 0] = line.trim().split(/\s+/).map(Number)
    if (uid >= inside && uid < inside + length) return outside + uid - inside
  }
  return uid
}

/** A conversation with the systemd that makes our scopes; the caller owns it. Rejects with Fault when there is none. */
export async function connectToSystemd(): Promise<Bus> {
  const own = worksForUser()
  const failures: string[] = []
  for (const { path, broker } of sockets(own)) {
    try {
      const bus = await Bus.connect(path, hostUid())
      if (broker) await introduce(bus)
      return bus
    } catch (error) {
      // Not in the kernel's words: podman takes those for a program that is missing.
      failures.push(isErrno(error, E.ENOENT) ? `there is no ${path}` : story(error))
    }
  }
  throw new Fault(`--systemd-cgroup: no systemd answers (${failures.join('; ')})`, { fix: 'use the cgroupfs driver (podman: --cgroup-manager cgroupfs)' })
}

/** On a bus with a broker one says hello, and asks for the signals one wants and systemd to send any. */
async function introduce(bus: Bus): Promise<void> {
  const broker = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' }
  await bus.call({ ...broker, member: 'Hello' })
  await bus.call({ ...broker, member: 'AddMatch', signature: 's', body: ['type=\'signal\',sender=\'org.freedesktop.systemd1\',member=\'JobRemoved\''] })
  await bus.call({ destination: 'org.freedesktop.systemd1', path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager', member: 'Subscribe' })
}
