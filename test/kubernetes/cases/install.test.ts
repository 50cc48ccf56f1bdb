/**
 * The DaemonSet and the Job of deploy/, from an image that hack/install makes and the cluster pulls. They install to a directory
 * of the stack and into a configuration of their own: the stack's containerd has its handlers already.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkout, Cluster } from '../cluster.ts'
import type { Manifest } from '../cluster.ts'
import { eventually } from '../pod.ts'

const patience = { timeout: 600_000 }
interface Env { name: string; value: string }
interface Workload { metadata: { name: string; namespace: string }; spec: { template: { spec: { nodeName?: string; nodeSelector?: Record<string, string>; containers: { env: Env[] }[] } } } }

/** A manifest of deploy/, for this node. */
async function manifest(cluster: Cluster, file: string, settings: Record<string, string>): Promise<Workload> {
  const read = JSON.parse(await cluster.kubectl('create', '--dry-run=client', '-o', 'json', '-f', `${checkout}/deploy/${file}`)) as Workload
  for (const container of read.spec.template.spec.containers) {
    for (const variable of container.env) variable.value = settings[variable.name] ?? variable.value
  }
  return read
}

describe('deploy/', () => {
  it('installs from an image by the DaemonSet, is ready when containerd would read it, and is undone by the Job', patience, async () => {
    const cluster = new Cluster()
    const directory = `${cluster.directory}/installed`
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    execFileSync(`${checkout}/hack/install`, ['--image', `${directory}/installer.tar`], { stdio: ['ignore', 'ignore', 'inherit'] })
    const image = 'docker.io/library/kata-ts-installer:latest'
    const ctr = (...words: string[]): void => { execFileSync(`${cluster.directory}/bin/ctr`, words, { stdio: ['ignore', 'ignore', 'inherit'] }) }
    ctr('-n', 'pushing', 'images', 'import', `${directory}/installer.tar`)
    onTestFinished(() => ctr('-n', 'pushing', 'images', 'rm', image))
    ctr('-n', 'pushing', 'images', 'push', '--hosts-dir', `${cluster.directory}/certs.d`, image)

    const containerd = readlinkSync(`/proc/${cluster.pid('containerd')}/exe`)
    const config = `${directory}/config.toml`
    // Drop-ins, too, go to the test's directory and not to the machine's.
    const before = execFileSync(containerd, ['config', 'default'], { encoding: 'utf8' }).replace(/^imports = .*\n/m, '').replace(/^version = .*\n/m, (version) => `${version}imports = ['${directory}/conf.d/*.toml']\n`)
    writeFileSync(config, before)
    const settings = { PREFIX: `${directory}/opt`, BIN_DIR: '', CONTAINERD_CONFIG: config, CONTAINERD: containerd, RESTART: '' }

    const [node = ''] = (await cluster.kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ')
    await cluster.kubectl('label', 'node', node, '--overwrite', 'kata-ts.io/install=true')
    onTestFinished(async () => { await cluster.try(['label', 'node', node, 'kata-ts.io/install-']) })
    const daemonSet = await manifest(cluster, 'daemonset.yaml', settings)
    const { name, namespace } = daemonSet.metadata
    onTestFinished(async () => { await cluster.try(['delete', '-n', namespace, 'daemonset', name, '--ignore-not-found', '--wait']) })
    await cluster.apply(daemonSet as unknown as Manifest) // a manifest is any JSON object
    await cluster.kubectl('rollout', 'status', '-n', namespace, `daemonset/${name}`, '--timeout=240s')
    expect(readFileSync(`${directory}/conf.d/kata-ts.toml`, 'utf8')).toContain(`${directory}/opt/bin/containerd-shim-kata-ts-v2`)
    expect(execFileSync(`${directory}/opt/bin/containerd-shim-kata-ts-v2`, ['-v'], { encoding: 'utf8' })).toContain('kata-ts')

    await cluster.kubectl('label', 'node', node, 'kata-ts.io/install-')
    await eventually('the installing pod to go', async () => (await cluster.kubectl('get', 'pods', '-n', namespace, '-l', `app=${name}`, '-o', 'name')) === '' || undefined)
    const job = await manifest(cluster, 'uninstall.yaml', settings)
    job.spec.template.spec.nodeName = node
    onTestFinished(async () => { await cluster.try(['delete', '-n', namespace, 'job', job.metadata.name, '--ignore-not-found', '--wait']) })
    await cluster.apply(job as unknown as Manifest)
    await cluster.kubectl('wait', '-n', namespace, `job/${job.metadata.name}`, '--for=condition=complete', '--timeout=180s')
    expect(readFileSync(config, 'utf8')).toBe(before)
    expect(readdirSync(directory).filter((name) => name !== 'installer.tar' && name !== 'conf.d')).toEqual(['config.toml'])
    expect(existsSync(`${directory}/conf.d/kata-ts.toml`)).toBe(false)
  })
})
