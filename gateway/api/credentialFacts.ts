import { credentialStatus, type CredentialRecord, type Hex, type PlaceStatus } from "../../client/index.ts"
import type { FreshFleet } from "../issuers/freshFleet.ts"
import type { CredentialPlace, FoundPlace } from "../issuers/placeFinder.ts"
import { placed } from "../issuers/serialStatus.ts"
import type { SerialEntry } from "../store/serialMap.ts"
import { reasonName, time } from "./views.ts"

export type CredentialFactsParameters = {
  /** A credential hash, or the fingerprint of a certificate that was imported or issued here. */
  readonly hash: Hex
  /** What the gateway knows about it, */
  readonly entry?: SerialEntry | undefined
  /** and from where. */
  readonly entryFrom?: "import" | "enrolment"
  /** Where a manifest says that it stands, of an entry without a place too. */
  readonly place?: FoundPlace | undefined
  /** Key id of the device, as far as who asks knows it. */
  readonly deviceKeyId: Hex | undefined
  /** Whose records count. Default: of all, if there is but one who has any. */
  readonly manufacturerId: number | undefined
  readonly fleet: FreshFleet
}

/** What an answer rests on, besides the ledger. */
type Basis = "import" | "enrolment" | "manifest" | "record" | "nothing"

/**
 * What the ledger says about a hash. `good` needs a proof that it is on the ledger, and all that could bar it: a place that was
 * proven when the certificate was imported, issued or found in a manifest, or a record of its own, with the device's key at hand.
 * Everything else is `unknown`.
 *
 * @throws KeyOwnerAmbiguousError
 */
export function credentialFacts(parameters: CredentialFactsParameters): Record<string, unknown> {
  const { hash, entryFrom, fleet } = parameters
  const { head, settled } = fleet
  // Another batch of the same series may have taken its place.
  const found = parameters.place
  const place = found === undefined || found === "contested" || !stands(found, fleet) ? undefined : found
  if (parameters.entry !== undefined && entryFrom !== undefined) {
    const entry = placed({ ...parameters.entry, place: parameters.entry.place ?? place }, head)
    const status = credentialStatus({ ...entry, head, settled })
    const manufacturerId = entry.place?.manufacturerId ?? head.keyById(entry.issuerKeyId)?.manufacturerId
    return view(hash, withinTime(status, entry, fleet), { basis: entryFrom, entry, manufacturerId })
  }
  if (found === "contested") {
    const detail = "Several places claim it. Say whose it is with manufacturer=ID, or ask with the certificate."
    return view(hash, unknown("placeUnclear", detail), { basis: "manifest" })
  }
  if (place !== undefined) {
    const { manufacturerId } = place
    return view(hash, placedStatus(parameters, place), { basis: "manifest", place, manufacturerId })
  }
  const records = recordsOf(parameters)
  const [record, ...others] = records
  if (record === undefined) {
    return view(
      hash,
      unknown("notAnchored", "The gateway knows no certificate by this hash, and the ledger no record."),
      {
        basis: "nothing",
      },
    )
  }
  if (others.length > 0) {
    const who = records.map(({ manufacturerId }) => manufacturerId).join(", ")
    const detail = `Several manufacturers have records of it: ${who}. Say whose it is with manufacturer=ID.`
    return view(hash, unknown("manufacturerUnclear", detail), { basis: "record" })
  }
  return view(hash, recordStatus(parameters, record), { basis: "record", manufacturerId: record.manufacturerId })
}

/** A status in the API's words: `refusal` may be one that only a hash can have. */
type Status = Omit<PlaceStatus, "refusal"> & { readonly refusal: string | undefined }

function recordsOf({ hash, manufacturerId, fleet }: CredentialFactsParameters): CredentialRecord[] {
  const ids = manufacturerId === undefined ? [...fleet.head.manufacturers()].map(({ id }) => id) : [manufacturerId]
  return ids
    .map((id) => fleet.head.record(id, hash))
    .filter(({ registeredAt, mark }) => registeredAt !== undefined || mark !== "none")
}

function recordStatus({ hash, deviceKeyId, fleet }: CredentialFactsParameters, record: CredentialRecord): Status {
  const { manufacturerId, mark, reason, changedAt, keyIndex, notAfter } = record
  if (mark !== "none") {
    return {
      status: mark === "revoked" ? "revoked" : "onHold",
      reason,
      since: changedAt,
      invalidityDate: record.invalidityDate,
      detail: `Manufacturer ${manufacturerId} has marked this credential or device key.`,
      refusal: undefined,
    }
  }
  const { head, settled } = fleet
  const issuerKeyId = head.key(manufacturerId, keyIndex)?.keyId
  if (issuerKeyId === undefined) return unknown("issuerUnknown", "The key that the record names is not proven.")
  const decided = credentialStatus({
    head,
    settled,
    issuerKeyId,
    credentialHash: hash,
    deviceKeyId: deviceKeyId ?? hash,
    place: undefined,
    notAfter: notAfter ?? 0,
  })
  return withDeviceKey(decided, deviceKeyId)
}

/** Of a credential in a batch, which nobody has seen: its own end is not known, only that of the batch. */
function placedStatus({ hash, deviceKeyId, fleet }: CredentialFactsParameters, place: CredentialPlace): Status {
  const { head, settled } = fleet
  const batch = head.batch(place.manufacturerId, place.series)
  const issuerKeyId = batch === undefined ? undefined : head.key(place.manufacturerId, batch.keyIndex)?.keyId
  if (batch === undefined || issuerKeyId === undefined) {
    return unknown("issuerUnknown", "The key that the batch names is not proven.")
  }
  const decided = credentialStatus({
    head,
    settled,
    issuerKeyId,
    credentialHash: hash,
    deviceKeyId: deviceKeyId ?? hash,
    place,
    notAfter: batch.notAfter,
  })
  return withDeviceKey(decided, deviceKeyId)
}

/** A device's key may be revoked by itself: without its id nothing is good. */
function withDeviceKey(decided: PlaceStatus, deviceKeyId: Hex | undefined): Status {
  if (decided.status !== "good" || deviceKeyId !== undefined) return decided
  const detail =
    "It is on the ledger, but whether the device's key was revoked cannot be told. Give its key id with deviceKey=, or the certificate by POST."
  return unknown("deviceKeyUnknown", detail)
}

function stands({ manufacturerId, series, root }: CredentialPlace, { head }: FreshFleet): boolean {
  return head.batch(manufacturerId, series)?.root === root
}

/** Of an imported certificate the beginning is known too, and judged by the gateway's clock. */
function withinTime(status: PlaceStatus, { notBefore }: SerialEntry, { now }: FreshFleet): Status {
  if (status.status !== "good" || now >= notBefore) return status
  return unknown("certificateNotStarted", "The certificate is not valid yet.")
}

function unknown(refusal: string, detail: string): Status {
  return { status: "unknown", reason: 0, since: undefined, invalidityDate: undefined, detail, refusal }
}

const BASIS: Readonly<Record<Basis, string>> = {
  import: "The gateway was taught this certificate; its issuer's signature and its place were checked then.",
  enrolment: "The certificate was issued here, and its batch was registered from here.",
  manifest:
    "A manifest that leads to the batch's root on the ledger. The certificate's own dates are for you to check.",
  record: "The ledger's record of this hash. Whose it is, and that a certificate has it, is for you to check.",
  nothing: "The absence of a record on the ledger, and of an import at this gateway.",
}

function view(
  hash: Hex,
  { status, reason, since, invalidityDate, detail, refusal }: Status,
  known: { basis: Basis; entry?: SerialEntry; place?: CredentialPlace; manufacturerId?: number | undefined },
): Record<string, unknown> {
  const { basis, entry, manufacturerId } = known
  const place = entry?.place ?? known.place
  return {
    asked: hash,
    status,
    reason: refusal ?? reasonName({ status, reason }),
    since: time(since),
    invalidityDate: time(invalidityDate),
    detail,
    credentialHash: entry?.credentialHash ?? (basis === "record" || basis === "manifest" ? hash : null),
    fingerprint: entry?.fingerprint ?? null,
    manufacturer: manufacturerId ?? null,
    place: place === undefined ? null : { series: place.series, index: place.index },
    restsOn: { kind: basis, detail: BASIS[basis] },
  }
}
