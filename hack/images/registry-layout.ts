/**
 * Places images where docker-registry looks for them (its filesystem driver), so that serving them needs no push:
 *
 *   docker/registry/v2/blobs/sha256/ab/abcd…/data
 *   docker/registry/v2/repositories/NAME/_layers/sha256/abcd…/link                 the digest, as text
 *   docker/registry/v2/repositories/NAME/_manifests/revisions/sha256/abcd…/link
 *   docker/registry/v2/repositories/NAME/_manifests/tags/TAG/current/link
 *   docker/registry/v2/repositories/NAME/_manifests/tags/TAG/index/sha256/abcd…/link
 *
 * Source: registry/storage/paths.go of github.com/distribution/distribution.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { digestOf } from './oci-image.ts'
import type { Image } from './oci-image.ts'

/** Adds `image` below `root` as `repository`:`tag`; the repository has no host part, since a mirror answers for every host. */
export function addToRegistry(root: string, repository: string, tag: string, image: Image): void {
  const write = (path: string, content: Buffer | string): void => {
    const file = join(root, 'docker/registry/v2', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  for (const blob of image.blobs) {
    const digest = digestOf(blob).slice('sha256:'.length)
    write(`blobs/sha256/${digest.slice(0, 2)}/${digest}/data`, blob)
  }
  const link = (path: string, digest: string): void => write(`repositories/${repository}/${path}/link`, digest)
  const manifest = image.descriptor.digest
  for (const { digest } of [image.config, ...image.layers]) link(`_layers/${digest.replace(':', '/')}`, digest)
  link(`_manifests/revisions/${manifest.replace(':', '/')}`, manifest)
  link(`_manifests/tags/${tag}/current`, manifest)
  link(`_manifests/tags/${tag}/index/${manifest.replace(':', '/')}`, manifest)
}
