import { FleetrootError } from "../../errors/base.ts"
import { RpcRejectedError } from "../../errors/ledger.ts"
import type { JsonRpc, RpcCall } from "../rpc/jsonRpc.ts"

type Group = {
  readonly calls: readonly RpcCall[]
  readonly resolve: (results: unknown[]) => void
  readonly reject: (error: unknown) => void
}

/** How many turns callers have to join: those of one moment may stand some promises apart. */
const TURNS = 8

/** Lets calls of the same moment travel in one round trip, whoever makes them. */
export function joinCalls(rpc: JsonRpc): JsonRpc {
  let pending: Group[] = []

  async function flush(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await Promise.resolve()
    const groups = pending
    pending = []
    try {
      const results = await rpc.requestMany(groups.flatMap(({ calls }) => calls))
      let start = 0
      for (const { calls, resolve } of groups) resolve(results.slice(start, (start += calls.length)))
    } catch (error) {
      // A call that the node refuses fails the trip whole; the others still get their answers. Other faults are everybody's.
      const refused = error instanceof RpcRejectedError || !(error instanceof FleetrootError)
      for (const { calls, resolve, reject } of groups) {
        if (refused && groups.length > 1) rpc.requestMany(calls).then(resolve, reject)
        else reject(error)
      }
    }
  }

  const requestMany = (calls: readonly RpcCall[]): Promise<unknown[]> =>
    new Promise((resolve, reject) => {
      pending.push({ calls, resolve, reject })
      if (pending.length === 1) queueMicrotask(() => void flush())
    })
  return { endpoint: rpc.endpoint, request: async (call) => (await requestMany([call]))[0], requestMany }
}
