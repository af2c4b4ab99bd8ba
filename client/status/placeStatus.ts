import type { Hex } from "../crypto/hex.ts"
import type { Batch, CredentialRecord } from "../ledger/ledger.ts"
import type { FleetState, PlaceMark } from "../ledger/replica/fleetState.ts"
import { complaintsOf, decide } from "./decide.ts"
import type { Decision, StandingFacts } from "./decide.ts"
import { REVOCATION_REASONS } from "./verdict.ts"
import type { RefusalReason } from "./verdict.ts"

/** What a door that sees only serial numbers may say. */
export type PlaceStatus = {
  readonly status: "good" | "onHold" | "revoked" | "unknown"
  /** RFC 5280 CRLReason: certificateHold (6) for all that is on hold; 0 where there is none. */
  readonly reason: number
  /** Unix seconds; undefined where nobody can say. */
  readonly since: number | undefined
  /** Unix seconds; of information only. */
  readonly invalidityDate: number | undefined
  /** One sentence for a person. */
  readonly detail: string
  /** Why it is `unknown`, or on hold for another reason than a hold of its own. */
  readonly refusal: RefusalReason | undefined
}

/** The batch that is asked about, in both pictures. */
export type BatchQuestion = {
  /** Where bad news is read. */
  readonly head: FleetState
  /** Where good news is read; never newer than `head`. */
  readonly settled: FleetState
  readonly manufacturerId: number
  readonly series: number
  /** Key id of the issuer that the question names: the batch must name that very key. Default: whatever key it names. */
  readonly issuerKeyId?: Hex | undefined
}

export type PlaceQuestion = BatchQuestion & { readonly index: number }

/** A place of a batch that is not good. */
export type BarredPlace = PlaceStatus & { readonly index: number }

const NO_RECORD: CredentialRecord = {
  manufacturerId: 0,
  subject: "0x",
  registeredAt: undefined,
  notAfter: undefined,
  keyIndex: 0,
  mark: "none",
  changedAt: 0,
  reason: 0,
  invalidityDate: undefined,
}

/** CRLReason certificateHold. RFC 5280, 5.3.1. */
const CERTIFICATE_HOLD = 6
const CA_COMPROMISE = 2

/**
 * Decides about a place without seeing its certificate, for OCSP, CRLs and status lists.
 *
 * Such doors cannot tell a forged twin from the device that the batch holds. So once an issuer key has `compromisedSince`, all
 * its places are revoked (cACompromise), the earlier ones too; a door that sees the certificate spares those. What an OCSP client
 * cannot be told in OCSP's words, such as "the ledger's entry has ended", is `unknown`. The clock is the head's.
 *
 * @throws KeyOwnerAmbiguousError when two manufacturers proved possession of the batch's issuer key.
 */
export function placeStatus(question: PlaceQuestion): PlaceStatus {
  const { index, head, settled, manufacturerId, series } = question
  const frame = frameOf(question)
  if ("status" in frame) return frame
  if (!Number.isInteger(index) || index < 0 || index >= frame.size) {
    return unknown("positionElsewhere", `Batch ${series} has no index ${index}.`)
  }
  const mark = head.placeMark(manufacturerId, series, index)
  const before = frame.before === undefined ? undefined : settled.placeMark(manufacturerId, series, index)
  return judge(frame, mark, before)
}

/** The status of a place of the batch that nothing bars by itself: what holds for the batch, its key and its manufacturer. */
export function unmarkedPlaceStatus(question: BatchQuestion): PlaceStatus {
  const frame = frameOf(question)
  return "status" in frame ? frame : judge(frame, undefined, undefined)
}

export type PlaceStatusesQuestion = BatchQuestion & {
  /** Leave out what is `unknown`, as CRLs must, which have no word for it. Default: false. */
  readonly onlyBad?: boolean
}

/** Neighbours in a batch that are not good, all for one reason. */
export type BarredRun = PlaceStatus & { readonly first: number; readonly last: number }

/**
 * All places of a batch that are not good, ascending by index. Costs as much as there are of them, however large the batch.
 *
 * A batch that is not there, or names another key than the question, has no places.
 *
 * @throws KeyOwnerAmbiguousError when two manufacturers proved possession of the batch's issuer key.
 */
export function* placeStatuses(question: PlaceStatusesQuestion): Generator<BarredPlace> {
  for (const { first, last, ...status } of placeRuns(question)) {
    for (let index = first; index <= last; index++) yield { index, ...status }
  }
}

/** The same in runs, so that a batch which is barred as a whole costs no more than its marks. */
export function* placeRuns(question: PlaceStatusesQuestion): Generator<BarredRun> {
  const { head, settled, manufacturerId, series, onlyBad = false } = question
  const frame = frameOf(question)
  if ("status" in frame) return
  const unmarked = judge(frame, undefined, undefined)
  const allListed = unmarked.status !== "good" && !(onlyBad && unmarked.status === "unknown")
  let next = allListed ? 0 : frame.size
  const marks = bothMarks(
    head.placeMarks(manufacturerId, series),
    frame.before === undefined ? [] : settled.placeMarks(manufacturerId, series),
  )
  for (const { index, mark, before } of marks) {
    if (index >= frame.size) break
    if (next < index) yield { first: next, last: index - 1, ...unmarked }
    if (next <= index) next = index + 1
    const status = judge(frame, mark, before)
    if (status.status === "good" || (onlyBad && status.status === "unknown")) continue
    yield { first: index, last: index, ...status }
  }
  if (next < frame.size) yield { first: next, last: frame.size - 1, ...unmarked }
}

type Facts = Omit<StandingFacts, "credentialRecord" | "deviceKeyRecord" | "bit">

/** What all places of a batch share. */
type Frame = {
  readonly size: number
  /** An answer for all of them, whatever else there is. */
  readonly compromised: PlaceStatus | undefined
  readonly now: Facts
  /** The same where things are settled; undefined if that is the head, or the batch was not there yet. */
  readonly before: Facts | undefined
}

function frameOf({ head, settled, manufacturerId, series, issuerKeyId }: BatchQuestion): Frame | PlaceStatus {
  const manufacturer = head.manufacturer(manufacturerId)
  const batch = head.batch(manufacturerId, series)
  if (manufacturer === undefined || batch === undefined) {
    return unknown("positionElsewhere", `Manufacturer ${manufacturerId} has no batch ${series}.`)
  }
  const issuerKey = head.key(manufacturerId, batch.keyIndex)
  if (issuerKey === undefined) return unknown("issuerUnknown", "The key that the batch names is not proven.")
  if (issuerKeyId !== undefined && issuerKey.keyId !== issuerKeyId) {
    return unknown("positionElsewhere", `Batch ${series} names another issuer key.`)
  }
  if (issuerKey.purpose !== "issuer") {
    return unknown("issuerKeyPurposeWrong", `A batch needs an issuer key; the key's purpose is ${issuerKey.purpose}.`)
  }
  // Of a key that the contract could not check, two may prove possession: then it is nobody's.
  if (!issuerKey.proven) head.keyById(issuerKey.keyId)

  const alone = head.block.hash === settled.block.hash
  const settledBatch = alone ? batch : settled.batch(manufacturerId, series)
  const settledManufacturer = settled.manufacturer(manufacturerId)
  const shared = {
    time: head.block.timestamp,
    issuerKey,
    registeredAt: batch.registeredAt,
    settled: sameBatch(batch, settledBatch),
    place: { series, index: 0 },
    notBefore: 0,
    notAfter: Number.MAX_SAFE_INTEGER,
    anchorNotAfter: batch.notAfter,
  }
  const since = issuerKey.compromisedSince
  return {
    size: batch.size,
    compromised: since === undefined ? undefined : compromised(since),
    now: { ...shared, manufacturer, batch },
    before:
      alone || settledBatch === undefined || settledManufacturer === undefined
        ? undefined
        : { ...shared, manufacturer: settledManufacturer, batch: settledBatch },
  }
}

function judge(frame: Frame, mark: PlaceMark | undefined, before: PlaceMark | undefined): PlaceStatus {
  if (frame.compromised !== undefined) return frame.compromised
  const decision = decide(withMark(frame.now, mark))
  if (decision.status !== "good" || frame.before === undefined) return statusOf(decision, mark)
  // A hold that ended in a block which is not final yet still holds.
  const [earlier] = complaintsOf(withMark(frame.before, before))
  if (earlier === undefined) return statusOf(decision, mark)
  return statusOf({ ...earlier, detail: `${earlier.detail} That ended in a block that is not final yet.` }, before)
}

function withMark(facts: Facts, mark: PlaceMark | undefined): StandingFacts {
  const { since, reason, subject, invalidityDate } = mark ?? {}
  const asRecord =
    mark === undefined || subject === undefined || since === undefined || reason === undefined
      ? NO_RECORD
      : { ...NO_RECORD, subject, mark: mark.mark, changedAt: since, reason, invalidityDate }
  return {
    ...facts,
    credentialRecord: asRecord,
    deviceKeyRecord: NO_RECORD,
    bit:
      mark === undefined || subject !== undefined || since === undefined || reason === undefined
        ? undefined
        : { revokedAt: since, reason },
  }
}

/** A decision in the words of OCSP and CRLs. */
export function statusOf(decision: Decision, mark?: Pick<PlaceMark, "since" | "invalidityDate">): PlaceStatus {
  const { status, reason, since, detail } = decision
  const shared = { since: since ?? undefined, invalidityDate: undefined, detail, refusal: undefined }
  switch (status) {
    case "good":
      return { ...shared, status, reason: 0 }
    case "revoked": {
      const code = Math.max(
        0,
        REVOCATION_REASONS.findIndex((name) => name === reason),
      )
      const invalidityDate = mark !== undefined && mark.since === since ? mark.invalidityDate : undefined
      return { ...shared, status, reason: code, invalidityDate }
    }
    case "onHold":
      return {
        ...shared,
        status,
        reason: CERTIFICATE_HOLD,
        refusal: reason === "manufacturerSuspended" ? reason : undefined,
      }
    case "unknown":
    case "expired":
    case "notYetValid":
      return { ...shared, status: "unknown", reason: 0, refusal: reason as RefusalReason }
  }
}

/** What every serial number of a compromised issuer key gets. */
export function compromised(since: number): PlaceStatus {
  return {
    status: "revoked",
    reason: CA_COMPROMISE,
    since,
    invalidityDate: undefined,
    detail: "Its issuer key was compromised, and a serial number does not show what was signed before.",
    refusal: undefined,
  }
}

function unknown(refusal: RefusalReason, detail: string): PlaceStatus {
  return { status: "unknown", reason: 0, since: undefined, invalidityDate: undefined, detail, refusal }
}

function sameBatch(one: Batch, other: Batch | undefined): boolean {
  return (
    other !== undefined &&
    one.root === other.root &&
    one.size === other.size &&
    one.keyIndex === other.keyIndex &&
    one.registeredAt === other.registeredAt
  )
}

type BothMarks = { index: number; mark: PlaceMark | undefined; before: PlaceMark | undefined }

/** Two ascending lists as one. */
function* bothMarks(marks: Iterable<PlaceMark>, settled: Iterable<PlaceMark>): Generator<BothMarks> {
  const [ahead, behind] = [marks[Symbol.iterator](), settled[Symbol.iterator]()]
  let mark = nextOf(ahead)
  let before = nextOf(behind)
  while (mark !== undefined || before !== undefined) {
    const index = Math.min(mark?.index ?? Infinity, before?.index ?? Infinity)
    yield {
      index,
      mark: mark?.index === index ? mark : undefined,
      before: before?.index === index ? before : undefined,
    }
    if (mark?.index === index) mark = nextOf(ahead)
    if (before?.index === index) before = nextOf(behind)
  }
}

function nextOf(iterator: Iterator<PlaceMark>): PlaceMark | undefined {
  const result = iterator.next()
  return result.done === true ? undefined : result.value
}
