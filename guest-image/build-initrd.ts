// tsx guest-image/build-initrd.ts AGENT OUTPUT: writes the guest image around the agent's binary.
import { readFileSync, writeFileSync } from 'node:fs'
import { writeCpio } from './cpio.ts'
import { initrdEntries } from './initrd.ts'

const [agentPath, outputPath] = process.argv.slice(2)
if (agentPath === undefined || outputPath === undefined) throw new Error('usage: build-initrd.ts AGENT OUTPUT')

const agent = readFileSync(agentPath)
const ELF_MAGIC = '\x7fELF'
if (agent.subarray(0, ELF_MAGIC.length).toString('latin1') !== ELF_MAGIC) {
  throw new Error(`${agentPath} is not an ELF program: the kernel could not run it as /init`)
}
writeFileSync(outputPath, writeCpio(initrdEntries(agent)))
