/** systemd as the first process of namespaces and cgroups of its own, for runtimes that have it make their cgroups. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { until } from './bundle.ts'

/** v1: as this machine has them, and the unified hierarchy for systemd's own accounts (the hybrid layout); v2: that alone. */
export type Layout = 'v1' | 'v2'

const program = '/lib/systemd/systemd'
const v1Hierarchies = readFileSync('/proc/self/cgroup', 'utf8').split('\n').map(line => line.split(':')[1] ?? '').filter(Boolean)

/** Why a layout cannot be had here; undefined when it can. */
export function lacking(layout: Layout): string | undefined {
  if (!existsSync(program)) return `${program} is missing: hack/setup`
  if (layout === 'v1' && !v1Hierarchies.includes('name=systemd')) return 'this host has no cgroup v1 hierarchy name=systemd'
  return undefined
}

/** Goes into a cgroup of its own in every hierarchy, then into new namespaces: of the host's cgroups it sees that one. */
const enter = `
for directory in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -e "$directory/cgroup.procs" ] && [ ! -L "$directory" ] || continue
  mkdir "$directory/$1"
  for file in cpuset.cpus cpuset.mems; do [ ! -e "$directory/$file" ] || cat "$directory/$file" >"$directory/$1/$file"; done
  echo $$ >"$directory/$1/cgroup.procs"
done
exec unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child sh -ec "$2" sh "$3" "$4"`

/**
 * Mounts what systemd looks for, with a target that wants nothing. The host's files stay: only /run and the cgroups are new. So
 * systemd must not know the host's units, of which any service would pull in those of a boot: they empty /tmp.
 */
const boot = `
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/systemd/system
printf '[Unit]\\nDefaultDependencies=no\\n' >/run/systemd/system/nothing.target
umount -R /sys/fs/cgroup
if [ "$1" = v2 ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
  mount -t tmpfs cgroup /sys/fs/cgroup
  for names in $2; do
    mkdir "/sys/fs/cgroup/\${names#name=}"
    case $names in name=*) names=none,$names ;; esac
    mount -t cgroup -o "$names" cgroup "/sys/fs/cgroup/\${names#none,name=}"
  done
fi
exec env -i PATH="$PATH" container=test SYSTEMD_UNIT_PATH=/run/systemd/system.control:/run/systemd/transient:/run/systemd/system ${program} --unit=nothing.target --log-target=null`

let count = 0

export class PrivateSystemd {
  private constructor(readonly child: ChildProcess, readonly pid: number, private readonly cgroup: string) {}

  static async start(layout: Layout): Promise<PrivateSystemd> {
    const cgroup = `kata-ts-systemd-${process.pid}-${++count}`
    const child = spawn('sh', ['-ec', enter, 'sh', cgroup, boot, layout, v1Hierarchies.join(' ')], { stdio: ['ignore', 'ignore', 'inherit'] })
    const first = () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
    await until('systemd\'s start', () => child.exitCode !== null || (first() !== '' && existsSync(`/proc/${first()}/root/run/systemd/private`)), 30_000)
    if (child.exitCode !== null) throw new Error(`systemd did not start: exit status ${child.exitCode}`)
    const made = new PrivateSystemd(child, Number(first()), cgroup)
    await until('its target', () => made.run('systemctl', 'is-active', 'nothing.target') === 'active', 30_000)
    const known = made.run('systemctl', 'list-unit-files', '--no-legend', '--plain').split('\n').map(line => line.split(/\s/)[0])
    if (known.join() !== 'nothing.target' || made.show('systemd-tmpfiles-setup.service', 'LoadState')['LoadState'] !== 'not-found') {
      await made.stop()
      throw new Error(`systemd knows units of the host, which would change it: ${known.join(', ')}`)
    }
    return made
  }

  /** What a command line begins with to run beside it. */
  get entry(): string[] {
    return ['nsenter', '--target', `${this.pid}`, '--mount', '--pid', '--cgroup', '--net', '--wd=/']
  }

  /** Gives what a program printed there, whatever its status. */
  run(...command: string[]): string {
    const [nsenter = '', ...args] = [...this.entry, ...command]
    return spawnSync(nsenter, args, { encoding: 'utf8', timeout: 15_000 }).stdout.trim()
  }

  /** Properties of a unit, by name. */
  show(unit: string, ...names: string[]): Record<string, string> {
    return Object.fromEntries(this.run('systemctl', 'show', unit, '--property', names.join(',')).split('\n').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  }

  /** Every cgroup there whose name contains `name`. */
  cgroups(name: string): string[] {
    return this.run('find', '/sys/fs/cgroup', '-name', `*${name}*`).split('\n').filter(Boolean)
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL')
    const places = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map(name => `/sys/fs/cgroup/${name}`)].map(path => `${path}/${this.cgroup}`).filter(existsSync)
    for (const place of places) await until(`the end of ${place}`, () => {
      for (const directory of execFileSync('find', [place, '-depth', '-type', 'd'], { encoding: 'utf8' }).trim().split('\n')) {
        try {
          rmdirSync(directory)
        } catch {
          return false // its processes are on their way out
        }
      }
      return true
    }, 10_000)
  }
}
