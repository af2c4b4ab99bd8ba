import type { Provider } from "ethers"
import { EndpointTimeoutError } from "../errors/ledger.ts"
import type { JsonRpc, RpcCall } from "../ledger/rpc/jsonRpc.ts"
import { fromEthersError } from "./ethersErrors.ts"
import { ProviderCalls } from "./providerCalls.ts"

export type EthersRpcOptions = {
  /** Time for a whole answer, in milliseconds: ethers itself waits for a node for ever. Default: 10,000. */
  timeoutMs?: number
  /** What the evidence calls this endpoint. Default: the provider's host, where it has one. */
  endpoint?: string
}

/** What `JsonRpcProvider`, `BrowserProvider`, `WebSocketProvider` and `IpcSocketProvider` have besides a `Provider`. */
type SendingProvider = Provider & { send(method: string, params: readonly unknown[]): Promise<unknown> }

/**
 * Makes a {@link JsonRpc} of an ethers v6 provider.
 *
 * A provider that can `send` is asked in JSON-RPC. Any other one (`FallbackProvider`, a class of your own) is asked through the
 * methods of `Provider`; these name blocks by number only, so each answer counts only if the block is still the same afterwards.
 *
 * @throws EndpointUnreachableError, EndpointTimeoutError, EndpointStatusError, RpcRejectedError from its methods.
 */
export function jsonRpcFromEthers(provider: Provider, options: EthersRpcOptions = {}): JsonRpc {
  const { timeoutMs = 10_000 } = options
  const endpoint = options.endpoint ?? endpointOf(provider)
  const guard = async <T>(method: string, work: () => Promise<T>): Promise<T> => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new EndpointTimeoutError({ endpoint, timeoutMs }))
      }, timeoutMs)
    })
    try {
      return await Promise.race([work(), timeout])
    } catch (error) {
      throw fromEthersError(error, { method, endpoint, timeoutMs })
    } finally {
      clearTimeout(timer)
    }
  }
  if (canSend(provider)) {
    const one = ({ method, params }: RpcCall): Promise<unknown> =>
      guard(method, () => provider.send(method, [...params]))
    return { endpoint, request: one, requestMany: (calls) => Promise.all(calls.map(one)) }
  }
  const calls = new ProviderCalls(provider)
  return {
    endpoint,
    request: (call) => guard(call.method, async () => (await calls.requestMany([call]))[0]),
    requestMany: (many) => guard(many[0]?.method ?? "nothing", () => calls.requestMany(many)),
  }
}

function canSend(provider: Provider): provider is SendingProvider {
  return typeof (provider as { send?: unknown }).send === "function"
}

/** Host and port, without what else an address may hold. */
function endpointOf(provider: Provider): string {
  const { _getConnection } = provider as { _getConnection?: unknown }
  if (typeof _getConnection !== "function") return "an ethers provider"
  const { url } = (_getConnection.call(provider) ?? {}) as { url?: unknown }
  return typeof url === "string" && URL.canParse(url) ? new URL(url).host : "an ethers provider"
}
