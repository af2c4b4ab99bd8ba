import type { Hex } from "../crypto/hex.ts"
import type { Batch, CredentialRecord, LedgerKey, LoggedContract, LogHead, Manufacturer } from "../ledger/ledger.ts"
import type { PlaceSet } from "./placeSet.ts"

/**
 * What the ledger held about devices at one block: of all manufacturers, or of one.
 *
 * It is a claim by whoever made it. Nothing in it is proven by itself: `checkSnapshot` compares it with the ledger.
 */
export type Snapshot = {
  readonly chainId: number
  /** Addresses of the registries. */
  readonly contracts: { readonly manufacturers: Hex; readonly devices: Hex; readonly firmware: Hex | undefined }
  /** The one manufacturer that it is about; undefined for all. */
  readonly manufacturerId: number | undefined
  readonly block: { readonly number: number; readonly hash: Hex; readonly timestamp: number }
  /** Ascending by id. */
  readonly manufacturers: readonly SnapshotManufacturer[]
}

export type SnapshotManufacturer = {
  readonly manufacturer: Manufacturer
  /** `firmware` is undefined where the deployment has no such registry. */
  readonly logHeads: Readonly<Record<LoggedContract, LogHead | undefined>>
  /** The proven keys, ascending by index. */
  readonly keys: readonly LedgerKey[]
  /** Ascending by series. */
  readonly batches: readonly SnapshotBatch[]
  /** All subjects that were registered or marked, ascending. */
  readonly records: readonly CredentialRecord[]
}

export type SnapshotBatch = {
  readonly batch: Batch
  /** The places whose status bit is set. */
  readonly bits: PlaceSet
  /** The places that are barred by a record whose mark named them. */
  readonly marked: PlaceSet
  /** For each place of `marked`, ascending, the number of that record. */
  readonly markedBy: Uint32Array
}

/** In the order of the format. */
export const LOGGED_CONTRACTS: readonly LoggedContract[] = ["manufacturers", "devices", "firmware"]
