import { RpcRejectedError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"

/**
 * What a node did with a signed transaction: it has it; another transaction has its nonce; or it will have nothing of it, so that
 * this one is never mined.
 */
export type OfferOutcome =
  | { readonly state: "accepted" }
  | { readonly state: "nonceTaken"; readonly error: RpcRejectedError }
  | { readonly state: "refused"; readonly error: RpcRejectedError }

// Each client says it in its own words: Geth, Nethermind, Erigon, Besu, Reth, Anvil, EDR.
const KNOWN = /already known|alreadyknown|already imported|known transaction|already exists/i
const NONCE_TAKEN = /nonce too low|nonce is too low|old ?nonce|nonce.*(already|used|below)|replacement|same nonce/i
const REFUSED =
  /insufficient (funds|balance)|enough funds|intrinsic gas|gas limit|gas too low|fee ?per ?gas|max fee|underpriced|fee cap|fee too low|base ?fee|invalid (sender|signature|chain)|chain id|exceeds (the )?(configured )?cap|oversized|nonce too high|type not supported/i

/**
 * Hands a signed transaction to the node. Saying it twice does no harm.
 *
 * @throws RpcRejectedError for a refusal that may mean anything: the node may have the transaction all the same.
 */
export async function offer(rpc: JsonRpc, raw: Hex): Promise<OfferOutcome> {
  try {
    await rpc.request({ method: "eth_sendRawTransaction", params: [raw] })
    return { state: "accepted" }
  } catch (error) {
    if (!(error instanceof RpcRejectedError)) throw error
    if (KNOWN.test(error.message)) return { state: "accepted" }
    if (NONCE_TAKEN.test(error.message)) return { state: "nonceTaken", error }
    if (REFUSED.test(error.message)) return { state: "refused", error }
    throw error
  }
}
