import type { Deployment } from "../deployment.ts"
import type { KeyEvents } from "../keyEvents.ts"
import type { Block, LedgerView } from "../ledger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { RpcView } from "../rpcView.ts"
import { canonical } from "./canonical.ts"
import { gather } from "./gather.ts"
import type { GatherOptions } from "./gather.ts"
import type { Told } from "./provenView.ts"

/** Nothing is told: events of servers that nobody believes say nothing. */
export const nothingTold: Told = { bitRevocation: async () => undefined, releaseTexts: async () => undefined }

/** Takes from events what `needed` endpoints tell alike; all else counts as not told. */
export function toldBy(
  deployment: Deployment,
  endpoints: readonly JsonRpc[],
  keyEvents: KeyEvents,
  needed: number,
  patience: GatherOptions,
): Told {
  async function ask<T>(block: Block, question: (view: LedgerView) => Promise<T>): Promise<T | undefined> {
    const views = endpoints.map((rpc) => new RpcView({ deployment, rpc, keyEvents, block }))
    const answers = await gather(
      views.map((view) => question(view)),
      patience,
    )
    const groups = new Map<string, T[]>()
    for (const answer of answers) {
      if (answer.state !== "answered") continue
      const key = canonical(answer.value)
      groups.set(key, [...(groups.get(key) ?? []), answer.value])
    }
    const agreed = [...groups.values()].filter((group) => group.length >= needed)
    return agreed.length === 1 ? agreed[0]?.[0] : undefined
  }
  return {
    bitRevocation: (block, place) => ask(block, (view) => view.bitRevocation(...place)),
    releaseTexts: (block, release) => ask(block, (view) => view.releaseTexts(release)),
  }
}
