import type { Hex } from "../crypto/hex.ts"
import type { Evidence, Finality } from "../ledger/ledger.ts"

/** What a verifier says. Only `good` means good. */
export type DeviceStatus = "good" | "onHold" | "revoked" | "expired" | "notYetValid" | "unknown"

/** RFC 5280, 5.3.1, by number; the gaps are codes that a revocation cannot have. */
export const REVOCATION_REASONS = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  undefined,
  undefined,
  "privilegeWithdrawn",
  "aACompromise",
] as const

export type RevocationReason = NonNullable<(typeof REVOCATION_REASONS)[number]>

/** Why a credential is not good, where it is not a revocation with a reason of its own. */
export type RefusalReason =
  | "malformed"
  | "profileViolated"
  | "issuerUnknown"
  | "issuerKeyPurposeWrong"
  | "signatureInvalid"
  | "notAnchored"
  | "notFinal"
  | "receiptForeign"
  | "receiptWrong"
  | "positionElsewhere"
  | "kindWrong"
  | "manufacturerSuspended"
  | "manufacturerLeft"
  | "issuerKeyRetired"
  | "certificateEnded"
  | "anchorEnded"
  | "certificateNotStarted"
  | "revocationUnconfirmed"

/** A batch as a verdict shows it. */
export type VerdictBatch = {
  readonly series: number
  readonly root: Hex
  readonly index: number
  readonly size: number
  readonly registeredAt: Date
}

/** The answer about one credential. */
export type Verdict = {
  readonly status: DeviceStatus
  /** Null for `good`. */
  readonly reason: RevocationReason | RefusalReason | null
  /** One sentence for a person. */
  readonly detail: string
  /** Since when the status holds; null where nobody can say. */
  readonly since: Date | null
  readonly credentialHash: Hex
  /** SHA-256 of the whole certificate; null for raw public keys. */
  readonly fingerprint: Hex | null
  /** SHA-256 of the device's SubjectPublicKeyInfo. */
  readonly deviceKeyId: Hex
  readonly manufacturer: { readonly id: number; readonly name: string } | null
  /** Null if the credential stands in a record of its own, or nowhere. */
  readonly batch: VerdictBatch | null
  /** When the credential was anchored, in a batch or by itself. */
  readonly anchoredAt: Date | null
  /** The block that the answer was read at. */
  readonly block: {
    readonly number: number
    readonly hash: Hex
    readonly timestamp: Date
    readonly finality: Finality
  }
  /** How old that block was. */
  readonly staleSeconds: number
  readonly evidence: readonly Evidence[]
}

/** The name of a CRLReason; a number without one is `unspecified`. */
export function revocationReason(code: number): RevocationReason {
  return REVOCATION_REASONS[code] ?? "unspecified"
}
