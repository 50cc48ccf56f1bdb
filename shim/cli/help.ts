/** Usage texts. */

const globals = `GLOBAL OPTIONS:
   --debug             enable debug logging
   --log value         append the log to this file (default: stderr)
   --log-format value  'text' or 'json' (default: text)
   --root value        directory of the containers' state (default: /run/kata-ts/oci, for another user than root $XDG_RUNTIME_DIR/kata-ts)
   --rootless value    ignore cgroup permission errors: 'true', 'false' or 'auto' (default: auto)
   --systemd-cgroup    have systemd make the cgroups; linux.cgroupsPath is then slice:prefix:name
   --version, -v       print the version
   --help, -h          show help`

const create = `   --bundle value, -b value  path of the bundle (default: the current directory)
   --console-socket value    AF_UNIX socket that receives the master end of the terminal
   --pid-file value          file to write the process id to
   --no-pivot                move the root in place of pivot_root, for a root on a ramdisk
   --no-new-keyring          keep the caller's session keyring
   --preserve-fds value      pass N more descriptors (stdio + $LISTEN_FDS + N in total) (default: 0)
   --pidfd-socket value      AF_UNIX socket that receives a pidfd of the process`

interface Help {
  what: string
  usage: string
  options?: string
}

/** What each verb takes, in the order in which help lists them. */
export const helpOf: Readonly<Record<string, Help>> = {
  create: { what: 'create a container', usage: '[options] <container-id>', options: create },
  start: { what: 'run the program of a created container', usage: '<container-id>' },
  state: { what: 'print the state of a container', usage: '<container-id>' },
  kill: { what: 'send a signal (default: SIGTERM) to the init process', usage: '[--all] <container-id> [signal]', options: '   --all, -a  to all processes of the container' },
  delete: { what: 'delete what a container holds', usage: '[--force] <container-id>', options: '   --force, -f  kill it first (SIGKILL)' },
  run: {
    what: 'create and start a container', usage: '[options] <container-id>',
    options: `${create}\n   --detach, -d              do not wait for the container's end\n   --keep                    do not delete the container when it ends`,
  },
  exec: {
    what: 'run one more process in a container', usage: '[options] <container-id> <command> [argument...]',
    options: `   --console-socket value            AF_UNIX socket that receives the master end of the terminal
   --cwd value                       working directory
   --env value, -e value             environment variable; may be given several times
   --tty, -t                         a terminal
   --user value, -u value            <uid>[:<gid>]
   --additional-gids value, -g value further groups
   --process value, -p value         path of a process.json
   --detach, -d                      do not wait for the process
   --pid-file value                  file to write the process id to
   --process-label value             SELinux label
   --apparmor value                  AppArmor profile
   --no-new-privs                    set no_new_privs
   --cap value, -c value             one more capability
   --preserve-fds value              pass N more descriptors (default: 0)
   --pidfd-socket value              AF_UNIX socket that receives a pidfd of the process
   --cgroup value                    a cgroup below the container's: [<controller>:]<path>
   --ignore-paused                   also in a paused container`,
  },
  ps: { what: 'show the processes of a container', usage: '[--format table|json] <container-id> [ps options]', options: '   --format value, -f value  table or json (default: table)' },
  events: {
    what: "print a container's figures and OOM kills", usage: '[options] <container-id>',
    options: '   --interval value  time between two prints (default: 5s)\n   --stats           print the figures once',
  },
  pause: { what: 'suspend all processes of a container', usage: '<container-id>' },
  resume: { what: 'let them go on', usage: '<container-id>' },
  update: {
    what: 'change resource limits', usage: '[options] <container-id>',
    options: `   --resources value, -r value  file with the resources to change, or '-' for stdin; then all other options are ignored
   --blkio-weight value         10 to 1000
   --cpu-period, --cpu-quota, --cpu-share, --cpu-rt-period, --cpu-rt-runtime, --cpu-burst, --cpu-idle value
   --cpuset-cpus, --cpuset-mems value
   --memory, --memory-reservation, --memory-swap value   bytes, or as in 64M
   --pids-limit value`,
  },
  features: { what: 'print what this runtime can do', usage: '' },
  spec: { what: 'write a config.json to start from', usage: '[options]', options: '   --bundle value, -b value  where to write it\n   --rootless                for a container of a user who is not root' },
  attest: { what: 'attack containers on this node and report what contained them', usage: '[--json]' },
  list: { what: 'list the containers of the root directory', usage: '[options]', options: '   --format value, -f value  table or json (default: table)\n   --quiet, -q               ids only' },
}

export function generalHelp(): string {
  const verbs = Object.entries(helpOf).map(([name, { what }]) => `   ${name.padEnd(10)}${what}`)
  return `NAME:\n   kata-ts - Open Container Initiative runtime\n\nUSAGE:\n   kata-ts [global options] command [command options] [arguments...]\n\nCOMMANDS:\n${verbs.join('\n')}\n\n${globals}`
}

export function verbHelp(verb: string): string {
  const help = helpOf[verb]
  if (!help) return generalHelp()
  return `NAME:\n   kata-ts ${verb} - ${help.what}\n\nUSAGE:\n   kata-ts ${verb} ${help.usage}${help.options ? `\n\nOPTIONS:\n${help.options}` : ''}`
}
