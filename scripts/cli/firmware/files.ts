import type { ReleaseDraft } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"

type Library = Pick<OpenLedger, "client" | "node">
type FileImage = Awaited<ReturnType<OpenLedger["node"]["fileImage"]>>

/** A release file is shorter; what is larger was not written by `firmware prepare`. */
const MAX_RELEASE_BYTES = 64 * 1024
/** Envelopes may carry an image, and are read whole. */
const MAX_MANIFEST_BYTES = 9 << 20
/** The longest signature has 1,024 octets. */
const MAX_SIGNATURE_BYTES = 64 * 1024

/** The release in a file. @throws InputPathError, FleetFileError, ReleaseFileError */
export async function readRelease({ client, node }: Library, path: string): Promise<ReleaseDraft> {
  const bytes = await node.readRegularFile(path, { maximumBytes: MAX_RELEASE_BYTES })
  return client.parseReleaseFile(new TextDecoder().decode(bytes))
}

/** Writes a release so that it is there whole or not at all. @throws OutputWriteError */
export async function writeRelease({ client, node }: Library, path: string, draft: ReleaseDraft): Promise<void> {
  await node.writeFileAtomic(path, client.formatReleaseFile(draft))
}

/** A SUIT envelope in a file, if one was named. */
export async function readManifest({ node }: Library, path: string | undefined): Promise<{ manifest?: Uint8Array }> {
  if (path === undefined) return {}
  return { manifest: await node.readRegularFile(path, { maximumBytes: MAX_MANIFEST_BYTES }) }
}

/** A detached signature in a file, if one was named. */
export async function readSignature({ node }: Library, path: string | undefined): Promise<{ signature?: Uint8Array }> {
  if (path === undefined) return {}
  return { signature: await node.readRegularFile(path, { maximumBytes: MAX_SIGNATURE_BYTES }) }
}

/** Opens an image and the other components of its manifest for as long as `use` takes. */
export async function withImages<T>(
  { node }: Library,
  image: string,
  parts: readonly string[],
  use: (image: FileImage, parts: readonly FileImage[]) => Promise<T>,
): Promise<T> {
  const open: FileImage[] = []
  try {
    for (const path of [image, ...parts]) open.push(await node.fileImage(path))
    const [first, ...others] = open
    return await use(first as FileImage, others)
  } finally {
    for (const file of open) await file.close()
  }
}
