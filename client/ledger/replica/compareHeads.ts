import { toHex } from "../../crypto/hex.ts"
import { LogHeadMismatchError } from "../../errors/replica.ts"
import type { Deployment } from "../deployment.ts"
import type { LedgerView, LoggedContract } from "../ledger.ts"
import type { EntriesAhead } from "./entriesAhead.ts"
import { loggedContracts } from "./logHeads.ts"
import type { HeadsAhead } from "./logHeads.ts"
import type { GlobalHeads } from "./replicaStore.ts"

/**
 * Compares what was replayed with what the ledger has at the view's block: one word for each registry, which commits to every
 * entry of every manufacturer.
 *
 * @returns the heads, which both have.
 * @throws LogHeadMismatchError naming the manufacturer whose log differs, and where.
 */
export async function compareHeads(
  deployment: Deployment,
  view: LedgerView,
  ahead: EntriesAhead,
): Promise<GlobalHeads> {
  const contracts = loggedContracts(deployment)
  const { number } = view.block
  const recorded = await Promise.all(contracts.map((contract) => view.globalLogHead(contract)))
  const replayed = contracts.map((contract) => toHex(ahead.globalHeadAt(number, contract)))
  const wrong = contracts.find((_, i) => recorded[i] !== replayed[i])
  if (wrong !== undefined) throw await findDifference(view, wrong, ahead.heads, number)
  return Object.fromEntries(contracts.map((contract, i) => [contract, replayed[i]])) as unknown as GlobalHeads
}

/** Which manufacturer's log it is; also one of whom nothing at all was told. */
async function findDifference(
  view: LedgerView,
  contract: LoggedContract,
  heads: HeadsAhead,
  block: number,
): Promise<LogHeadMismatchError> {
  const [differs] = await differences(view, contract, heads, everyManufacturer(heads))
  return new LogHeadMismatchError({ contract, block, ...differs })
}

/** The manufacturers whose logs in a registry are not the ledger's. */
export async function differences(
  view: LedgerView,
  contract: LoggedContract,
  heads: HeadsAhead,
  manufacturerIds: readonly number[],
): Promise<{ manufacturerId: number; replayed: number; recorded: number }[]> {
  const compared = await Promise.all(
    manufacturerIds.map(async (manufacturerId) => {
      const recorded = await view.logHead(contract, manufacturerId)
      const replayed = heads.of(contract, manufacturerId)
      const same = recorded.head === toHex(replayed.head) && recorded.length === replayed.length
      return same ? undefined : { manufacturerId, replayed: replayed.length, recorded: recorded.length }
    }),
  )
  return compared.filter((one) => one !== undefined)
}

/** All that were admitted as far as the log tells, those whose ids lie between, and the next one. 0 is the registry itself. */
export function everyManufacturer(heads: HeadsAhead): number[] {
  const known = heads.manufacturersOf("manufacturers").filter((id) => id > 0)
  const first = Math.max(1, (known[0] ?? 1) - 1)
  const last = (known.at(-1) ?? 0) + 1
  return [0, ...Array.from({ length: last - first + 1 }, (_, i) => first + i)]
}
