import { EndpointUnreachableError } from "../../../../client/index.ts"
import type { JsonRpc, RpcCall } from "../../../../client/index.ts"

/** What a node does with a call: `next` asks the honest node, perhaps something else than was asked. */
export type Behaviour = (call: RpcCall, next: (call: RpcCall) => Promise<unknown>) => Promise<unknown>

/** A node with a will of its own, in front of an honest one. */
export function node(honest: JsonRpc, endpoint: string, behaviour: Behaviour = (call, next) => next(call)): JsonRpc {
  const request = (call: RpcCall): Promise<unknown> => behaviour(call, (asked) => honest.request(asked))
  return { endpoint, request, requestMany: (calls) => Promise.all(calls.map(request)) }
}

/** A node that changes results. */
export function tampering(change: (call: RpcCall, result: unknown) => unknown): Behaviour {
  return async (call, next) => change(call, structuredClone(await next(call)))
}

/** A node that has not seen the last blocks. */
export function lagging(blocks: number): Behaviour {
  return async (call, next) => {
    const [first, ...rest] = call.params
    if (call.method !== "eth_getBlockByNumber" || (first !== "latest" && first !== "finalized")) return next(call)
    const newest = (await next({ method: "eth_blockNumber", params: [] })) as string
    const number = `0x${Math.max(0, Number(newest) - blocks).toString(16)}`
    return next({ method: call.method, params: [number, ...rest] })
  }
}

const isBlock = ({ method }: RpcCall): boolean => method.startsWith("eth_getBlockBy")

/** Numbers that look random and are the same in every run. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state
  }
}

/** Changes one digit of each text in a value. */
function flipDigits(value: unknown, random: () => number): unknown {
  if (typeof value === "string" && value.length > 2) {
    const at = 2 + (random() % (value.length - 2))
    const digit = (Number.parseInt(value.charAt(at), 16) ^ (1 + (random() % 15))).toString(16)
    return `${value.slice(0, at)}${digit}${value.slice(at + 1)}`
  }
  if (Array.isArray(value)) return value.map((item) => flipDigits(item, random))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, flipDigits(item, random)]))
}

/** Flips one digit of each text that it sends; of some answers only, by seed. */
export function flipping(seed: number, oneIn = 1): Behaviour {
  const random = numbers(seed)
  return tampering((_call, result) => (random() % oneIn === 0 ? flipDigits(result, random) : result))
}

/** Fails every other time that it is asked. */
function flapping(): Behaviour {
  let asked = 0
  return async (call, next) => {
    asked += 1
    if (asked % 2 === 1) throw new EndpointUnreachableError({ endpoint: "flapping", cause: undefined })
    return next(call)
  }
}

/** Waits for ever. */
async function never(): Promise<unknown> {
  return Promise.race([])
}

/** Everything that a node of the minority may do. */
export const MISBEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  "is down": async () => {
    throw new EndpointUnreachableError({ endpoint: "down", cause: undefined })
  },
  "is down every other time": flapping(),
  "throws what is no error of ours": async () => {
    throw new TypeError("oops")
  },
  "never answers": never,
  "never answers calls": (call, next) => (isBlock(call) || call.method === "eth_chainId" ? next(call) : never()),
  "answers garbage": async () => "garbage",
  "answers null": async () => null,
  "answers 10 MB": async () => "x".repeat(10_000_000),
  "is on another chain": tampering((call, result) => (call.method === "eth_chainId" ? "0x1" : result)),
  "has another first block": tampering((call, result) =>
    isBlock(call) && call.params[0] === "0x0" ? { ...(result as object), hash: `0x${"a".repeat(64)}` } : result,
  ),
  "lags by three blocks": lagging(3),
  "lies about hashes": tampering((call, result) =>
    isBlock(call) && call.params[0] !== "0x0" ? { ...(result as object), hash: `0x${"b".repeat(64)}` } : result,
  ),
  "lies about time": tampering((call, result) =>
    isBlock(call) && call.params[0] !== "0x0" ? { ...(result as object), timestamp: "0x10" } : result,
  ),
  "claims to be far ahead": tampering((call, result) =>
    isBlock(call) && String(call.params[0]).length > 5 ? { ...(result as object), number: "0x3b9aca00" } : result,
  ),
  "answers calls with zeros": tampering((call, result) =>
    call.method === "eth_call"
      ? String(result)
          .replaceAll(/[1-9a-f]/g, "0")
          .replace("00", "0x")
      : result,
  ),
  "answers calls with nothing": tampering((call, result) => (call.method === "eth_call" ? "0x" : result)),
  "withholds events": tampering((call, result) => (call.method === "eth_getLogs" ? [] : result)),
  "doubles events": tampering((call, result) =>
    call.method === "eth_getLogs" ? [...(result as unknown[]), ...(result as unknown[])] : result,
  ),
  "has other code": tampering((call, result) => (call.method === "eth_getCode" ? "0x6000" : result)),
  "flips a digit of everything": flipping(1),
  "flips a digit now and then": flipping(2, 3),
  "forges proofs": tampering((call, result) =>
    call.method === "eth_getProof" ? flipDigits(result, numbers(3)) : result,
  ),
}
