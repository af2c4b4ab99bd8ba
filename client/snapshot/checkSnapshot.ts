import { equalBytes } from "../crypto/hex.ts"
import { FleetrootError } from "../errors/base.ts"
import {
  SnapshotBlockError,
  SnapshotForeignError,
  SnapshotMismatchError,
  SnapshotUncheckableError,
} from "../errors/snapshot.ts"
import type { Deployment } from "../ledger/deployment.ts"
import type { Block, Evidence, Ledger, LedgerView } from "../ledger/ledger.ts"
import { stateOf } from "../ledger/replica/stateView.ts"
import { compareStatements } from "./compareStatements.ts"
import type { ComparedStatements } from "./compareStatements.ts"
import { encodeSnapshot } from "./encodeSnapshot.ts"
import { makeSnapshot } from "./makeSnapshot.ts"
import { LOGGED_CONTRACTS } from "./snapshot.ts"
import type { Snapshot } from "./snapshot.ts"

export type CheckSnapshotOptions = {
  /** Compare the block and the log heads only, which shows that a snapshot is current and not that it is true. */
  headsOnly?: boolean
  /** Called now and then with the status words and records compared so far. */
  onProgress?: (done: number, total: number) => void
}

/** What held when a snapshot was checked; whatever did not hold is an error. */
export type SnapshotCheck = {
  /**
   * - `everything`: the snapshot is, bit for bit, what the whole log of the ledger leads to. Needs a replica.
   * - `statements`: the ledger confirms all that the snapshot says. What it does not say, such as a mark that it leaves out,
   *   nobody looked for, nor can a ledger be asked which places marks named.
   * - `heads`: it names the right block and log heads. The sets may be anything.
   */
  readonly compared: "everything" | "statements" | "heads"
  /** Whether the ledger showed the snapshot's very block. If not, its number, hash and time are what the snapshot says they are. */
  readonly blockConfirmed: boolean
  /** What it was compared with: its own block, or another between which and its own nothing changed. */
  readonly checkedAt: Block
  /** Log entries that came after it, up to the newest block; 0 when it is current. */
  readonly behind: number
  readonly evidence: Evidence
} & ComparedStatements

/**
 * Compares a snapshot with the ledger: with the state at its own block where the ledger still has that, else with the newest
 * one if no log has grown since. As much as the ledger is worth, so is the answer: see `evidence`.
 *
 * @throws {@link SnapshotForeignError} {@link SnapshotBlockError} {@link SnapshotMismatchError} when it must not be used.
 * @throws {@link SnapshotUncheckableError} when this ledger cannot tell; and as the ledger does.
 */
export async function checkSnapshot(
  snapshot: Snapshot,
  ledger: Ledger,
  options: CheckSnapshotOptions = {},
): Promise<SnapshotCheck> {
  assertDeployment(snapshot, ledger.deployment)
  const newest = await ledger.at("latest")
  const { view, own, confirmed } = await viewFor(snapshot, ledger, newest)
  await assertLogHeads(snapshot, view, own)

  const behind = view === newest ? 0 : await entriesSince(snapshot, newest)
  const shared = { blockConfirmed: confirmed, checkedAt: view.block, behind, evidence: view.evidence }
  if (options.headsOnly === true) return { compared: "heads", ...shared, batches: 0, words: 0, records: 0 }

  const statements = await compareStatements(snapshot, view, options.onProgress)
  const state = stateOf(view)
  if (state === undefined) return { compared: "statements", ...shared, ...statements }

  const { manufacturerId, block } = snapshot
  const scope = manufacturerId === undefined ? {} : { manufacturerId }
  const expected = encodeSnapshot({ ...makeSnapshot(state, ledger.deployment, scope), block })
  if (!equalBytes(expected, encodeSnapshot(snapshot))) {
    const [what, found] = ["list of batches, keys, records or named places", "another"]
    throw new SnapshotMismatchError({ what, expected: "what the replica has", found })
  }
  return { compared: "everything", ...shared, ...statements }
}

function assertDeployment(snapshot: Snapshot, { chainId, contracts }: Deployment): void {
  const pairs = [
    ["chain id", String(chainId), String(snapshot.chainId)],
    ...LOGGED_CONTRACTS.map((contract) => [
      `${contract} registry`,
      contracts[contract]?.address ?? "none",
      snapshot.contracts[contract] ?? "none",
    ]),
  ] as const
  for (const [field, expected, found] of pairs as readonly (readonly [string, string, string])[]) {
    if (expected !== found) throw new SnapshotForeignError({ field, expected, found })
  }
}

type FoundView = {
  readonly view: LedgerView
  /** Whether it shows what held at the snapshot's block, so that a difference is a contradiction. */
  readonly own: boolean
  /** Whether it is that very block. */
  readonly confirmed: boolean
}

/** The ledger at the snapshot's own block, or at another that comes after it. */
async function viewFor({ block }: Snapshot, ledger: Ledger, newest: LedgerView): Promise<FoundView> {
  if (newest.block.hash === block.hash && newest.block.number === block.number) {
    return { view: newest, own: true, confirmed: true }
  }
  const { number } = block
  if (newest.block.number < number) {
    const reason = "the ledger has not come so far"
    throw new SnapshotUncheckableError({ number, headNumber: newest.block.number, reason })
  }
  assertBlock(block, newest.block)
  const then = await viewAtTime(ledger, block.timestamp)
  if (then === undefined) return { view: newest, own: false, confirmed: false }
  // A replica knows the blocks that have entries, and that nothing happened in those between.
  if (then.block.number < number && stateOf(then) !== undefined) return { view: then, own: true, confirmed: false }
  assertBlock(block, then.block)
  const confirmed = then.block.number === number
  return { view: then, own: confirmed, confirmed }
}

/** Undefined where this ledger cannot go back, or where the block is not final yet. */
async function viewAtTime(ledger: Ledger, timestamp: number): Promise<LedgerView | undefined> {
  try {
    return await ledger.atTime(timestamp)
  } catch (error) {
    if (error instanceof FleetrootError) return undefined
    throw error
  }
}

/** Refuses a block that cannot be on one chain with the one found. */
function assertBlock(block: Snapshot["block"], found: Block): void {
  const refused = (): SnapshotBlockError =>
    new SnapshotBlockError({ number: block.number, expected: `${found.number}: ${found.hash}`, found: block.hash })
  if (found.number < block.number || found.timestamp < block.timestamp) throw refused()
  if (found.number === block.number && found.hash !== block.hash) throw refused()
}

async function assertLogHeads(snapshot: Snapshot, view: LedgerView, own: boolean): Promise<void> {
  const differing = await differingLog(snapshot, view)
  if (differing === undefined) return
  if (own) throw new SnapshotMismatchError(differing)
  const [number, headNumber] = [snapshot.block.number, view.block.number]
  const reason = `the ${differing.what} has changed since, and the state of its own block cannot be read`
  throw new SnapshotUncheckableError({ number, headNumber, reason })
}

async function differingLog(
  { manufacturers, contracts }: Snapshot,
  view: LedgerView,
): Promise<{ what: string; expected: string; found: string } | undefined> {
  for (const { manufacturer, logHeads } of manufacturers) {
    for (const contract of LOGGED_CONTRACTS) {
      const told = logHeads[contract]
      const what = `log head of ${contract} of manufacturer ${manufacturer.id}`
      if (told === undefined) {
        if (contracts[contract] !== undefined) return { what, expected: "a log", found: "none" }
        continue
      }
      const { head, length } = await view.logHead(contract, manufacturer.id)
      const [expected, found] = [`${head} after ${length} entries`, `${told.head} after ${told.length} entries`]
      if (expected !== found) return { what, expected, found }
    }
  }
  return undefined
}

async function entriesSince({ manufacturers }: Snapshot, newest: LedgerView): Promise<number> {
  let entries = 0
  for (const { manufacturer, logHeads } of manufacturers) {
    for (const contract of LOGGED_CONTRACTS) {
      const told = logHeads[contract]
      if (told === undefined) continue
      const { length } = await newest.logHead(contract, manufacturer.id)
      entries += Math.max(0, length - told.length)
    }
  }
  return entries
}
