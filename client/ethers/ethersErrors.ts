import { FleetrootError } from "../errors/base.ts"
import {
  EndpointStatusError,
  EndpointTimeoutError,
  EndpointUnreachableError,
  PayerRefusedError,
  RpcRejectedError,
} from "../errors/ledger.ts"

type Context = { readonly method: string; readonly endpoint: string; readonly timeoutMs: number }

/** An error by ethers as one of ours; it stays in `cause`. */
export function fromEthersError(error: unknown, { method, endpoint, timeoutMs }: Context): FleetrootError {
  if (error instanceof FleetrootError) return error
  const { code, data, message, response } = fieldsOf(error)
  if (code === "ACTION_REJECTED") return new PayerRefusedError({ cause: error })
  const said = nodeErrorIn(error)
  if (said !== undefined) return new RpcRejectedError({ method, ...said, cause: error })
  if (code === "TIMEOUT") return new EndpointTimeoutError({ endpoint, timeoutMs, cause: error })
  if (code === "CALL_EXCEPTION") {
    return new RpcRejectedError({ method, rpcCode: 3, rpcMessage: String(message), data, cause: error })
  }
  const { statusCode } = fieldsOf(response)
  if (typeof statusCode === "number" && statusCode >= 300)
    return new EndpointStatusError({ endpoint, status: statusCode })
  return new EndpointUnreachableError({ endpoint, cause: error })
}

/** What the node itself said, which ethers keeps in `error`, `info.error` or, of a wallet's provider, in the error as it is. */
function nodeErrorIn(error: unknown): { rpcCode: number; rpcMessage: string; data?: unknown } | undefined {
  const { info, error: inner } = fieldsOf(error)
  for (const candidate of [inner, fieldsOf(info)["error"], error]) {
    const { code, message, data } = fieldsOf(candidate)
    if (typeof code === "number" && typeof message === "string") return { rpcCode: code, rpcMessage: message, data }
  }
  return undefined
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
}
