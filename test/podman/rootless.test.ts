/** podman without root, with a user's subordinate ids: what it shows must be what it shows with runc. */
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'

const rootless = new URL('../../hack/podman-rootless', import.meta.url).pathname

/** What a script of `podman` calls prints, with `$podman` for podman with the runtime. */
function shown(runtime: string, script: string): string {
  const { status, stdout, stderr } = spawnSync(rootless, ['sh', '-ec', `podman="podman --runtime ${runtime}"\n${script}`], { encoding: 'utf8', cwd: tmpdir(), timeout: 110_000, killSignal: 'SIGKILL' })
  if (status !== 0) throw new Error(`exit ${status}\n${stdout}${stderr}`)
  return stdout.replace(/ +/g, ' ')
}

for (const runtime of ['runc', 'kata-ts']) describe(`podman without root with ${runtime}`, () => {
  it('run: ids, stdin and the exit code', () => {
    expect(shown(runtime, `
      $podman run --rm --network none busybox sh -c 'id -u; cat /proc/self/uid_map; touch /made && chown 5:5 /made && stat -c %u /made'
      echo through | $podman run --rm -i --network none busybox cat
      $podman run --rm --network none busybox sh -c 'exit 42' || echo "status $?"`)).toBe('0\n 0 61000 1\n 1 200000 65536\n5\nthrough\nstatus 42\n')
  })

  it('users: of the container, and one\'s own', () => {
    expect(shown(runtime, `
      $podman run --rm --network none --user 5:6 busybox sh -c 'id -u; id -g; id -G'
      $podman run --rm --network none --userns keep-id busybox id -u`)).toBe('5\n6\n6\n61000\n')
  })

  it('run -d, exec, logs, stop, rm', () => {
    expect(shown(runtime, `
      $podman run -d --network none --name c busybox sh -c 'trap "echo told; exit 9" TERM; echo up; while :; do sleep 1000 & wait; done' >/dev/null
      podman exec c sh -c 'id -u; tr "\\0" " " </proc/1/cmdline | head -c 2; echo'
      podman exec --user 5 c id -u
      echo twelve bytes | podman exec -i c wc -c
      podman exec c sh -c 'exit 5' || echo "status $?"
      until [ "$(podman logs c)" = up ]; do sleep 0.05; done
      podman stop --time 30 c
      podman inspect --format '{{.State.ExitCode}} {{.State.Status}}' c
      podman logs c
      podman rm c`)).toBe('0\nsh\n5\n13\nstatus 5\nc\n9 exited\nup\ntold\nc\n')
  })
})
