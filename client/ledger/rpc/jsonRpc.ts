import { FleetrootError } from "../../errors/base.ts"
import { EndpointUnreachableError, RpcRejectedError } from "../../errors/ledger.ts"

/** One JSON-RPC call. */
export type RpcCall = { readonly method: string; readonly params: readonly unknown[] }

/**
 * The seam between the ledger readers and whatever speaks JSON-RPC: our own HTTP client, an ethers provider, a node in this
 * process.
 */
export interface JsonRpc {
  /** What the evidence calls this endpoint: host and port, never credentials. */
  readonly endpoint: string
  /** The result of one call. @throws RpcRejectedError when the node answers with an error. */
  request(call: RpcCall): Promise<unknown>
  /** The results of several calls in one round trip where the endpoint allows it; fails whole if any of them fails. */
  requestMany(calls: readonly RpcCall[]): Promise<unknown[]>
}

/**
 * Makes a {@link JsonRpc} of anything with an EIP-1193 `request`.
 *
 * Its errors become `RpcRejectedError` where they have the code and message of EIP-1193, else `EndpointUnreachableError`.
 */
export function jsonRpcFrom(
  request: (call: { method: string; params: unknown[] }) => Promise<unknown>,
  endpoint = "local",
): JsonRpc {
  const one = async ({ method, params }: RpcCall): Promise<unknown> => {
    try {
      return await request({ method, params: [...params] })
    } catch (cause) {
      if (cause instanceof FleetrootError) throw cause
      const { code, message, data } = (cause ?? {}) as { code?: unknown; message?: unknown; data?: unknown }
      if (typeof code !== "number" || typeof message !== "string")
        throw new EndpointUnreachableError({ endpoint, cause })
      throw new RpcRejectedError({ method, rpcCode: code, rpcMessage: message, data, cause })
    }
  }
  return { endpoint, request: one, requestMany: (calls) => Promise.all(calls.map(one)) }
}
