import type { Batch, BitRevocation, CredentialRecord, LedgerKey, Manufacturer } from "../ledger/ledger.ts"
import { revocationReason } from "./verdict.ts"
import type { DeviceStatus, RefusalReason, RevocationReason } from "./verdict.ts"

/** Everything that the standing of a genuine credential depends on. Times are Unix seconds. */
export type StandingFacts = {
  /** The time that the question is about. */
  readonly time: number
  readonly manufacturer: Manufacturer
  readonly issuerKey: LedgerKey
  /** When the credential was anchored: its batch's registration, or its record's; undefined if it is not. */
  readonly registeredAt: number | undefined
  /** Whether the anchor stands in a block that is final enough. */
  readonly settled: boolean
  /** Its place; undefined for a credential with a record of its own. */
  readonly place: { readonly series: number; readonly index: number } | undefined
  /** The batch of the place. */
  readonly batch: Batch | undefined
  /** The status bit's revocation; `undefined` while the bit is clear. */
  readonly bit: Partial<BitRevocation> | undefined
  readonly credentialRecord: CredentialRecord
  readonly deviceKeyRecord: CredentialRecord
  readonly notBefore: number
  readonly notAfter: number
  /** When the anchor ends, inclusive; undefined if it does not. */
  readonly anchorNotAfter: number | undefined
}

export type Decision = {
  readonly status: DeviceStatus
  readonly reason: RevocationReason | RefusalReason | null
  readonly detail: string
  /** Unix seconds. */
  readonly since: number | null
}

/** One thing that speaks against a credential, and the thing on the ledger that it was said of. */
export type Complaint = Decision & { readonly status: "revoked" | "onHold"; readonly about: Subject }

/** What can be revoked or held, each under a name of its own. */
export type Subject = `${"issuerKey" | "batch" | "record" | "place" | "manufacturer"}:${string}`

/**
 * The one place where facts become a status. Revoked wins over held, held over everything else, and `good` is what is left
 * when nothing speaks against it. The contract's `statusOf` decides alike.
 */
export function decide(facts: StandingFacts): Decision {
  return complaintsOf(facts)[0] ?? doubtful(facts) ?? outOfTime(facts) ?? good(facts)
}

/** All that speaks against a credential, the weightiest first. */
export function complaintsOf(facts: StandingFacts): Complaint[] {
  const found = revocations(facts)
  addHolds(facts, found)
  return found
}

/**
 * Of facts that are newer than the question: whether something ended since that may have barred the credential then. A mark that is
 * gone has left the time when it went, and nothing else.
 */
export function endedSince(facts: StandingFacts): Decision | undefined {
  const { time, manufacturer, batch, credentialRecord, deviceKeyRecord } = facts
  const changes = [
    manufacturer.statusSince,
    ...[batch, credentialRecord, deviceKeyRecord].map((marked) => (marked?.mark === "none" ? marked.changedAt : 0)),
  ]
  const since = Math.max(...changes)
  if (since <= time) return undefined
  const detail = "Since that time something changed that may have been a hold: it cannot be judged until it is final."
  return refuse("unknown", "notFinal", since, detail)
}

/** The things on the ledger whose revocation or hold this credential would suffer. */
export function subjectsOf({
  manufacturer,
  issuerKey,
  place,
  credentialRecord,
  deviceKeyRecord,
}: SubjectFacts): Subject[] {
  const { id } = manufacturer
  return [
    `issuerKey:${id}:${issuerKey.index}`,
    ...(place === undefined ? [] : [`batch:${id}:${place.series}` as const]),
    `record:${id}:${credentialRecord.subject}`,
    `record:${id}:${deviceKeyRecord.subject}`,
    ...(place === undefined ? [] : [`place:${id}:${place.series}:${place.index}` as const]),
    `manufacturer:${id}`,
  ]
}

type SubjectFacts = Pick<StandingFacts, "manufacturer" | "issuerKey" | "place" | "credentialRecord" | "deviceKeyRecord">

function revocations(facts: StandingFacts): Complaint[] {
  const { manufacturer, issuerKey, registeredAt, place, batch, bit, credentialRecord, deviceKeyRecord } = facts
  const { id } = manufacturer
  const found: Complaint[] = []
  const add = (about: Subject, reason: RevocationReason, since: number | null, detail: string): void => {
    found.push({ status: "revoked", about, reason, since, detail })
  }
  const since = issuerKey.compromisedSince
  // Anchored in the second of the compromise: void.
  if (since !== undefined && registeredAt !== undefined && registeredAt >= since) {
    add(`issuerKey:${id}:${issuerKey.index}`, "cACompromise", since, "Anchored after its issuer key was compromised.")
  }
  if (batch?.mark === "revoked") {
    const reason = revocationReason(batch.reason)
    add(`batch:${id}:${batch.series}`, reason, batch.changedAt, "The whole batch was revoked.")
  }
  if (credentialRecord.mark === "revoked") {
    const { subject, reason, changedAt } = credentialRecord
    add(`record:${id}:${subject}`, revocationReason(reason), changedAt, "The credential was revoked.")
  }
  if (deviceKeyRecord.mark === "revoked") {
    const { subject, reason, changedAt } = deviceKeyRecord
    const detail = "The device's key was revoked, and every certificate for it."
    add(`record:${id}:${subject}`, revocationReason(reason), changedAt, detail)
  }
  if (bit !== undefined && place !== undefined) {
    const about: Subject = `place:${id}:${place.series}:${place.index}`
    const detail = "The device's place in its batch was revoked."
    add(about, revocationReason(bit.reason ?? 0), bit.revokedAt ?? null, detail)
  }
  return found
}

function addHolds(facts: StandingFacts, found: Complaint[]): void {
  const { manufacturer, registeredAt, batch, credentialRecord, deviceKeyRecord } = facts
  const { id } = manufacturer
  const add = (about: Subject, reason: Complaint["reason"], since: number, detail: string): void => {
    found.push({ status: "onHold", about, reason, since, detail })
  }
  if (credentialRecord.mark === "held") {
    const { subject, changedAt } = credentialRecord
    add(`record:${id}:${subject}`, "certificateHold", changedAt, "The credential is on hold.")
  }
  if (deviceKeyRecord.mark === "held") {
    const { subject, changedAt } = deviceKeyRecord
    add(`record:${id}:${subject}`, "certificateHold", changedAt, "The device's key is on hold.")
  }
  if (batch?.mark === "held") {
    add(`batch:${id}:${batch.series}`, "certificateHold", batch.changedAt, "The whole batch is on hold.")
  }
  if (manufacturer.status === "suspended" && registeredAt !== undefined) {
    const { statusSince } = manufacturer
    add(`manufacturer:${id}`, "manufacturerSuspended", statusSince, "The manufacturer is suspended.")
  }
}

function doubtful({ manufacturer, issuerKey, registeredAt, settled }: StandingFacts): Decision | undefined {
  if (registeredAt === undefined) return refuse("unknown", "notAnchored", null, "It is not registered on the ledger.")
  if (!settled) return refuse("unknown", "notFinal", registeredAt, "Anchored in a block that is not final yet.")
  if (manufacturer.status === "left" && registeredAt >= manufacturer.statusSince) {
    return refuse("unknown", "manufacturerLeft", manufacturer.statusSince, "Anchored when its manufacturer had left.")
  }
  const { revokedAt } = issuerKey
  // Anchored in the second in which its key was retired: not good.
  if (revokedAt !== undefined && registeredAt >= revokedAt) {
    return refuse("unknown", "issuerKeyRetired", revokedAt, "Anchored when its issuer key had been retired.")
  }
  return undefined
}

/** X.509 validity is inclusive at both ends (RFC 5280, 4.1.2.5). */
function outOfTime({ time, notBefore, notAfter, anchorNotAfter }: StandingFacts): Decision | undefined {
  if (time < notBefore) return refuse("notYetValid", "certificateNotStarted", null, "The validity has not begun.")
  if (time > notAfter) return refuse("expired", "certificateEnded", notAfter, "The validity has ended.")
  if (anchorNotAfter !== undefined && time > anchorNotAfter) {
    return refuse("expired", "anchorEnded", anchorNotAfter, "The ledger's entry has ended.")
  }
  return undefined
}

function good({ registeredAt }: StandingFacts): Decision {
  const since = registeredAt ?? null
  return { status: "good", reason: null, detail: "Genuine, anchored and in good standing.", since }
}

function refuse(
  status: Exclude<DeviceStatus, "good">,
  reason: NonNullable<Decision["reason"]>,
  since: number | null,
  detail: string,
): Decision {
  return { status, reason, since, detail }
}
