/** Writes a one-layer OCI image archive (image-layout.md of the OCI image spec), byte for byte reproducible. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

/** One entry of the root filesystem; paths are relative, without a leading slash. */
export type RootfsEntry =
  | { path: string; kind: 'directory'; mode?: number }
  | { path: string; kind: 'file'; mode?: number; content: Buffer | string }
  | { path: string; kind: 'symlink'; target: string }
  /** A hard link shares the inode: masking it masks one file, and no path resolution is needed to run it. */
  | { path: string; kind: 'hardlink'; target: string }

export interface ImageConfig {
  env: readonly string[]
  command: readonly string[]
  workingDirectory?: string
  user?: string
}

const epoch = new Date(0)

/** Packs entries in the given order into an uncompressed tar; owner is root and every time is zero. */
export async function packTar(entries: readonly RootfsEntry[]): Promise<Buffer> {
  const tar = pack()
  for (const entry of entries) {
    const header = { name: entry.path, uid: 0, gid: 0, mtime: epoch }
    switch (entry.kind) {
      case 'directory': tar.entry({ ...header, type: 'directory', mode: entry.mode ?? 0o755 }); break
      case 'file': tar.entry({ ...header, type: 'file', mode: entry.mode ?? 0o644 }, entry.content); break
      case 'symlink': tar.entry({ ...header, type: 'symlink', linkname: entry.target, mode: 0o777 }); break
      case 'hardlink': tar.entry({ ...header, type: 'link', linkname: entry.target, mode: 0o755 }); break
    }
  }
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(chunk as Buffer); // tar-stream's Pack yields Buffers; its types say any
  return Buffer.concat(chunks)
}

interface Descriptor { mediaType: string; digest: string; size: number }

/**
 * Writes `path` as an archive that `ctr image import` accepts under the full name `reference`
 * (for example docker.io/library/busybox:latest).
 */
export async function writeOciArchive(
  path: string, reference: string, entries: readonly RootfsEntry[], config: ImageConfig,
): Promise<void> {
  const blobs: Buffer[] = []
  const blob = (mediaType: string, bytes: Buffer): Descriptor => {
    blobs.push(bytes)
    return { mediaType: `application/vnd.oci.image.${mediaType}`, digest: digestOf(bytes), size: bytes.length }
  }
  const json = (mediaType: string, value: unknown): Descriptor => blob(mediaType, Buffer.from(JSON.stringify(value)))

  const tar = await packTar(entries)
  const layer = blob('layer.v1.tar+gzip', gzipSync(tar, { level: 6 }))
  const imageConfig = json('config.v1+json', {
    created: epoch.toISOString(), architecture: architecture(), os: 'linux',
    config: {
      Env: config.env, Cmd: config.command, WorkingDir: config.workingDirectory ?? '/',
      ...(config.user === undefined ? {} : { User: config.user }),
    },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created: epoch.toISOString(), created_by: 'kata-ts hack/images' }],
  })
  const manifest = json('manifest.v1+json', {
    schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: imageConfig, layers: [layer],
  })
  const index = {
    schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{
      ...manifest, platform: { os: 'linux', architecture: architecture() },
      annotations: {
        'io.containerd.image.name': reference,
        'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
      },
    }],
  }
  const archive = await packTar([
    { path: 'oci-layout', kind: 'file', content: JSON.stringify({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', kind: 'file', content: JSON.stringify(index) },
    ...blobs.map((content): RootfsEntry =>
      ({ path: `blobs/sha256/${digestOf(content).slice('sha256:'.length)}`, kind: 'file', content })),
  ])
  writeFileSync(path, archive)
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}
