import type { Hex } from "../crypto/hex.ts"
import type { CredentialRecord, LedgerKey } from "../ledger/ledger.ts"
import type { FleetState } from "../ledger/replica/fleetState.ts"
import { complaintsOf, decide } from "./decide.ts"
import type { StandingFacts } from "./decide.ts"
import { compromised, placeStatus, statusOf } from "./placeStatus.ts"
import type { PlaceStatus } from "./placeStatus.ts"

/** A certificate that is known by its hashes, and that was shown to be genuine before. */
export type CredentialQuestion = {
  /** Where bad news is read. */
  readonly head: FleetState
  /** Where good news is read; never newer than `head`. */
  readonly settled: FleetState
  readonly issuerKeyId: Hex
  readonly credentialHash: Hex
  readonly deviceKeyId: Hex
  /** Its place, shown by a receipt or manifest before; undefined if it has a record of its own. */
  readonly place: { readonly manufacturerId: number; readonly series: number; readonly index: number } | undefined
  /** Unix seconds, inclusive. Its beginning is for whoever holds the certificate to judge, by a clock that is not the head's. */
  readonly notAfter: number
}

/**
 * Decides about a certificate that a serial number was mapped to: by its place, its record and its key's record. As with places,
 * a compromise of the issuer key revokes all, because who asks by serial number may hold a twin.
 *
 * @throws KeyOwnerAmbiguousError when two manufacturers proved possession of the issuer key.
 */
export function credentialStatus(question: CredentialQuestion): PlaceStatus {
  const { head, settled, issuerKeyId, place } = question
  const issuerKey = head.keyById(issuerKeyId)
  if (issuerKey === undefined) return nothing("issuerUnknown", "The ledger does not know the issuer's key.")
  if (issuerKey.compromisedSince !== undefined) return compromised(issuerKey.compromisedSince)
  if (place !== undefined && place.manufacturerId !== issuerKey.manufacturerId) {
    return nothing("positionElsewhere", "The place is another manufacturer's than the issuer key.")
  }
  const byPlace = place === undefined ? undefined : placeStatus({ ...place, head, settled, issuerKeyId })
  const bySubject = subjectStatus(question, issuerKey)
  return byPlace === undefined || WEIGHT[bySubject.status] > WEIGHT[byPlace.status] ? bySubject : byPlace
}

const WEIGHT = { good: 0, unknown: 1, onHold: 2, revoked: 3 } as const satisfies Record<PlaceStatus["status"], number>

/** What the records of the credential and of its key say; of a placed one, its place says whether the anchor is final. */
function subjectStatus(question: CredentialQuestion, issuerKey: LedgerKey): PlaceStatus {
  const { head, settled, credentialHash, deviceKeyId, place, notAfter } = question
  const { manufacturerId } = issuerKey
  const manufacturer = head.manufacturer(manufacturerId)
  if (manufacturer === undefined) return nothing("issuerUnknown", "The ledger does not know the manufacturer.")
  const credentialRecord = head.record(manufacturerId, credentialHash)
  const before = settled.record(manufacturerId, credentialHash)
  const registeredAt =
    place === undefined
      ? recordedAt(credentialRecord, issuerKey)
      : head.batch(manufacturerId, place.series)?.registeredAt
  const facts: StandingFacts = {
    time: head.block.timestamp,
    manufacturer,
    issuerKey,
    registeredAt,
    settled: place !== undefined || (registeredAt !== undefined && recordedAt(before, issuerKey) === registeredAt),
    place: undefined,
    batch: undefined,
    bit: undefined,
    credentialRecord,
    deviceKeyRecord: head.record(manufacturerId, deviceKeyId),
    notBefore: 0,
    notAfter,
    anchorNotAfter: place === undefined ? credentialRecord.notAfter : undefined,
  }
  const decision = decide(facts)
  const mark = [facts.credentialRecord, facts.deviceKeyRecord].find(({ mark }) => mark === "revoked")
  const shown = mark === undefined ? undefined : { since: mark.changedAt, invalidityDate: mark.invalidityDate }
  if (decision.status !== "good" || head.block.hash === settled.block.hash) return statusOf(decision, shown)
  // A hold that ended in a block which is not final yet still holds.
  const [earlier] = complaintsOf({
    ...facts,
    manufacturer: settled.manufacturer(manufacturerId) ?? manufacturer,
    credentialRecord: before,
    deviceKeyRecord: settled.record(manufacturerId, deviceKeyId),
  })
  return statusOf(earlier ?? decision)
}

/** An open issuer's credential stands in a record that names that very key. */
function recordedAt(record: CredentialRecord, key: LedgerKey): number | undefined {
  return key.purpose === "openIssuer" && record.keyIndex === key.index ? record.registeredAt : undefined
}

function nothing(refusal: "issuerUnknown" | "positionElsewhere", detail: string): PlaceStatus {
  return { status: "unknown", reason: 0, since: undefined, invalidityDate: undefined, detail, refusal }
}
