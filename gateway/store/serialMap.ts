import type { Hex } from "../../client/index.ts"

/** A certificate whose serial number is no position, as the gateway was taught it. */
export type SerialEntry = {
  /** SHA-256 of the issuer's DER SubjectPublicKeyInfo. */
  readonly issuerKeyId: Hex
  /** Content octets of the serial number's INTEGER. */
  readonly serial: Hex
  readonly credentialHash: Hex
  readonly deviceKeyId: Hex
  /** The batch and the place in it; undefined for a credential with a record of its own. */
  readonly place: { readonly manufacturerId: number; readonly series: number; readonly index: number } | undefined
  /** Unix seconds. */
  readonly notBefore: number
  readonly notAfter: number
}

/** Serial number → certificate, for what knows certificates by serial number. Entries never change. */
export interface SerialMap {
  /** Adds what is new. @throws SerialConflictError when a serial is known for another certificate; then nothing was added. */
  put(entries: readonly SerialEntry[]): Promise<{ readonly added: number }>
  get(issuerKeyId: Hex, serial: Hex): Promise<SerialEntry | undefined>
  /** In the order in which they were added. */
  ofIssuer(issuerKeyId: Hex): AsyncIterable<SerialEntry>
}
