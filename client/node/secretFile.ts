import { constants } from "node:fs"
import { open } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { SecretFileExposedError, SecretFileUnreadableError } from "../errors/node.ts"

/** A keystore has a kilobyte, a passphrase a line. */
const MAX_BYTES = 64 * 1024

const OTHERS = 0o077

/**
 * Reads a file that holds a secret, provided that nobody else can read or change it (mode 0600 or stricter).
 *
 * @throws SecretFileUnreadableError, SecretFileExposedError
 */
export async function readSecretFile(path: string): Promise<string> {
  let file: FileHandle | undefined
  try {
    // A pipe or device without a writer must not hang the program.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const { mode, size } = await assertPlainFile(file, path)
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
      throw new SecretFileExposedError({ path, mode: `0${(mode & 0o777).toString(8)}` })
    }
    if (size > MAX_BYTES) throw new SecretFileUnreadableError({ path, reason: `it has more than ${MAX_BYTES} bytes` })
    return await file.readFile("utf8")
  } catch (error) {
    if (error instanceof SecretFileExposedError || error instanceof SecretFileUnreadableError) throw error
    throw new SecretFileUnreadableError({ path, reason: systemReason(error), cause: error })
  } finally {
    await file?.close()
  }
}

/** The first line of a secret file, which is the whole passphrase. @throws as {@link readSecretFile}. */
export async function readPassphraseFile(path: string): Promise<string> {
  const [passphrase = "", ...rest] = (await readSecretFile(path)).split(/\r?\n/)
  if (rest.some((line) => line !== "")) {
    throw new SecretFileUnreadableError({ path, reason: "a passphrase file has one line" })
  }
  return passphrase
}

async function assertPlainFile(file: FileHandle, path: string): Promise<{ mode: number; size: number }> {
  const stats = await file.stat()
  if (!stats.isFile()) throw new SecretFileUnreadableError({ path, reason: "it is not a plain file" })
  return stats
}

/** A system error's own words without the path, which the message names already. */
export function systemReason(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: string; message?: string }
  if (code === "ENOENT") return "there is no such file"
  if (code === "EACCES" || code === "EPERM") return "permission denied"
  if (code === "EISDIR") return "it is a folder"
  if (code === "ENOTDIR") return "a part of the path is not a folder"
  if (code === "ENOSPC") return "the disk is full"
  if (code === "EROFS") return "the disk is read-only"
  return code ?? message ?? "unknown reason"
}
