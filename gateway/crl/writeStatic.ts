import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Hex } from "../../client/index.ts"
import { writeFileAtomic } from "../../client/node/index.ts"
import type { CrlBook, SignedCrl } from "./crlBook.ts"
import { readCrl } from "./crlReader.ts"

/** What `writeStatic` did. */
export type StaticReport = {
  readonly written: number
  /** Files that said the same, or something newer, already. */
  readonly left: number
  /** Shards of certificates that have all ended. */
  readonly removed: number
  /** What could not be made. */
  readonly failed: readonly { readonly path: string; readonly error: Error }[]
}

/**
 * Writes all CRLs as files under `folder`, with the paths of their addresses, for any web server: `crl/{…}.crl` and so on.
 *
 * A file is there whole or not at all, and is never replaced by one with a lower CRL number, so that a gateway which runs on an
 * older state, or two which write to one folder, never take news back.
 *
 * What cannot be made stays as it was, and is reported. A shard is removed when each of its certificates has ended, and nothing else
 * is: a CRL that a valid certificate names must not be missing, nor end.
 *
 * @param known What earlier calls of this process wrote or found, so that files which need nothing are not read again.
 * @throws OutputWriteError when a file cannot be written.
 */
export async function writeStatic(
  book: CrlBook,
  folder: string,
  known = new Map<string, SignedCrl>(),
): Promise<StaticReport> {
  let written = 0
  let left = 0
  let removed = 0
  const failed: { path: string; error: Error }[] = []
  const make = async (path: string, crl: Promise<SignedCrl>): Promise<void> => {
    const made = await crl.catch((error: unknown) => {
      failed.push({ path, error: error as Error })
      return undefined
    })
    if (made === undefined) return
    const file = join(folder, path)
    if (known.get(file) === made || (await isAsNew(file, made))) left++
    else {
      await mkdir(dirname(file), { recursive: true })
      await writeFileAtomic(file, made.der)
      written++
    }
    known.set(file, made)
  }
  for (const keyId of book.issuers) {
    const path = `crl/${keyId.slice(2)}`
    const names = await book.shardNames(keyId).catch((): string[] => [])
    for (const name of names) await make(`${path}/${name}.crl`, book.shard(keyId, name))
    await make(`${path}-delta.crl`, book.delta(keyId))
    await make(`${path}.crl`, book.complete(keyId))
    for (const file of await endedFiles(book, keyId, join(folder, path))) {
      known.delete(file)
      await rm(file, { force: true })
      removed++
    }
  }
  return { written, left, removed, failed }
}

/** Files of shards that have ended, but none that somebody wrote who knows more of the ledger. */
async function endedFiles(book: CrlBook, keyId: Hex, folder: string): Promise<string[]> {
  const ended = await book.endedShardNames(keyId).catch((): ReadonlySet<string> => new Set())
  if (ended.size === 0) return []
  const names = await readdir(folder).catch((): string[] => [])
  const found: string[] = []
  for (const name of names) {
    const shard = name.replace(/\.crl$/, "")
    if (shard === name || !ended.has(shard)) continue
    const ours = await book.shard(keyId, shard).catch(() => undefined)
    const theirs = await numberIn(join(folder, name))
    if (ours !== undefined && theirs !== undefined && theirs <= ours.number) found.push(join(folder, name))
  }
  return found
}

async function isAsNew(file: string, crl: SignedCrl): Promise<boolean> {
  const number = await numberIn(file)
  return number !== undefined && number >= crl.number
}

/** The number of the CRL in a file; undefined where there is none, or something else. */
async function numberIn(file: string): Promise<bigint | undefined> {
  try {
    return readCrl(new Uint8Array(await readFile(file))).number
  } catch {
    return undefined
  }
}
