import type { JsonRpc } from "../rpc/jsonRpc.ts"

/** Endpoints in the order in which they are asked: whoever answered well last comes first. */
export class EndpointOrder {
  #endpoints: readonly JsonRpc[]

  constructor(endpoints: readonly JsonRpc[]) {
    this.#endpoints = endpoints
  }

  list(): readonly JsonRpc[] {
    return this.#endpoints
  }

  prefer(rpc: JsonRpc): void {
    if (this.#endpoints[0] !== rpc) this.#endpoints = [rpc, ...this.#endpoints.filter((other) => other !== rpc)]
  }
}
