import { oneOf } from "../options/parse.ts"

/** CRLReason (RFC 5280, 5.3.1) by name; certificateHold and removeFromCRL are said by `hold` and `unhold`. */
export const REASON_CODES = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const

export type ReasonWord = keyof typeof REASON_CODES

/** A parser of a revocation's reason, for commander. */
export const reasonWord: (text: string) => ReasonWord = oneOf("--reason", Object.keys(REASON_CODES) as ReasonWord[])
