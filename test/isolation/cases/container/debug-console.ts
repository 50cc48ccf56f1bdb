import { readFileSync } from 'node:fs'
import { initrdEntries } from '../../../../guest-image/initrd.ts'
import { contained, reachedGuest, type Attack } from '../../attack.ts'
import { oneLine } from '../../one-line.ts'
import { oursRuntime } from '../../options.ts'

/** The guest's console and serial lines, by the numbers of Documentation/admin-guide/devices.txt. */
const consoles = ['console 5 1', 'ttyS0 4 64', 'tty0 4 0', 'tty1 4 1', 'hvc0 229 0', 'kmsg 1 11']
/** What would have the kernel, or a debugger in it, listen to a line. */
const listening = /\b(kgdboc|kgdbwait|ekgdboc|kdb|rdinit=\/bin|init=\/bin|systemd\.debug|agent\.debug_console|sysrq_always_enabled)/

/**
 * A debug console is a shell that whoever reaches the guest's console has. Ours has none, in any configuration: `debug.console` only lets the
 * kernel's messages out. What is left to show: no program in the image that could be one, and no way of a container to the console.
 */
export const attack: Attack = {
  id: 'debug-console',
  title: 'the guest\'s console: a shell on it, its device from a container, words in the host\'s log',
  family: 'container',
  leak: 'the guest, and the truth of the host\'s log',
  bound: 'container',
  notFor: runtime => runtime === oursRuntime ? undefined : 'has no guest of ours',
  control: { weak: 'a container that may use every device', reach: 'guest', runtime: oursRuntime },
  async run(site) {
    const programs = initrdEntries(new Uint8Array()).filter(({ type }) => type === 'file').map(({ path }) => path)
    if (programs.join() !== 'init') return reachedGuest(`the image has more programs than the agent: ${programs.join(' ')}`)
    const tries = consoles.map(words => `try ${words}`).join('; ')
    const container = await site.start({
      spec: (spec) => {
        if (site.weak) spec.linux.resources['devices'] = [{ allow: true, access: 'rwm' }]
      },
    })
    const { stdout } = await container.exec(['sh', '-c', `try() { mknod /tmp/$1 c $2 $3 && ( : > /tmp/$1 ) 2>/dev/null && echo "${site.secret}" > /tmp/$1 && echo "wrote to $1"; }
      ${tries}; cat /proc/cmdline`])
    const wrote = stdout.split('\n').filter(line => line.startsWith('wrote to '))
    const words = listening.exec(stdout)
    if (words) return reachedGuest(`the kernel listens: ${words[0]}`)
    const log = site.host.stack ? readFileSync(`${site.host.stack.directory}/containerd.log`, 'utf8') : ''
    if (log.includes(site.secret)) return reachedGuest(`the host's log has a container's words as the console's; ${wrote.join(', ')}`)
    if (wrote.length > 0) return reachedGuest(wrote.join(', '))
    return contained(`one program in the image, no console of ${consoles.length} opens, kernel: ${oneLine(stdout.trim(), 60)}`)
  },
}
