import { constants } from "node:fs"
import { open } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { FleetFileError, InputPathError } from "../errors/batch.ts"

// Pipes and devices would keep an ordinary open waiting for ever. (Absent on Windows, which has no such files.)
const WITHOUT_WAITING = (constants.O_NONBLOCK as number | undefined) ?? 0

const NOT_LINKS = (constants.O_NOFOLLOW as number | undefined) ?? 0

export type OpenOptions = {
  /** What errors call the file. Default: its path. */
  name?: string
  /** Default: true. */
  followLinks?: boolean
}

/**
 * Opens a regular file for reading.
 *
 * @throws {@link InputPathError} when it cannot be opened. {@link FleetFileError} when it is a folder, a pipe or a device
 */
export async function openRegularFile(path: string, options: OpenOptions = {}): Promise<FileHandle> {
  const { name = path, followLinks = true } = options
  const flags = constants.O_RDONLY | WITHOUT_WAITING | (followLinks ? 0 : NOT_LINKS)
  const handle = await open(path, flags).catch((cause: unknown) => {
    throw new InputPathError({ path: name, reason: reasonOf(cause), cause })
  })
  try {
    const stat = await handle.stat()
    if (stat.isFile()) return handle
    throw new FleetFileError({ path: name, reason: stat.isDirectory() ? "is a folder" : "is no regular file" })
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * All bytes of a regular file that is not larger than `maximumBytes`. Its size is not believed: it may grow meanwhile.
 *
 * @throws {@link InputPathError} {@link FleetFileError}
 */
export async function readRegularFile(
  path: string,
  { maximumBytes, ...options }: OpenOptions & { maximumBytes: number },
): Promise<Uint8Array> {
  const { name = path } = options
  const handle = await openRegularFile(path, options)
  try {
    const { size } = await handle.stat()
    let bytes = new Uint8Array(Math.min(size, maximumBytes) + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, null)
      length += bytesRead
      if (length > maximumBytes) throw new FleetFileError({ path: name, reason: `has more than ${maximumBytes} bytes` })
      if (bytesRead === 0) return bytes.slice(0, length)
      if (length < bytes.length) continue
      const larger = new Uint8Array(Math.min(bytes.length * 2, maximumBytes + 1))
      larger.set(bytes)
      bytes = larger
    }
  } catch (cause) {
    if (cause instanceof FleetFileError) throw cause
    throw new InputPathError({ path: name, reason: reasonOf(cause), cause })
  } finally {
    await handle.close()
  }
}

/** What the system says about a failed call, for people: "ENOENT: no such file or directory". */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? (cause.message.split(", ")[0] ?? cause.message) : String(cause)
}

/** The system's name for a failure, such as "ENOENT". */
export function systemCode(cause: unknown): string | undefined {
  return (cause as { code?: string } | undefined)?.code
}
