import * as sys from 'native:sys'
import { AT_FDCWD, O_RDWR } from '../../../native/ts/constants/fcntl.ts'
import { exitText, spawn } from '../../../native/ts/child.ts'
import { sleep } from '../../../native/ts/clock.ts'
import { type Fd, pipe } from '../../../native/ts/fd.ts'
import { connectVsock } from '../../../native/ts/socket.ts'
import { powerOff } from '../../../agent/pid1/power-off.ts'
import { encodeFrame, MessageType } from '../../../protocol/ttrpc/frame.ts'
import type { Behaviour, Hostile } from './hostile.ts'

/** include/uapi/linux/fs.h: the device is not to be read-only. */
const BLKROSET = 0x125d
const retries = 200

/** Opens every CID and port in sight, at once: what listens on the host, in other VMs, and the shim's own port a second time. */
async function probeVsock(controlPort: number): Promise<string[]> {
  const reached: string[] = []
  const dial = async (cid: number, port: number): Promise<void> => {
    try {
      const connection = await connectVsock(cid, port)
      reached.push(`${cid}:${port}`)
      connection.close()
    } catch {
      // Refused, unreachable or never answered: what is required.
    }
  }
  const others = [0, 1, 3, 4, 5, 100, 0x7fff_ffff, 0xffff_fffe].flatMap(cid => [22, 1024, 1026].map(port => [cid, port] as const))
  for (const from of [1, 401]) await Promise.all(Array.from({ length: 400 }, (_, at) => dial(2, from + at)))
  await Promise.all([...Array.from({ length: 200 }, () => [2, controlPort] as const), [2, 7007] as const, ...others].map(([cid, port]) => dial(cid, port)))
  return reached
}

/** Writes over the first block of every disk, as root of a kernel of one's own; gives how it went. */
async function writeDisks(): Promise<string[]> {
  const told: string[] = []
  await waitForDisks()
  for (const name of disks()) {
    const fd = sys.openat(AT_FDCWD, `/dev/${name}`, O_RDWR, 0)
    if (fd < 0) {
      told.push(`${name}: open ${fd}`)
      continue
    }
    sys.ioctlBuffer(fd, BLKROSET, new Uint8Array(8))
    const block = new Uint8Array(4096).fill(0x48)
    told.push(`${name}: write ${sys.write(fd, block, 0, block.length)}`)
    sys.close(fd)
    sys.sync()
  }
  return told
}

async function waitForDisks(): Promise<void> {
  for (let tried = 0; tried < retries && disks().length === 0; tried++) await sleep(20)
}

function disks(): string[] {
  const entries = sys.readdir(AT_FDCWD, '/sys/block')
  return typeof entries === 'number' ? [] : entries.map(entry => entry.name).filter(name => /^vd|^sd|^pmem/.test(name))
}

/** A line in the shim's log. */
export const log = (agent: Hostile, message: string): void => agent.tell({ $case: 'log', value: { level: 'warn', message, fields: '' } })

/** Runs the driver of programs/drive-virtio.c, which is `program`; gives its line. */
async function drive(program: Fd, ...args: readonly string[]): Promise<string> {
  const { reader, writer } = pipe('output of the driver')
  using output = reader
  const child = spawn({ path: '/proc/self/fd/3', argv: ['drive-virtio', ...args], env: [], stdio: ['null', writer.number, writer.number], pass: [program.number] })
  writer.close()
  // Its line is shorter than a pipe holds.
  const exit = await child.wait()
  const buffer = new Uint8Array(4096)
  const got = sys.read(output.number, buffer, 0, buffer.length)
  return `${got > 0 ? sys.utf8Decode(buffer, 0, got).trim() : 'the driver told nothing'}${exit.status === 0 ? '' : `: ${exitText(exit)}`}`
}

/** Malformed chains for a device, and their seed. */
const [seed, chains] = ['1', '60']

/** Attacks that need a guest's kernel of one's own. Each ends with a line in the log that begins with `attacked: `, unless it ends the VM. `driver`: a program of the image. */
export const guestAttacks = (controlPort: number, driver: Fd): Record<string, Behaviour> => ({
  'vsock': { at: { StatsContainer: (agent, { streamId }) => {
    void probeVsock(controlPort).then(reached => {
      log(agent, `attacked: reached ${reached.join(' ') || 'nothing'}`)
      // What the double on the host does, once more from a guest.
      agent.raw(encodeFrame(streamId, MessageType.response, 0, new Uint8Array(4 << 20)))
    })
  } } },
  'disks': { at: { StatsContainer: (agent, { streamId }) => {
    void writeDisks().then(told => {
      log(agent, `attacked: ${told.join(', ') || 'no disk'}`)
      agent.answer(streamId)
    })
  } } },
  'disk-queues': { at: {
    StatsContainer: (agent, { streamId }) => {
      void waitForDisks().then(() => drive(driver, 'disks', seed, chains)).then(told => {
        log(agent, `attacked: ${told}`)
        agent.answer(streamId)
      })
    },
    // Its disks have no driver any more that could let go of them: the shim would wait for that.
    SignalProcess: () => powerOff('killed'),
  } },
  // Its vsock goes, and the guest is not to end with it.
  'device-queues': { at: { StatsContainer: agent => {
    agent.hasHungUp = true
    void drive(driver, 'others', seed, chains)
  } } },
  'share-queues': { at: { StatsContainer: agent => { void drive(driver, 'share', seed, chains).then(told => log(agent, `attacked: ${told}`)) } } },
})
