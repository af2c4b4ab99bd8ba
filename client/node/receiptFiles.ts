import { stat } from "node:fs/promises"
import { join } from "node:path"
import { FleetFileError, InputPathError } from "../errors/batch.ts"
import { decodeReceipt } from "../merkle/receipt.ts"
import type { Receipt } from "../merkle/receipt.ts"
import type { ReceiptSource } from "../merkle/receiptSource.ts"
import { readRegularFile, reasonOf, systemCode } from "./readRegularFile.ts"

/** No receipt is longer. */
export const MAX_RECEIPT_BYTES = 2048

/** The name of a credential's receipt in a folder of receipts; undefined when `credentialHash` is no hash. */
export function receiptFileName(credentialHash: string): string | undefined {
  return /^0x[0-9a-f]{64}$/.test(credentialHash) ? `${credentialHash.slice(2)}.receipt` : undefined
}

/**
 * Reads a receipt from a file. It is well formed, no more: only the ledger makes it true.
 *
 * @throws {@link InputPathError} {@link FleetFileError} {@link ReceiptMalformedError} and what else `decodeReceipt` throws
 */
export async function receiptFromFile(path: string): Promise<Receipt> {
  return decodeReceipt(await readRegularFile(path, { maximumBytes: MAX_RECEIPT_BYTES }))
}

/**
 * Receipts from a folder that `writeReceipts` wrote: looked up by name, read when asked for. A credential without a file
 * has none.
 *
 * @throws {@link InputPathError} {@link FleetFileError} when there is no such folder. What {@link receiptFromFile} throws,
 *   later, from `receiptOf`.
 */
export async function receiptsFromFolder(folder: string): Promise<ReceiptSource> {
  const found = await stat(folder).catch((cause: unknown) => {
    throw new InputPathError({ path: folder, reason: reasonOf(cause), cause })
  })
  if (!found.isDirectory()) throw new FleetFileError({ path: folder, reason: "is no folder" })

  return {
    receiptOf: async (credentialHash) => {
      const name = receiptFileName(credentialHash.toLowerCase())
      if (name === undefined) return undefined
      return receiptFromFile(join(folder, name)).catch((error: unknown) => {
        if (error instanceof InputPathError && systemCode(error.cause) === "ENOENT") return undefined
        throw error
      })
    },
  }
}
