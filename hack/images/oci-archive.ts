/** Writes an OCI image archive: an image layout (image-layout.md of the OCI image spec) as one tar file. */
import { writeFileSync } from 'node:fs'
import { architecture, digestOf, makeImage, packLayer, packTar } from './oci-image.ts'
import type { ImageConfig, Layer, RootfsEntry } from './oci-image.ts'

/**
 * Writes `path` as an archive that `ctr image import` accepts under the full name `reference`
 * (for example docker.io/library/busybox:latest).
 */
export async function writeOciArchive(
  path: string, reference: string, entries: readonly RootfsEntry[], config: ImageConfig,
): Promise<void> {
  await writeLayerArchive(path, reference, await packLayer(entries), config)
}

/** As writeOciArchive, of a layer that is packed already. */
export async function writeLayerArchive(path: string, reference: string, layer: Layer, config: ImageConfig): Promise<void> {
  const { descriptor, blobs } = makeImage(layer, config)
  const index = {
    schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{
      ...descriptor, platform: { os: 'linux', architecture: architecture() },
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
