import type { Hex } from "../../crypto/hex.ts"
import type {
  Batch,
  BitRevocation,
  Block,
  CredentialRecord,
  LedgerKey,
  LoggedContract,
  LogHead,
  Manufacturer,
  Release,
} from "../ledger.ts"

/** What bars one place of a batch: its status bit, or a marked subject whose event named the place. */
export type PlaceMark = {
  readonly index: number
  readonly mark: "held" | "revoked"
  /** Unix seconds. */
  readonly since: number
  /** RFC 5280 CRLReason. */
  readonly reason: number
  /** Unix seconds; of information only. */
  readonly invalidityDate: number | undefined
  /** The marked credential hash or device key id; undefined if the status bit is set. */
  readonly subject: Hex | undefined
}

/**
 * Everything that the registries hold at one block, in memory: every answer is there at once, and absence is `undefined`.
 * Arguments out of range are absent.
 */
export interface FleetState {
  readonly block: Block
  manufacturers(): Iterable<Manufacturer>
  manufacturer(manufacturerId: number): Manufacturer | undefined
  /** The proven keys, ascending by index. */
  keys(manufacturerId: number): Iterable<LedgerKey>
  key(manufacturerId: number, keyIndex: number): LedgerKey | undefined
  /** @throws KeyOwnerAmbiguousError when two manufacturers proved possession. */
  keyById(keyId: Hex): LedgerKey | undefined
  keysByIdentifier(identifier: Hex): readonly LedgerKey[]
  /** In the order of registration. */
  batches(manufacturerId: number): Iterable<Batch>
  batch(manufacturerId: number, series: number): Batch | undefined
  /** 256 status bits: bit i of word w is the device at 256 w + i. */
  word(manufacturerId: number, series: number, word: number): bigint
  /** Whether a place's status bit is set. The fastest of all questions. */
  bit(manufacturerId: number, series: number, index: number): boolean
  bitRevocation(manufacturerId: number, series: number, index: number): BitRevocation | undefined
  /** What bars a place: revoked before held, the earliest first. */
  placeMark(manufacturerId: number, series: number, index: number): PlaceMark | undefined
  /** Every barred place of a batch within its size, ascending by index, one each. */
  placeMarks(manufacturerId: number, series: number): Iterable<PlaceMark>
  record(manufacturerId: number, subject: Hex): CredentialRecord
  /** All subjects that were registered or marked. */
  records(manufacturerId: number): Iterable<CredentialRecord>
  releases(manufacturerId: number): Iterable<Release>
  logHead(contract: LoggedContract, manufacturerId: number): LogHead
}

/** What a block changed, coarse enough to drop what was made from it. Places that a reorganisation took back count too. */
export type FleetChange =
  | { readonly kind: "manufacturer"; readonly manufacturerId: number }
  | { readonly kind: "key"; readonly manufacturerId: number; readonly keyIndex: number }
  /** Registered, or marked as a whole. */
  | { readonly kind: "batch"; readonly manufacturerId: number; readonly series: number }
  /** Indices from `first` to `last`. */
  | {
      readonly kind: "places"
      readonly manufacturerId: number
      readonly series: number
      readonly first: number
      readonly last: number
    }
  | { readonly kind: "subject"; readonly manufacturerId: number; readonly subject: Hex }
  | { readonly kind: "release"; readonly manufacturerId: number; readonly product: Hex }
