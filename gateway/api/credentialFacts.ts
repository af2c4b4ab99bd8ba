import { credentialStatus, type CredentialRecord, type Hex, type PlaceStatus } from "../../client/index.ts"
import type { FreshFleet } from "../issuers/freshFleet.ts"
import type { SerialEntry } from "../store/serialMap.ts"
import { reasonName, time } from "./views.ts"

export type CredentialFactsParameters = {
  /** A credential hash, or the fingerprint of a certificate that was imported. */
  readonly hash: Hex
  /** What the gateway was taught about it. */
  readonly entry: SerialEntry | undefined
  /** Key id of the device, as far as who asks knows it. */
  readonly deviceKeyId: Hex | undefined
  /** Whose records count. Default: of all, if there is but one who has any. */
  readonly manufacturerId: number | undefined
  readonly fleet: FreshFleet
}

/** What an answer rests on, besides the ledger. */
type Basis = "import" | "record" | "nothing"

/**
 * What the ledger says about a hash. `good` needs a proof that it is on the ledger, and all that could bar it: a place that was
 * proven when the certificate was imported, or a record of its own with the device's key at hand. Everything else is `unknown`.
 *
 * @throws KeyOwnerAmbiguousError
 */
export function credentialFacts(parameters: CredentialFactsParameters): Record<string, unknown> {
  const { hash, entry, fleet } = parameters
  if (entry !== undefined) {
    const { head, settled } = fleet
    const status = credentialStatus({ ...entry, head, settled })
    const manufacturerId = entry.place?.manufacturerId ?? head.keyById(entry.issuerKeyId)?.manufacturerId
    return view(hash, withinTime(status, entry, fleet), { basis: "import", entry, manufacturerId })
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
  if (decided.status !== "good" || deviceKeyId !== undefined) return decided
  const detail =
    "It has a record, but whether the device's key was revoked cannot be told. Give its key id with deviceKey=."
  return unknown("deviceKeyUnknown", detail)
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
  record: "The ledger's record of this hash. Whose it is, and that a certificate has it, is for you to check.",
  nothing: "The absence of a record on the ledger, and of an import at this gateway.",
}

function view(
  hash: Hex,
  { status, reason, since, invalidityDate, detail, refusal }: Status,
  known: { basis: Basis; entry?: SerialEntry; manufacturerId?: number | undefined },
): Record<string, unknown> {
  const { basis, entry, manufacturerId } = known
  return {
    asked: hash,
    status,
    reason: refusal ?? reasonName({ status, reason }),
    since: time(since),
    invalidityDate: time(invalidityDate),
    detail,
    credentialHash: entry?.credentialHash ?? (basis === "record" ? hash : null),
    fingerprint: entry?.fingerprint ?? null,
    manufacturer: manufacturerId ?? null,
    place: entry?.place === undefined ? null : { series: entry.place.series, index: entry.place.index },
    restsOn: { kind: basis, detail: BASIS[basis] },
  }
}
