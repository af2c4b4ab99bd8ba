import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import type { Replica } from "../client/index.ts"
import { writeStatic } from "./crl/index.ts"
import type { CrlBook } from "./crl/index.ts"

export type KeepFilesOptions = {
  readonly book: CrlBook
  readonly folder: string
  readonly replica: Pick<Replica, "onChange">
  /** Files are looked after at least this often. */
  readonly intervalSeconds: number
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Keeps the CRLs as files: after each change of the ledger, and when they would grow old. What fails is tried again. */
export async function keepFiles(options: KeepFilesOptions): Promise<void> {
  const { book, folder, replica, intervalSeconds, log, signal } = options
  let wake = Promise.withResolvers<undefined>()
  const stop = replica.onChange(() => {
    wake.resolve(undefined)
  })
  try {
    while (!signal.aborted) {
      wake = Promise.withResolvers<undefined>()
      const failed = await write(book, folder, log)
      const waitMs = failed ? Math.min(5_000, intervalSeconds * 1000) : intervalSeconds * 1000
      const timer = new AbortController()
      const until = AbortSignal.any([signal, timer.signal])
      await Promise.race([wake.promise, sleep(waitMs, undefined, { signal: until }).catch(() => undefined)])
      timer.abort()
    }
  } finally {
    stop()
  }
}

async function write(book: CrlBook, folder: string, log: Logger): Promise<boolean> {
  try {
    const { written, failed } = await writeStatic(book, folder)
    if (written > 0) log.debug({ written }, "CRL files")
    for (const { path, error } of failed) log.warn({ path, error: error.name, message: error.message }, "no CRL file")
    return failed.length > 0
  } catch (error) {
    log.error({ err: error }, "CRL files could not be written")
    return true
  }
}
