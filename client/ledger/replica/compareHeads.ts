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
  if (wrong !== undefined) throw await findDifference(deployment, view, wrong, ahead.heads)
  return Object.fromEntries(contracts.map((contract, i) => [contract, replayed[i]])) as unknown as GlobalHeads
}

/** Which manufacturer's log it is; also one of whom nothing at all was told. */
async function findDifference(
  deployment: Deployment,
  view: LedgerView,
  contract: LoggedContract,
  heads: HeadsAhead,
): Promise<LogHeadMismatchError> {
  const [differs] = await differences(view, contract, heads, everyManufacturer(deployment, heads))
  return new LogHeadMismatchError({ contract, block: view.block.number, ...differs })
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

/**
 * All manufacturers that the logs tell of, and the neighbours of each: ids are given in a row, so one of whom nothing was told has a
 * neighbour that is known, or is in a row of such that has one. 0 is the registry itself.
 */
export function everyManufacturer(deployment: Deployment, heads: HeadsAhead): number[] {
  const known = loggedContracts(deployment).flatMap((contract) => heads.manufacturersOf(contract))
  const ids = new Set([0, 1, ...known.flatMap((id) => [id - 1, id, id + 1])])
  return [...ids].filter((id) => id >= 0 && id < 2 ** 32).sort((a, b) => a - b)
}
