import { InputPathError } from "../errors/batch.ts"
import type { ManifestSource } from "../merkle/manifest.ts"
import { openRegularFile, reasonOf } from "./readRegularFile.ts"

/** A manifest in a file, which stays open until `close` is called. */
export type FileManifestSource = ManifestSource & AsyncDisposable & { close(): Promise<void> }

/**
 * Opens a manifest file; what is in it, `readManifest` checks.
 *
 * @throws {@link InputPathError} {@link FleetFileError}
 */
export async function fileManifestSource(path: string): Promise<FileManifestSource> {
  const handle = await openRegularFile(path)
  const { size } = await handle.stat()
  const close = (): Promise<void> => handle.close()

  return {
    size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length)
      let done = 0
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done).catch((cause: unknown) => {
          throw new InputPathError({ path, reason: reasonOf(cause), cause })
        })
        if (bytesRead === 0) break // the file became shorter: the reader finds too few bytes
        done += bytesRead
      }
      return bytes.subarray(0, done)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
