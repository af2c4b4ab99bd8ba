import {
  credentialStatus,
  decodePositionSerial,
  placeStatus,
  positionSerialMatches,
  toHex,
  type FleetState,
  type Hex,
  type PlaceStatus,
} from "../../client/index.ts"
import type { SerialEntry, SerialMap } from "../store/serialMap.ts"
import type { FleetSource } from "./context.ts"
import type { PlaceFinder } from "./placeFinder.ts"

/** What a serial number leads to. */
export type SerialSubject =
  | { readonly kind: "place"; readonly manufacturerId: number; readonly series: number; readonly index: number }
  | { readonly kind: "entry"; readonly entry: SerialEntry }
  | { readonly kind: "nothing" }

/** A serial that leads nowhere. */
const NOT_ANCHORED: PlaceStatus = {
  status: "unknown",
  reason: 0,
  since: undefined,
  invalidityDate: undefined,
  detail: "The ledger knows no certificate by this serial number.",
  refusal: "notAnchored",
}

const COMPROMISED: PlaceStatus = {
  status: "revoked",
  reason: 2,
  since: undefined,
  invalidityDate: undefined,
  detail: "Its issuer key was compromised.",
  refusal: undefined,
}

/** Finds what a serial number of an issuer stands for: the place that it names, or the certificate that was imported. */
export async function findSerial(
  { replica, serials }: { readonly replica: Pick<FleetSource, "deployment">; readonly serials?: SerialMap | undefined },
  issuerKeyId: Hex,
  serial: Uint8Array,
): Promise<SerialSubject> {
  const { chainId, contracts } = replica.deployment
  const binding = { chainId: BigInt(chainId), registry: contracts.devices.address, issuerKeyId }
  const position = decodePositionSerial(serial)
  if (position !== undefined && positionSerialMatches(serial, binding)) {
    const { manufacturerId, series, index } = position
    return { kind: "place", manufacturerId, series, index }
  }
  const entry = await serials?.get(issuerKeyId, toHex(serial))
  return entry === undefined ? { kind: "nothing" } : { kind: "entry", entry }
}

/**
 * An imported certificate with the place that a manifest knows for it, if it came without. Among raw public keys no certificate has
 * a place, whatever stands there.
 */
export function placed(entry: SerialEntry, head: FleetState, places?: PlaceFinder): SerialEntry {
  const place = entry.place ?? foundPlace(entry, head, places)
  const isForeign = place !== undefined && head.batch(place.manufacturerId, place.series)?.rawPublicKeys === true
  const counts = isForeign ? undefined : place
  return counts === entry.place ? entry : { ...entry, place: counts }
}

function foundPlace(entry: SerialEntry, head: FleetState, places: PlaceFinder | undefined): SerialEntry["place"] {
  const manufacturerId = places === undefined ? undefined : head.keyById(entry.issuerKeyId)?.manufacturerId
  if (places === undefined || manufacturerId === undefined) return undefined
  const found = places.placesOf(entry.credentialHash, manufacturerId)
  // The first that was registered is the one that counts.
  return found.find(({ series, root }) => head.batch(manufacturerId, series)?.root === root)
}

/**
 * What the ledger says of it.
 *
 * @param places Where imported certificates stand that came without their places.
 * @throws KeyOwnerAmbiguousError when two manufacturers proved possession of the issuer key.
 */
export function serialStatus(
  subject: SerialSubject,
  issuerKeyId: Hex,
  { head, settled }: { readonly head: FleetState; readonly settled: FleetState },
  places?: PlaceFinder,
): PlaceStatus {
  const since = head.keyById(issuerKeyId)?.compromisedSince
  // Of a compromised key every serial is revoked, also one that nobody has seen: no serial shows what was signed before.
  if (since !== undefined) return { ...COMPROMISED, since }
  if (subject.kind === "entry")
    return credentialStatus({ ...placed(subject.entry, head, places), head, settled, issuerKeyId })
  if (subject.kind === "nothing") return NOT_ANCHORED
  const { manufacturerId, series, index } = subject
  const batch = head.batch(manufacturerId, series)
  // Raw public keys have no serial numbers: whatever carries this one is none of the batch.
  if (batch?.rawPublicKeys === true) return NOT_ANCHORED
  return placeStatus({ head, settled, manufacturerId, series, index, issuerKeyId })
}
