import { randomBytes } from "node:crypto"
import { open, rename, rm } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { dirname, join } from "node:path"
import { OutputWriteError } from "../errors/batch.ts"
import { reasonOf } from "./readRegularFile.ts"

export type WriteFileAtomicOptions = {
  /** Who may do what with the file. Default: 0o644, less the umask. */
  mode?: number
}

/**
 * Writes a file so that it is there whole or not at all, even if the power goes: written beside its place, flushed to
 * the disk, renamed, and the folder flushed. A file that was there is replaced; a link is replaced, not followed.
 *
 * @param data Text, bytes, or pieces of bytes as they come.
 * @throws {@link OutputWriteError}. What the pieces throw goes through. In both cases the old file stays.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { mode = 0o644 }: WriteFileAtomicOptions = {},
): Promise<void> {
  const folder = dirname(path)
  const aside = join(folder, `.fleetroot-${randomBytes(8).toString("hex")}.tmp`)
  const failed = (cause: unknown): never => {
    throw new OutputWriteError({ path, reason: reasonOf(cause), cause })
  }

  const handle = await open(aside, "wx", mode).catch(failed)
  try {
    try {
      for await (const piece of piecesOf(data)) await writeWhole(handle, piece).catch(failed)
      await handle.sync().catch(failed)
    } finally {
      await handle.close()
    }
    await rename(aside, path).catch(failed)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
  await syncFolder(folder).catch(failed)
}

/** Makes the names in a folder survive a loss of power. Windows knows no such call on folders. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A single `write` may stop halfway. */
export async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten
  }
}

function piecesOf(
  data: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof data === "string") return [new TextEncoder().encode(data)]
  return data instanceof Uint8Array ? [data] : data
}
