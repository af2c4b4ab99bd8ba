import { fromHex, toHex } from "../../client/index.ts"
import { SerialConflictError } from "../errors/gateway.ts"
import type { SerialEntry } from "./serialMap.ts"

/** An entry as a database keeps it: octets and integers. */
export type SerialRow = {
  readonly issuer: Uint8Array
  readonly serial: Uint8Array
  readonly credential: Uint8Array
  readonly device: Uint8Array
  readonly manufacturer: number | null
  readonly series: number | null
  readonly place: number | null
  readonly notBefore: number
  readonly notAfter: number
  readonly fingerprint: Uint8Array | null
}

/** @throws HexInvalidError */
export function rowOf(entry: SerialEntry): SerialRow {
  const { issuerKeyId, serial, credentialHash, deviceKeyId, place, notBefore, notAfter, fingerprint } = entry
  return {
    issuer: fromHex(issuerKeyId),
    serial: fromHex(serial),
    credential: fromHex(credentialHash),
    device: fromHex(deviceKeyId),
    manufacturer: place?.manufacturerId ?? null,
    series: place?.series ?? null,
    place: place?.index ?? null,
    notBefore,
    notAfter,
    fingerprint: fingerprint === undefined ? null : fromHex(fingerprint),
  }
}

export function entryOf(row: SerialRow): SerialEntry {
  const { manufacturer, series, place, fingerprint } = row
  const placed = manufacturer !== null && series !== null && place !== null
  return {
    issuerKeyId: toHex(row.issuer),
    serial: toHex(row.serial),
    credentialHash: toHex(row.credential),
    deviceKeyId: toHex(row.device),
    place: placed ? { manufacturerId: manufacturer, series, index: place } : undefined,
    notBefore: row.notBefore,
    notAfter: row.notAfter,
    ...(fingerprint === null ? {} : { fingerprint: toHex(fingerprint) }),
  }
}

/**
 * What becomes of an entry that is known when it is told again: undefined if nothing changes.
 *
 * @throws SerialConflictError
 */
export function merged(known: SerialEntry, told: SerialEntry): SerialEntry | undefined {
  if (known.credentialHash !== told.credentialHash) throw new SerialConflictError({ known, told, what: "certificate" })
  if (known.place !== undefined && told.place !== undefined && !samePlace(known.place, told.place)) {
    throw new SerialConflictError({ known, told, what: "place" })
  }
  const place = known.place ?? told.place
  const fingerprint = known.fingerprint ?? told.fingerprint
  if (place === known.place && fingerprint === known.fingerprint) return undefined
  return { ...known, place, ...(fingerprint === undefined ? {} : { fingerprint }) }
}

type Place = NonNullable<SerialEntry["place"]>

function samePlace(one: Place, other: Place): boolean {
  return one.manufacturerId === other.manufacturerId && one.series === other.series && one.index === other.index
}
