import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import type { Replica } from "../client/index.ts"
import { writeStatic } from "./crl/index.ts"
import type { CrlBook } from "./crl/index.ts"
import type { LocatedMarks } from "./issuers/locatedMarks.ts"
import type { ManifestShelf } from "./manifestShelf.ts"
import type { StaticAnswers } from "./ocsp/index.ts"

export type KeepFilesOptions = {
  /** Writes what is due. @returns whether some of it could not be written. */
  readonly write: () => Promise<boolean>
  /** What is written, for the log. */
  readonly what: string
  readonly replica: Pick<Replica, "onChange">
  /** Files are looked after at least this often. */
  readonly intervalSeconds: number
  readonly log: Logger
  readonly signal: AbortSignal
}

const RETRY_MS = 2_000

/** Keeps answers as files: after each change of the ledger, and when they would grow old. What fails is tried again. */
export async function keepFiles({
  write,
  what,
  replica,
  intervalSeconds,
  log,
  signal,
}: KeepFilesOptions): Promise<void> {
  let wake = Promise.withResolvers<undefined>()
  const stop = replica.onChange(() => {
    wake.resolve(undefined)
  })
  let told = ""
  try {
    while (!signal.aborted) {
      wake = Promise.withResolvers<undefined>()
      let failed = false
      try {
        failed = await write()
        told = ""
      } catch (error) {
        failed = true
        const message = error instanceof Error ? error.message : ""
        if (message !== told && !signal.aborted) log.warn({ err: error }, `${what} could not be written`)
        told = message
      }
      const waitMs = failed ? Math.min(RETRY_MS, intervalSeconds * 1000) : intervalSeconds * 1000
      const timer = new AbortController()
      const until = AbortSignal.any([signal, timer.signal])
      await Promise.race([wake.promise, sleep(waitMs, undefined, { signal: until }).catch(() => undefined)])
      timer.abort()
    }
  } finally {
    stop()
  }
}

/** Writes the CRLs that are due. */
export function crlWriter(book: CrlBook, folder: string, log: Logger): () => Promise<boolean> {
  const known: Parameters<typeof writeStatic>[2] = new Map()
  return async () => {
    const { written, removed, failed } = await writeStatic(book, folder, known)
    if (written + removed > 0) log.debug({ written, removed }, "CRL files")
    for (const { path, error } of failed) log.debug({ path, error: error.name, message: error.message }, "no CRL file")
    return failed.length > 0
  }
}

/** Writes the OCSP answers that are due. */
export function answerWriter(answers: StaticAnswers, log: Logger, signal: AbortSignal): () => Promise<boolean> {
  return async () => {
    const { written } = await answers.refresh(signal)
    if (written > 0) log.debug({ written }, "OCSP files")
    return false
  }
}

/** Reads manifests that are new, and finds the places of marks that name none. */
export function placesWriter(shelf: ManifestShelf, marks: LocatedMarks, signal: AbortSignal): () => Promise<boolean> {
  let located = false
  return async () => {
    if (isSilent(marks)) return true
    const found = await shelf.refresh(signal)
    if (found || !located) marks.locateAll()
    located = true
    // Enrolment may not be ready yet.
    return marks.askOwed().then(
      () => false,
      () => true,
    )
  }
}

/** Whether the ledger was not read yet, or cannot be. */
function isSilent(marks: LocatedMarks): boolean {
  try {
    return marks.head === undefined
  } catch {
    return true
  }
}
