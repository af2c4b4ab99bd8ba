import { mkdir, readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { writeFileAtomic } from "../../client/node/index.ts"
import type { CrlBook, SignedCrl } from "./crlBook.ts"
import { readCrl } from "./crlReader.ts"

/** What `writeStatic` did. */
export type StaticReport = {
  readonly written: number
  /** Files that said the same, or something newer, already. */
  readonly left: number
  /** What could not be made. */
  readonly failed: readonly { readonly path: string; readonly error: Error }[]
}

/**
 * Writes all CRLs as files under `folder`, with the paths of their addresses, for any web server: `crl/{…}.crl` and so on.
 *
 * A file is there whole or not at all, and is never replaced by one with a lower CRL number, so that a gateway which runs on an
 * older state, or two which write to one folder, never take news back.
 *
 * What cannot be made stays as it was, and is reported.
 *
 * @throws OutputWriteError when a file cannot be written.
 */
export async function writeStatic(book: CrlBook, folder: string): Promise<StaticReport> {
  let written = 0
  let left = 0
  const failed: { path: string; error: Error }[] = []
  const make = async (path: string, crl: Promise<SignedCrl>): Promise<void> => {
    const made = await crl.catch((error: unknown) => {
      failed.push({ path, error: error as Error })
      return undefined
    })
    if (made === undefined) return
    const file = join(folder, path)
    if (await isAsNew(file, made)) {
      left++
      return
    }
    await mkdir(dirname(file), { recursive: true })
    await writeFileAtomic(file, made.der)
    written++
  }
  for (const keyId of book.issuers) {
    const path = `crl/${keyId.slice(2)}`
    const names = await book.shardNames(keyId).catch((): string[] => [])
    for (const name of names) await make(`${path}/${name}.crl`, book.shard(keyId, name))
    await make(`${path}-delta.crl`, book.delta(keyId))
    await make(`${path}.crl`, book.complete(keyId))
  }
  return { written, left, failed }
}

async function isAsNew(file: string, crl: SignedCrl): Promise<boolean> {
  try {
    const { number } = readCrl(new Uint8Array(await readFile(file)))
    return number !== undefined && number >= crl.number
  } catch {
    // There is none, or it is none: a good one takes its place.
    return false
  }
}
