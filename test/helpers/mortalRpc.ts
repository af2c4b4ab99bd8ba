import type { JsonRpc, RpcCall } from "../../client/index.ts"

/** What a process that was killed hears from the network. */
export class Killed extends Error {}

/** When to die: at which call, counted from 0, and whether the node still got it. */
export type Death = { at: number; delivered: boolean }

/** A way to a node for a process that dies at some call; after that nothing goes through. */
export class MortalRpc implements JsonRpc {
  readonly endpoint: string
  calls = 0
  readonly #inner: JsonRpc
  readonly #death: Death | undefined

  constructor(inner: JsonRpc, death?: Death) {
    this.endpoint = inner.endpoint
    this.#inner = inner
    this.#death = death
  }

  async request(call: RpcCall): Promise<unknown> {
    const number = this.calls
    this.calls += 1
    const death = this.#death
    if (death === undefined || number < death.at) return this.#inner.request(call)
    if (number === death.at && death.delivered) await this.#inner.request(call).catch(() => undefined)
    throw new Killed(`at call ${number}, ${call.method}`)
  }

  /** One round trip: dies whole. */
  async requestMany(calls: readonly RpcCall[]): Promise<unknown[]> {
    const number = this.calls
    this.calls += 1
    const death = this.#death
    if (death === undefined || number < death.at) return this.#inner.requestMany(calls)
    throw new Killed(`at call ${number}`)
  }
}
