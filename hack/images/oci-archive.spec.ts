import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { gunzipSync } from 'node:zlib'
import { extract } from 'tar-stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { writeOciArchive } from './oci-archive.ts'
import type { RootfsEntry } from './oci-image.ts'

const rootfs: RootfsEntry[] = [
  { path: 'bin', kind: 'directory' },
  { path: 'bin/program', kind: 'file', mode: 0o755, content: 'program' },
  { path: 'bin/name', kind: 'hardlink', target: 'bin/program' },
  { path: 'sbin', kind: 'symlink', target: 'bin' },
]
const config = { env: ['A=b'], command: ['sh'] }

async function unpack(tar: Buffer): Promise<Map<string, { type: string | null | undefined; mode: number | undefined; content: Buffer }>> {
  const files = new Map<string, { type: string | null | undefined; mode: number | undefined; content: Buffer }>()
  const reader = extract()
  reader.end(tar)
  for await (const entry of reader) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer) // tar-stream yields Buffers
    files.set(entry.header.name, { type: entry.header.type, mode: entry.header.mode, content: Buffer.concat(chunks) })
  }
  return files
}

async function written(reference: string): Promise<Buffer> {
  const directory = mkdtempSync(`${tmpdir()}/kata-ts-image-`)
  onTestFinished(() => rmSync(directory, { recursive: true }))
  await writeOciArchive(`${directory}/image.tar`, reference, rootfs, config)
  return readFileSync(`${directory}/image.tar`)
}

interface Descriptor { digest: string; size: number }
interface Index { manifests: (Descriptor & { annotations: Record<string, string> })[] }
interface Manifest { config: Descriptor; layers: Descriptor[] }

describe('writeOciArchive', () => {
  it('writes the same bytes for the same content', async () => {
    expect((await written('host/name:tag')).equals(await written('host/name:tag'))).toBe(true)
  })

  it('links index, manifest, config and layer by the digests of their bytes', async () => {
    const files = await unpack(await written('host/name:tag'))
    const blob = ({ digest, size }: Descriptor): Buffer => {
      const content = files.get(`blobs/${digest.replace(':', '/')}`)?.content
      if (content === undefined) throw new Error(`no blob ${digest}`)
      expect({ digest: `sha256:${createHash('sha256').update(content).digest('hex')}`, size: content.length }).toEqual({ digest, size })
      return content
    }
    const index = JSON.parse(files.get('index.json')?.content.toString() ?? '') as Index // what was just written
    const [manifestDescriptor] = index.manifests
    if (manifestDescriptor === undefined) throw new Error('no manifest')
    expect(manifestDescriptor.annotations['io.containerd.image.name']).toBe('host/name:tag')
    const manifest = JSON.parse(blob(manifestDescriptor).toString()) as Manifest
    const image = JSON.parse(blob(manifest.config).toString()) as { rootfs: { diff_ids: string[] }; config: unknown }
    expect(image.config).toEqual({ Env: ['A=b'], Cmd: ['sh'], WorkingDir: '/' })
    const [layer] = manifest.layers
    if (layer === undefined) throw new Error('no layer')
    const tar = gunzipSync(blob(layer))
    expect(image.rootfs.diff_ids).toEqual([`sha256:${createHash('sha256').update(tar).digest('hex')}`])
    const content = await unpack(tar)
    expect([...content].map(([name, { type, mode }]) => [name.replace(/\/$/, ''), type, mode])).toEqual([
      ['bin', 'directory', 0o755], ['bin/program', 'file', 0o755], ['bin/name', 'link', 0o755], ['sbin', 'symlink', 0o777],
    ])
  })
})
