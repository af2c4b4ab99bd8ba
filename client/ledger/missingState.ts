import { RpcRejectedError } from "../errors/ledger.ts"

/** EIP-1474; EIP-1898 wants it for a block hash that the node does not have. */
const RESOURCE_NOT_FOUND = -32_001
const WORDINGS =
  /missing trie node|header not found|unknown block|not available|pruned|historical state|block not found|out of range/i

/** Whether a node's refusal means that it does not have the state of that block; each client says it in its own words. */
export function isMissingState(error: unknown): error is RpcRejectedError {
  return error instanceof RpcRejectedError && (error.rpcCode === RESOURCE_NOT_FOUND || WORDINGS.test(error.message))
}
