import { RpcRejectedError } from "../errors/ledger.ts"

const WORDINGS =
  /missing trie node|header not found|unknown block|not available|pruned|historical state|block not found|out of range/i

/** Whether a node's refusal means that it does not have the state of that block; each client says it in its own words. */
export function isMissingState(error: unknown): error is RpcRejectedError {
  return error instanceof RpcRejectedError && WORDINGS.test(error.message)
}
