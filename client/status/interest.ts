import type { Interest } from "../ledger/ledger.ts"
import type { Receipt } from "../merkle/receipt.ts"
import { decodePositionSerial } from "../x509/positionSerial.ts"
import type { Credential } from "./credential.ts"

/** What a check of this credential will read, as far as its receipt or serial number tells. Nothing is believed of it. */
export function interestOf(credential: Credential, receipt: Receipt | undefined): Interest | undefined {
  const position = credential.serial === undefined ? undefined : decodePositionSerial(credential.serial)
  const named = receipt ?? position
  if (named === undefined) return undefined
  const { manufacturerId, series, index } = named
  const subjects = [credential.credentialHash, credential.deviceKeyId]
  return { manufacturerId, place: { series, index }, subjects }
}
