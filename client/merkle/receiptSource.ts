import type { Hex } from "../crypto/hex.ts"
import type { Receipt } from "./receipt.ts"

/** Whoever can tell where a credential is anchored: a folder of receipts, a manifest, a mirror. Nothing it says is believed. */
export type ReceiptSource = {
  /** The receipt of a credential (SHA-256 of its TBSCertificate or payload); undefined if there is none. */
  receiptOf(credentialHash: Hex): Promise<Receipt | undefined>
}

/** A source that knows one receipt and offers it for every credential. */
export function oneReceipt(receipt: Receipt): ReceiptSource {
  return { receiptOf: async () => receipt }
}
