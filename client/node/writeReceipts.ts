import { constants } from "node:fs"
import type { Stats } from "node:fs"
import { lstat, mkdir, open } from "node:fs/promises"
import { join, resolve } from "node:path"
import type { Hex } from "../crypto/hex.ts"
import { equalBytes } from "../crypto/hex.ts"
import { OutputExistsError, OutputPathRefusedError, OutputWriteError } from "../errors/batch.ts"
import { encodeReceipt } from "../merkle/receipt.ts"
import type { Receipt } from "../merkle/receipt.ts"
import { mapAhead } from "./mapAhead.ts"
import { readRegularFile, reasonOf, systemCode } from "./readRegularFile.ts"
import { receiptFileName, MAX_RECEIPT_BYTES } from "./receiptFiles.ts"
import { syncFolder, writeFileAtomic, writeWhole } from "./writeFileAtomic.ts"

/** A receipt and whose it is, as `BuiltBatch.receipts()` gives them. */
export type ReceiptToWrite = { credentialHash: Hex; receipt: Receipt }

export type WriteReceiptsOptions = {
  /** Called now and then, and at the end, with the receipts that are in place. */
  onProgress?: (done: number) => void
}

const RECEIPTS_PER_REPORT = 256
const FILES_AT_ONCE = 16

/**
 * Writes each receipt into `folder` as `<credential hash in hex>.receipt`, and makes the folder if need be.
 *
 * May be run again after a crash: a file that is there already with the right content stays, one that was cut short is
 * written anew, any other is not touched.
 *
 * @returns how many receipts are in place
 * @throws {@link OutputPathRefusedError} when the folder is a link or no folder, or a credential hash is none.
 * @throws {@link OutputExistsError} {@link OutputWriteError}
 */
export async function writeReceipts(
  folder: string,
  receipts: AsyncIterable<ReceiptToWrite> | Iterable<ReceiptToWrite>,
  { onProgress }: WriteReceiptsOptions = {},
): Promise<number> {
  // Resolved: of "folder/" a link would be followed before anybody could see it.
  const home = resolve(folder)
  await prepareFolder(home)
  let done = 0
  const written = mapAhead(receipts, FILES_AT_ONCE, async ({ credentialHash, receipt }) => {
    const name = receiptFileName(credentialHash)
    if (name === undefined) throw new OutputPathRefusedError({ path: credentialHash, reason: "it is no hash" })
    await writeOnce(join(home, name), encodeReceipt(receipt))
  })
  for await (const _ of written) if (++done % RECEIPTS_PER_REPORT === 0) onProgress?.(done)
  await syncFolder(home).catch(writeFailed(home))
  onProgress?.(done)
  return done
}

async function prepareFolder(folder: string): Promise<void> {
  if ((await kindOf(folder)) === undefined) await mkdir(folder, { recursive: true }).catch(writeFailed(folder))
  const kind = await kindOf(folder)
  if (kind?.isSymbolicLink() === true) throw new OutputPathRefusedError({ path: folder, reason: "it is a link" })
  if (kind?.isDirectory() !== true) throw new OutputPathRefusedError({ path: folder, reason: "it is no folder" })
}

async function kindOf(path: string): Promise<Stats | undefined> {
  return lstat(path).catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") return undefined
    return writeFailed(path)(cause)
  })
}

// O_EXCL: neither a file nor a link may be there.
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL

async function writeOnce(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, NEW_FILE, 0o644).catch((cause: unknown) => {
    if (systemCode(cause) === "EEXIST") return undefined
    return writeFailed(path)(cause)
  })
  if (handle === undefined) return settleExisting(path, bytes)
  try {
    await writeWhole(handle, bytes).catch(writeFailed(path))
  } finally {
    await handle.close()
  }
}

async function settleExisting(path: string, bytes: Uint8Array): Promise<void> {
  const entry = await lstat(path).catch(writeFailed(path))
  if (entry.isSymbolicLink()) throw new OutputPathRefusedError({ path, reason: "a link is in its place" })
  if (!entry.isFile()) throw new OutputPathRefusedError({ path, reason: "something that is no file is in its place" })
  if (entry.size > MAX_RECEIPT_BYTES) throw new OutputExistsError({ path })
  const found = await readRegularFile(path, { maximumBytes: MAX_RECEIPT_BYTES, followLinks: false })
  if (equalBytes(found, bytes)) return
  // What a crash leaves behind is the beginning of what was to be written.
  if (!equalBytes(found, bytes.subarray(0, found.length))) throw new OutputExistsError({ path })
  await writeFileAtomic(path, bytes)
}

function writeFailed(path: string): (cause: unknown) => never {
  return (cause) => {
    throw new OutputWriteError({ path, reason: reasonOf(cause), cause })
  }
}
