import type { Evidence, Finality } from "../ledger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import type { NodeBlock } from "./nodeHeads.ts"

/** A block that a source vouches for. Only its hash is believed; the header is proven by it. */
export type SourcedBlock = {
  readonly block: NodeBlock
  /** Who vouches for it. */
  readonly evidence: Evidence
}

/** A head beyond those that the source vouches for, by one endpoint alone: only bad news from it counts, and only as doubt. */
export type LoneHead = { readonly block: NodeBlock; readonly rpc: JsonRpc }

/** The newest blocks, one for each finality that was asked for. */
export type SourcedHeads = { readonly blocks: readonly SourcedBlock[]; readonly lone: readonly LoneHead[] }

/** Who says which blocks the chain has: one node, a quorum of nodes, a light client. */
export interface BlockSource {
  /**
   * The newest block of each finality.
   *
   * @param onAsked Called once, in the moment in which the endpoints are asked, so that other calls may travel along.
   */
  newest(finalities: readonly Finality[], onAsked?: () => void): Promise<SourcedHeads>
  /** The last block whose time is at or before `timestamp` (Unix seconds), provided that it is final. */
  atTime(timestamp: number): Promise<SourcedBlock>
}
