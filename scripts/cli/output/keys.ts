import type { KeyPurpose, LedgerKey } from "../../../client/index.ts"

/** Purposes as the command line writes them. */
export const PURPOSES = {
  issuer: "issuer",
  "open-issuer": "openIssuer",
  firmware: "firmware",
} as const satisfies Record<string, KeyPurpose>

export type PurposeWord = keyof typeof PURPOSES

/** A key of the ledger as answers show it. */
export function keyJson(key: LedgerKey): Record<string, string | number | boolean | null> {
  const date = (seconds: number | undefined): string | null =>
    seconds === undefined ? null : new Date(seconds * 1000).toISOString()
  return {
    manufacturer: key.manufacturerId,
    index: key.index,
    keyId: key.keyId,
    purpose: purposeWord(key.purpose),
    proven: key.proven,
    registeredAt: date(key.registeredAt),
    notBefore: date(key.notBefore),
    notAfter: date(key.notAfter),
    revokedAt: date(key.revokedAt),
    compromisedSince: date(key.compromisedSince),
  }
}

/** Whether a key may sign now, in a word. */
export function keyState({ revokedAt, compromisedSince, notBefore, notAfter }: LedgerKey, nowSeconds: number): string {
  if (compromisedSince !== undefined) return "compromised"
  if (revokedAt !== undefined) return "retired"
  if (nowSeconds < notBefore) return "not yet valid"
  return nowSeconds < notAfter ? "current" : "ended"
}

function purposeWord(purpose: KeyPurpose): PurposeWord {
  return purpose === "openIssuer" ? "open-issuer" : purpose
}
