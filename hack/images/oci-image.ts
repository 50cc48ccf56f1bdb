/** A one-layer OCI image as its blobs (image-spec: manifest.md, config.md, layer.md), byte for byte reproducible. */
import { createHash } from 'node:crypto'
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
  entrypoint?: readonly string[]
  workingDirectory?: string
  user?: string
}

export interface Descriptor { mediaType: string; digest: string; size: number }

export interface Image {
  /** Of the manifest. */
  descriptor: Descriptor
  /** The manifest names these by digest. */
  config: Descriptor
  layers: Descriptor[]
  /** Every blob: layer, config and manifest. */
  blobs: Buffer[]
}

export const epoch = new Date(0)
export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

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

/** A packed root filesystem; images that share one share its blob, and it is compressed once. */
export interface Layer { blob: Buffer; diffId: string }

export async function packLayer(entries: readonly RootfsEntry[]): Promise<Layer> {
  const tar = await packTar(entries)
  return { blob: gzipSync(tar, { level: 6 }), diffId: digestOf(tar) }
}

export function makeImage(layer: Layer, config: ImageConfig): Image {
  const blobs: Buffer[] = []
  const blob = (mediaType: string, bytes: Buffer): Descriptor => {
    blobs.push(bytes)
    return { mediaType: `application/vnd.oci.image.${mediaType}`, digest: digestOf(bytes), size: bytes.length }
  }
  const json = (mediaType: string, value: unknown): Descriptor => blob(mediaType, Buffer.from(JSON.stringify(value)))

  const layerDescriptor = blob('layer.v1.tar+gzip', layer.blob)
  const configDescriptor = json('config.v1+json', {
    created: epoch.toISOString(), architecture: architecture(), os: 'linux',
    config: {
      Env: config.env, Cmd: config.command, WorkingDir: config.workingDirectory ?? '/',
      ...(config.entrypoint === undefined ? {} : { Entrypoint: config.entrypoint }),
      ...(config.user === undefined ? {} : { User: config.user }),
    },
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created: epoch.toISOString(), created_by: 'kata-ts hack/images' }],
  })
  const descriptor = json('manifest.v1+json', {
    schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: configDescriptor, layers: [layerDescriptor],
  })
  return { descriptor, config: configDescriptor, layers: [layerDescriptor], blobs }
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}
