import { DER, derElement } from "../../client/index.ts"

const FIRST_GENERALIZED_TIME = Date.UTC(2050, 0, 1) / 1000
const TEXT = new TextEncoder()

/** GeneralizedTime to the second. RFC 5280, 4.1.2.5.2. */
export function generalizedTime(seconds: number): Uint8Array {
  return derElement(DER.generalizedTime, TEXT.encode(digits(seconds)))
}

/** A Time of certificates and CRLs: UTCTime until 2049. RFC 5280, 4.1.2.5. */
export function x509Time(seconds: number): Uint8Array {
  if (seconds >= FIRST_GENERALIZED_TIME) return generalizedTime(seconds)
  return derElement(DER.utcTime, TEXT.encode(digits(seconds).slice(2)))
}

function digits(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:T]|\.000/g, "")
}
