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
  /** SHA-256 of the whole certificate; undefined where only its parts were given. */
  readonly fingerprint?: Hex | undefined
}

/**
 * Serial number → certificate, for what knows certificates by serial number. Entries never change, but a place or a fingerprint that
 * was not known is filled in.
 */
export interface SerialMap {
  /**
   * Adds what is new. @throws SerialConflictError when a serial is known for another certificate, or a certificate at another place;
   * then nothing was added.
   */
  put(entries: readonly SerialEntry[]): Promise<{ readonly added: number }>
  get(issuerKeyId: Hex, serial: Hex): Promise<SerialEntry | undefined>
  /** In the order in which they were added. */
  ofIssuer(issuerKeyId: Hex): AsyncIterable<SerialEntry>
}

/** Portions of entries as they come. */
export type EntryPortions = Iterable<readonly SerialEntry[]> | AsyncIterable<readonly SerialEntry[]>

/** A serial map that outlives the process. Every method may throw SerialStoreUnusableError. */
export interface SerialStore extends SerialMap {
  /** Adds all portions or none, also when the process dies in the middle. @throws as `put`, and what the portions throw. */
  putAll(portions: EntryPortions): Promise<{ readonly added: number }>
  /** The certificate with this credential hash or fingerprint. */
  find(hash: Hex): Promise<SerialEntry | undefined>
  /** How many there are. */
  count(): Promise<number>
  close(): Promise<void>
}
