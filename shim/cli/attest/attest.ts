import * as sys from 'native:sys'
import { loadConfig } from '../../config/config.ts'
import type { Config } from '../../config/schema.ts'
import { Fault, story } from '../../../native/ts/fault.ts'
import { findProgram } from '../../hypervisor/daemon.ts'
import { parseOptions } from '../arguments.ts'
import type { Context } from '../context.ts'
import { judgeConfig, judgeFiles, judgeSandbox } from './judge.ts'
import { type Finding, reportJson, reportText, worst } from './report.ts'
import { attestSandbox } from './sandbox.ts'

/**
 * `attest [--json]`: runs one sandbox of this node's shim and configuration, looks at it from inside and from outside, and says how well it isolates.
 * Status 0 only when everything is ok. Needs neither containerd nor an image; leaves nothing behind.
 */
export async function attest(args: readonly string[], { print }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { json: 'flag' })
  if (rest.length > 0) throw new Fault(`attest takes no word, as ${rest[0]}`)
  if (sys.geteuid() !== 0) throw new Fault('attest starts a sandbox, as containerd does: it must run as root')
  const named = sys.environ().find(entry => entry.startsWith('KATA_TS_CONFIG='))?.slice('KATA_TS_CONFIG='.length)
  const config = loadConfig(named)
  const findings: Finding[] = [...judgeConfig(config), judgeFiles(filesOf(config)), ...await sandboxFindings()]
  print(options.json ? reportJson(findings) : reportText(findings))
  return worst(findings) === 'ok' ? 0 : 1
}

async function sandboxFindings(): Promise<Finding[]> {
  try {
    const { attested, left } = await attestSandbox()
    return judgeSandbox(attested, left)
  } catch (error) {
    return [{ id: 'sandbox', verdict: 'failed', evidence: `no sandbox can be run: ${story(error)}`, fix: 'mend what it says; nothing is known of the rest until then' }]
  }
}

function filesOf(config: Config): string[] {
  const programs = [
    { name: 'containerd-shim-kata-ts-v2', key: 'PATH' }, { name: config.hypervisor.path, key: 'hypervisor.path' },
    { name: config.share.virtiofsd, key: 'share.virtiofsd' }, ...(config.vsock.type === 'vhost' ? [] : [{ name: config.vsock.daemon, key: 'vsock.daemon' }]),
  ]
  return [...programs.flatMap(pathOf), config.guest.kernel, config.guest.initrd, config.guest.firmware]
}

/** One that is not there is the sandbox's error to tell, or is not used on this host. */
function pathOf(program: { name: string; key: string }): string[] {
  try {
    return [findProgram(program)]
  } catch {
    return []
  }
}
