import type { Hex } from "../../crypto/hex.ts"
import type { Deployment } from "../deployment.ts"
import type { LoggedContract } from "../ledger.ts"

/** A log as a registry emitted it. */
export type ReplicaRow = {
  readonly block: number
  readonly blockHash: Hex
  readonly logIndex: number
  readonly contract: LoggedContract
  /** One after another, 32 octets each. */
  readonly topics: Uint8Array
  readonly data: Uint8Array
}

/** A block as a replica remembers it. Times are Unix seconds. */
export type ReplicaBlock = { readonly number: number; readonly hash: Hex; readonly timestamp: number }

/** The heads over all logs of each registry. */
export type GlobalHeads = { readonly manufacturers: Hex; readonly devices: Hex; readonly firmware?: Hex }

/** How far the log was compared with the ledger. */
export type ComparedPoint = {
  readonly head: ReplicaBlock
  readonly settled: ReplicaBlock
  /** The heads at `head`, as the ledger had them. */
  readonly heads: GlobalHeads
  /** Who said which heads the ledger has, and when (Unix seconds). */
  readonly evidence: { readonly kind: string; readonly detail: string }
  readonly at: number
}

/** How far a replica has come. */
export type ReplicaCursor = {
  /** Which deployment it is a replica of: see `replicaIdentity`. */
  readonly identity: string
  /** The deployment's block. */
  readonly origin: ReplicaBlock
  /** All logs up to this block were read. */
  readonly read: ReplicaBlock
  /** What the replica answers from; undefined until the first comparison. */
  readonly compared: ComparedPoint | undefined
}

/** One change of a store. It takes place whole or not at all, also when the power fails in the middle of it. */
export type ReplicaWrite = {
  /** Rows of this block and later ones are dropped first. */
  readonly dropFrom?: number
  /** In the order of the chain, none of a block before those that are there. */
  readonly rows: readonly ReplicaRow[]
  readonly cursor: ReplicaCursor
}

export type StoredReplica = {
  /** undefined while nothing was written. */
  readonly cursor: ReplicaCursor | undefined
  /** All rows in the order of the chain, in portions of any size. */
  readonly rows: AsyncIterable<readonly ReplicaRow[]>
}

/**
 * Where a replica's log is kept.
 *
 * All methods throw ReplicaStoreError's children.
 */
export interface ReplicaStore {
  /** What messages call it. */
  readonly name: string
  /** What the last write left. The rows must be read to their end before anything is written. */
  load(): Promise<StoredReplica>
  /** @throws ReplicaStoreBusyError when somebody else wrote since the last `load` or `write`; then nothing is changed. */
  write(change: ReplicaWrite): Promise<void>
  /** Drops everything. @throws as {@link write}. */
  clear(): Promise<void>
  close(): Promise<void>
}

/** What tells deployments apart: chain, first block, registries. */
export function replicaIdentity({ chainId, block, contracts }: Deployment): string {
  const registries = [contracts.manufacturers, contracts.devices, contracts.firmware]
  return [chainId, block.number, block.hash, ...registries.map((contract) => contract?.address ?? "none")].join(" ")
}
