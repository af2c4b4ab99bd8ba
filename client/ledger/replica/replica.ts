import { defaultCrypto } from "../../crypto/defaultCrypto.ts"
import type { CryptoBackend } from "../../crypto/types.ts"
import { FleetrootError } from "../../errors/base.ts"
import { HeadRolledBackError, NumberOutOfRangeError, TimeOutOfRangeError } from "../../errors/ledger.ts"
import {
  FinalityViolatedError,
  LogHeadMismatchError,
  ReplicaContradictedError,
  ReplicaNotSyncedError,
  ReplicaStoreBusyError,
  ReplicaStoreDamagedError,
  ReplicaStoreError,
  ReplicaStoreForeignError,
} from "../../errors/replica.ts"
import { toHex } from "../../crypto/hex.ts"
import type { Deployment } from "../deployment.ts"
import type { Block, Evidence, Finality, Ledger, LedgerView } from "../ledger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { RpcLedger } from "../rpcLedger.ts"
import { compareHeads, differences, everyManufacturer } from "./compareHeads.ts"
import { EntriesAhead } from "./entriesAhead.ts"
import { FleetLog } from "./fleetLog.ts"
import type { FleetChange } from "./fleetState.ts"
import { checkBlocks, followChain } from "./followedChain.ts"
import { lapsedSuspensions } from "./lapsedSuspensions.ts"
import { loggedContracts } from "./logHeads.ts"
import { LogReader } from "./logReader.ts"
import type { ReadRange } from "./logReader.ts"
import { LogState } from "./logState.ts"
import { pause } from "./pause.ts"
import { replicaIdentity } from "./replicaStore.ts"
import type {
  ComparedPoint,
  GlobalHeads,
  ReplicaBlock,
  ReplicaCursor,
  ReplicaRow,
  ReplicaStore,
} from "./replicaStore.ts"
import { ReplicaView } from "./replicaView.ts"

export type ReplicaOptions = {
  deployment: Deployment
  /** Where logs are read: one node, or several that are tried in this order. None is believed. */
  rpc: JsonRpc | readonly JsonRpc[]
  store: ReplicaStore
  /** Whose heads and final block are believed. Default: an RpcLedger over the first node, which is then believed about them. */
  trust?: Ledger
  /** Checks the possession proofs of keys that the contract cannot check. Default: the platform's. */
  crypto?: CryptoBackend
  /** The clock, for saying how old the newest block is. Default: the platform's. */
  now?: () => Date
  /** How long to wait before reading again what contradicted the ledger, in milliseconds. Default: 250. */
  retryMs?: number
}

export type SyncProgress = { readonly block: number; readonly toBlock: number; readonly events: number }

export type SyncOptions = {
  readonly signal?: AbortSignal
  /** Called after each range of blocks. `events`: read so far in this sync. */
  readonly onProgress?: (progress: SyncProgress) => void
  /** Whose heads are believed this time. Default: the replica's `trust`. */
  readonly trust?: Ledger
}

export type SyncReport = {
  readonly block: Block
  readonly finalized: Block
  /** Entries of the log in all, and how many of them came and went in this sync. */
  readonly entries: number
  readonly added: number
  readonly undone: number
  readonly evidence: Evidence
}

export type VerifyReport = {
  readonly block: Block
  readonly entries: number
  /** How many logs of manufacturers and registries were compared, each by its head and length. */
  readonly logs: number
  readonly evidence: Evidence
}

/** How a replica stands. */
export type ReplicaStatus = {
  /** The block that `head` stands for; undefined as long as nothing was compared with the ledger. */
  readonly block: Block | undefined
  readonly finalized: Block | undefined
  readonly entries: number
  /** How old that block is by the clock. */
  readonly lagSeconds: number | undefined
  /** When the log was last found to be the ledger's. */
  readonly syncedAt: Date | undefined
  /** What the last sync failed with. */
  readonly fault: FleetrootError | undefined
  /** Whether the fault is a contradiction: then nothing is answered. Otherwise the replica answers of `block`, which gets older. */
  readonly refusing: boolean
  readonly evidence: Evidence | undefined
}

type Source = { readonly rpc: JsonRpc; readonly reader: LogReader }
type Heads = Awaited<ReturnType<Ledger["heads"]>>

/** Reading that took longer than this is no base for a comparison: nodes forget the state of old blocks. */
const FRESH_MS = 20_000
/** How often another process may be quicker. */
const MOST_BUSY = 8
/** How many entries are taken in at a stretch. */
const PORTION = 4_000
const FOLLOW_MS = 2_000
const LONGEST_PAUSE_MS = 30_000

/**
 * The ledger, replayed. It reads every log of the registries, recomputes the heads of their hash chains and compares these with
 * what the ledger has: what is missing, altered, added or out of order shows, and then the replica answers nothing until a sync
 * succeeds again. Bad news counts at once (`head`), good news when it is final (`settled`).
 */
export class Replica implements Ledger {
  readonly deployment: Deployment
  readonly #sources: readonly Source[]
  readonly #store: ReplicaStore
  readonly #trust: Ledger
  readonly #crypto: CryptoBackend
  readonly #now: () => Date
  readonly #retryMs: number
  readonly #listeners = new Set<(changes: readonly FleetChange[]) => void>()
  #log: FleetLog
  #ahead: EntriesAhead
  #origin: ReplicaBlock | undefined
  /** How far the entries ahead reach; undefined: no further than what was compared. */
  #read: ReplicaBlock | undefined
  #compared: ComparedPoint | undefined
  #states: { readonly head: LogState; readonly settled: LogState } | undefined
  #fault: FleetrootError | undefined
  /** Whether memory is not what the store holds, since that could not be read. */
  #mustLoad = false
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(options: ReplicaOptions) {
    const { deployment, store, trust, crypto = defaultCrypto(), now = () => new Date(), retryMs = 250 } = options
    const rpcs = "requestMany" in options.rpc ? [options.rpc] : options.rpc
    const [first] = rpcs
    if (first === undefined) {
      const what = "the number of nodes that logs are read from"
      throw new NumberOutOfRangeError({ what, found: 0, minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
    }
    this.deployment = deployment
    this.#sources = rpcs.map((rpc) => ({ rpc, reader: new LogReader(deployment, rpc) }))
    this.#store = store
    this.#trust = trust ?? new RpcLedger({ deployment, rpc: first, crypto })
    this.#crypto = crypto
    this.#now = now
    this.#retryMs = retryMs
    this.#log = new FleetLog(deployment)
    this.#ahead = this.#nothingAhead(0)
  }

  /**
   * Opens what the store holds, replaying and checking all of it. The network is not asked.
   *
   * @throws ReplicaStoreDamagedError and the store's other errors.
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(options)
    await replica.#load()
    return replica
  }

  get status(): ReplicaStatus {
    const states = this.#states
    return {
      block: states?.head.block,
      finalized: states?.settled.block,
      entries: states?.head.count ?? 0,
      lagSeconds:
        states === undefined ? undefined : Math.max(0, Math.floor(this.#now().getTime() / 1000) - states.head.time),
      syncedAt: this.#compared === undefined ? undefined : new Date(this.#compared.at * 1000),
      fault: this.#fault,
      refusing: isRefusal(this.#fault),
      evidence: this.#compared === undefined ? undefined : this.#evidence(this.#compared),
    }
  }

  /**
   * The newest block: where bad news is read. The same object until the next sync.
   *
   * @throws ReplicaNotSyncedError, or the contradiction because of which the replica refuses to answer.
   */
  get head(): LogState {
    return this.#answering().head
  }

  /** The newest final block: where good news is read. Throws as {@link head}. */
  get settled(): LogState {
    return this.#answering().settled
  }

  /**
   * The fleet at a past time (Unix seconds), which must not be after the newest final block.
   *
   * @throws TimeOutOfRangeError, and as {@link head}.
   */
  stateAt(timestamp: number): LogState {
    const { settled } = this.#answering()
    const origin = this.#origin ?? settled.block
    if (!(timestamp >= origin.timestamp && timestamp <= settled.time)) {
      throw new TimeOutOfRangeError({
        at: new Date(timestamp * 1000),
        earliest: new Date(origin.timestamp * 1000),
        latest: new Date(settled.time * 1000),
      })
    }
    if (timestamp === settled.time) return settled
    const last = this.#log.blockAtTime(timestamp)
    // Of the blocks without entries the replica knows nothing, and nothing happened in them.
    const { number, hash, timestamp: time } = last ?? origin
    const block: Block = { number, hash, timestamp: time, finality: "finalized" }
    return new LogState({ log: this.#log, count: Math.min(last?.end ?? 0, settled.count), block, time: timestamp })
  }

  /** The newest block, or the newest final one for `safe` and `finalized`. Throws as {@link head}. */
  async at(finality: Finality): Promise<LedgerView> {
    return this.#view(finality === "latest" ? this.head : this.settled)
  }

  /** Throws as {@link head}. */
  async heads(settled: Finality): Promise<{ head: LedgerView; settled: LedgerView }> {
    const states = this.#answering()
    const head = this.#view(states.head)
    const same = settled === "latest" || states.settled === states.head
    return { head, settled: same ? head : this.#view(states.settled) }
  }

  /** Throws as {@link stateAt}. */
  async atTime(timestamp: number): Promise<LedgerView> {
    return this.#view(this.stateAt(timestamp))
  }

  /**
   * Calls `listener` after each sync that changed something: entries that came, that a reorganisation took back, or that became
   * final, and suspensions that lapsed. @returns what ends that.
   */
  onChange(listener: (changes: readonly FleetChange[]) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /**
   * Reads everything up to the newest block, undoes what was reorganised, and compares every log with the ledger.
   *
   * @throws ReplicaContradictedError's children when what was read is not the ledger's log: then the replica answers nothing until
   *   a sync succeeds. Other errors leave it answering of the block that it knows.
   */
  sync(options: SyncOptions = {}): Promise<SyncReport> {
    const turn = this.#turn.then(() => this.#sync(options))
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Syncs again and again until aborted. What goes wrong stands in `status`, and the next sync comes later. */
  async follow({ signal, intervalMs = FOLLOW_MS }: { signal: AbortSignal; intervalMs?: number }): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        await this.sync({ signal })
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof FleetrootError)) throw error
        failures += 1
      }
      await pause(Math.min(intervalMs * 2 ** Math.min(failures, 10), Math.max(intervalMs, LONGEST_PAUSE_MS)), signal)
    }
  }

  /**
   * Syncs, replays the whole store anew and compares the log of every manufacturer in every registry, by head and length.
   *
   * @param ledger Whose heads are believed. Default: the replica's `trust`.
   * @throws LogHeadMismatchError, ReplicaStoreDamagedError, and as {@link sync}.
   */
  async verify(ledger: Ledger = this.#trust): Promise<VerifyReport> {
    const turn = this.#turn.then(() => this.#verify(ledger))
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Drops all that was read, here and in the store; the next sync begins at the deployment. */
  clear(): Promise<void> {
    const turn = this.#turn.then(() => this.#clear())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Lets a sync that is under way end, then closes the store. */
  async close(): Promise<void> {
    await this.#turn
    await this.#store.close()
  }

  async #clear(): Promise<void> {
    // Whatever another process made of it meanwhile goes too.
    await this.#load().catch(() => undefined)
    await this.#store.clear()
    await this.#load()
    this.#fault = undefined
  }

  #answering(): { readonly head: LogState; readonly settled: LogState } {
    if (this.#fault !== undefined && isRefusal(this.#fault)) throw this.#fault
    if (this.#states === undefined) throw new ReplicaNotSyncedError()
    return this.#states
  }

  #view(state: LogState): ReplicaView {
    const compared = this.#compared
    if (compared === undefined) throw new ReplicaNotSyncedError()
    return new ReplicaView({ state, evidence: this.#evidence(compared), deployment: this.deployment })
  }

  #evidence({ head, evidence }: ComparedPoint): Evidence {
    const count = this.#states?.head.count ?? 0
    const detail = `${count} log entries were replayed up to block ${head.number}, and their heads compared: ${evidence.detail}`
    return { kind: "replica", detail: evidence.kind === "replica" ? detail : `${detail} (${evidence.kind})` }
  }

  #nothingAhead(base: number): EntriesAhead {
    return new EntriesAhead({ deployment: this.deployment, crypto: this.#crypto, log: this.#log, base })
  }

  async #sync(options: SyncOptions): Promise<SyncReport> {
    let failure: FleetrootError | undefined
    for (const source of this.#sources) {
      try {
        const report = await this.#syncFrom(source, options)
        this.#fault = undefined
        return report
      } catch (error) {
        if (!(error instanceof FleetrootError)) throw error
        // Of several failures the contradiction says most.
        if (!isRefusal(failure)) failure = error
      }
    }
    this.#fault = failure
    throw failure as FleetrootError
  }

  /** A second time where something may have come in between. */
  async #syncFrom(source: Source, options: SyncOptions): Promise<SyncReport> {
    let contradicted = false
    let busy = 0
    for (;;) {
      try {
        if (this.#mustLoad) await this.#load()
        return await this.#attempt(source, options)
      } catch (error) {
        if (error instanceof ReplicaStoreBusyError && busy < MOST_BUSY) {
          // Another process brought the store further, and this one has read that: on from there.
          busy += 1
          await pause(busy * this.#retryMs, options.signal)
          continue
        }
        if (!isRefusal(error) || error instanceof FinalityViolatedError) throw error
        await this.#dropAhead().catch((cause: unknown) => this.#reload(cause))
        if (contradicted) throw error
        // A node may list a block's logs a moment after the block.
        contradicted = true
        await pause(this.#retryMs, options.signal)
      }
    }
  }

  async #attempt({ rpc, reader }: Source, options: SyncOptions): Promise<SyncReport> {
    const trust = options.trust ?? this.#trust
    const views = await trust.heads("finalized")
    const before = this.#compared
    const { head } = views
    if (before !== undefined && head.block.number < before.settled.number) {
      throw new HeadRolledBackError({
        seen: `${before.settled.number} (${before.settled.hash})`,
        found: `block ${head.block.number} is its newest`,
      })
    }
    const known = this.#knownBlocks()
    const { origin, common } = await followChain(rpc, this.deployment, plain(head.block), known, before?.settled)
    this.#origin = origin
    // What was read but never compared is thrown away as soon as there is doubt about it.
    if (this.#read !== undefined && common?.hash !== this.#read.hash) await this.#dropAhead()
    if (before !== undefined && common !== undefined && common.number < before.head.number) {
      return this.#readBranch({ rpc, reader }, trust, common, options)
    }
    return this.#readOn({ rpc, reader }, trust, views, options)
  }

  /** Reads on from what is there. Each range is stored when the next one is there, the last one with the comparison. */
  async #readOn({ rpc, reader }: Source, trust: Ledger, firstViews: Heads, options: SyncOptions): Promise<SyncReport> {
    const before = this.#compared
    const ahead = this.#ahead
    const origin = this.#origin as ReplicaBlock
    let views = firstViews
    let held: ReadRange | undefined
    const keep = async (): Promise<void> => {
      if (held === undefined) return
      await this.#store.write({ rows: held.rows, cursor: this.#cursor(origin, held.end, before) })
      this.#read = held.end
      held = undefined
    }
    try {
      let next = ((this.#read ?? before?.head)?.number ?? origin.number - 1) + 1
      for (;;) {
        const started = Date.now()
        const toBlock = views.head.block.number
        for await (const range of reader.read(next, plain(views.head.block), options.signal)) {
          await keep()
          await ahead.take(range.rows)
          held = range
          next = range.end.number + 1
          options.onProgress?.({ block: range.end.number, toBlock, events: ahead.ready.length })
        }
        if (Date.now() - started < FRESH_MS) break
        views = await trust.heads("finalized")
      }
      const compared = await this.#compare(rpc, views, ahead)
      const rows = held?.rows ?? []
      held = undefined
      return await this.#takeIn(compared, ahead, { rows })
    } catch (error) {
      // What is known to be wrong is dropped elsewhere; all else was read for good.
      if (!isRefusal(error)) await keep().catch((cause: unknown) => this.#reload(cause))
      throw error
    }
  }

  /** Reads the branch that took the place of what was known after `common`. Nothing changes before it is read and compared. */
  async #readBranch(
    { rpc, reader }: Source,
    trust: Ledger,
    common: ReplicaBlock,
    options: SyncOptions,
  ): Promise<SyncReport> {
    const views = await trust.heads("finalized")
    const ahead = this.#nothingAhead(this.#log.countUpTo(common.number))
    const rows: ReplicaRow[] = []
    for await (const range of reader.read(common.number + 1, plain(views.head.block), options.signal)) {
      await ahead.take(range.rows)
      for (const row of range.rows) rows.push(row)
    }
    const compared = await this.#compare(rpc, views, ahead)
    return this.#takeIn(compared, ahead, { rows, dropFrom: common.number + 1 })
  }

  /** Whether the ledger has the very log that was read. @throws LogBlockMismatchError, LogHeadMismatchError */
  async #compare(rpc: JsonRpc, views: Heads, ahead: EntriesAhead): Promise<ComparedPoint> {
    const before = this.#compared
    const head = plain(views.head.block)
    const found = plain(views.settled.block)
    await checkBlocks(rpc, ahead.blocksAbove(found.number))
    const [heads] = await Promise.all(
      [...new Set([views.head, views.settled])].map((view) => compareHeads(this.deployment, view, ahead)),
    )
    const { kind, detail } = views.head.evidence
    return {
      head,
      // A node that forgot what is final takes nobody back: the final block that was known is still on the chain.
      settled: before !== undefined && before.settled.number > found.number ? before.settled : found,
      heads: heads as GlobalHeads,
      evidence: { kind, detail },
      at: Math.floor(this.#now().getTime() / 1000),
    }
  }

  /** Makes entries that were compared part of the log, in memory and in the store. */
  async #takeIn(
    compared: ComparedPoint,
    ahead: EntriesAhead,
    change: { rows: readonly ReplicaRow[]; dropFrom?: number },
  ): Promise<SyncReport> {
    const old = this.#states
    const log = this.#log
    const undone = log.length - ahead.base
    const nowFinal = Math.min(ahead.base, log.countUpTo(compared.settled.number))
    const changes = [...log.changes(ahead.base, log.length), ...log.changes(old?.settled.count ?? 0, nowFinal)]
    try {
      log.truncate(ahead.base)
      for (const [i, entry] of ahead.ready.entries()) {
        // Nobody is made to wait for a large portion, unless what everybody looks at is just being exchanged.
        if (i > 0 && i % PORTION === 0 && undone === 0) await pause(0)
        log.append(entry, entry.entry.block <= compared.settled.number)
        if (this.#listeners.size > 0) changes.push(...log.changesOf(entry.entry))
      }
      // From here on, before anybody else has a turn: the states that are there must not be those that were taken back.
      this.#compared = compared
      this.#states = this.#statesAt(compared)
      const cursor = this.#cursor(this.#origin ?? compared.settled, compared.head, compared)
      await this.#store.write({ ...change, cursor })
    } catch (error) {
      // Memory is ahead of the store now: begin again with what the store holds.
      await this.#reload(error)
      throw error
    }
    const states = this.#states
    this.#read = undefined
    log.settle(states.settled.count)
    this.#ahead = this.#nothingAhead(log.length)
    this.#tell([...changes, ...lapsedSuspensions(old, states)])
    return {
      block: states.head.block,
      finalized: states.settled.block,
      entries: log.length,
      added: ahead.ready.length,
      undone,
      evidence: this.#evidence(compared),
    }
  }

  #statesAt({ head, settled }: ComparedPoint): { head: LogState; settled: LogState } {
    const log = this.#log
    const final = new LogState({
      log,
      count: log.countUpTo(settled.number),
      block: { ...settled, finality: "finalized" },
    })
    if (settled.number === head.number) return { head: final, settled: final }
    const newest = new LogState({ log, count: log.length, block: { ...head, finality: "latest" } })
    return { head: newest, settled: final }
  }

  #tell(changes: readonly FleetChange[]): void {
    if (changes.length === 0) return
    for (const listener of this.#listeners) {
      try {
        listener(changes)
      } catch (error) {
        // It is the listener's fault and not the sync's, and nobody else's to hide.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  /** What the replica knows of the chain, ascending, from the final block on. */
  #knownBlocks(): ReplicaBlock[] {
    const compared = this.#compared
    if (compared === undefined) return this.#read === undefined ? [] : [this.#read]
    const { settled, head } = compared
    const blocks = new Map<number, ReplicaBlock>([[settled.number, settled]])
    const { blocks: all } = this.#log
    for (let i = all.length - 1; i >= 0; i--) {
      const block = all[i] as ReplicaBlock
      if (block.number <= settled.number) break
      blocks.set(block.number, plain(block))
    }
    blocks.set(head.number, head)
    if (this.#read !== undefined) blocks.set(this.#read.number, this.#read)
    return [...blocks.values()].sort((a, b) => a.number - b.number)
  }

  /** Forgets what was read beyond what was compared. */
  async #dropAhead(): Promise<void> {
    const compared = this.#compared
    this.#read = undefined
    this.#ahead = this.#nothingAhead(this.#log.length)
    if (compared === undefined) return this.#store.clear()
    const cursor = this.#cursor(this.#origin ?? compared.settled, compared.head, compared)
    return this.#store.write({ dropFrom: compared.head.number + 1, rows: [], cursor })
  }

  #cursor(origin: ReplicaBlock, read: ReplicaBlock, compared: ComparedPoint | undefined): ReplicaCursor {
    return { identity: replicaIdentity(this.deployment), origin, read, compared }
  }

  async #reload(cause: unknown): Promise<void> {
    try {
      await this.#load()
    } catch (error) {
      this.#states = undefined
      this.#mustLoad = true
      if (!(error instanceof ReplicaStoreError)) throw error
      error.cause ??= cause
      throw error
    }
  }

  /** Replays what the store holds. @throws ReplicaStoreDamagedError */
  async #load(): Promise<void> {
    const { log, ahead, cursor } = await this.#replay()
    this.#log = log
    this.#ahead = ahead
    this.#origin = cursor?.origin
    this.#compared = cursor?.compared
    this.#read =
      cursor !== undefined && cursor.read.number > (cursor.compared?.head.number ?? -1) ? cursor.read : undefined
    this.#states = this.#compared === undefined ? undefined : this.#statesAt(this.#compared)
    this.#mustLoad = false
  }

  /** What the store's rows add up to, checked against the heads that its cursor names. */
  async #replay(): Promise<{
    log: FleetLog
    ahead: EntriesAhead
    cursor: ReplicaCursor | undefined
  }> {
    const { deployment } = this
    const log = new FleetLog(deployment)
    const start = (base: number): EntriesAhead => new EntriesAhead({ deployment, crypto: this.#crypto, log, base })
    const damaged = (reason: string, cause?: unknown): never => {
      throw new ReplicaStoreDamagedError({ path: this.#store.name, reason, cause })
    }
    const { cursor, rows: portions } = await this.#store.load()
    const identity = replicaIdentity(deployment)
    if (cursor !== undefined && cursor.identity !== identity) {
      const { name } = this.#store
      throw new ReplicaStoreForeignError({ path: name, expected: `deployment ${identity}`, found: cursor.identity })
    }
    const border = cursor?.compared?.head.number ?? -1
    const final = cursor?.compared?.settled.number ?? -1
    const [compared, ahead] = [start(0), []] as [EntriesAhead, ReplicaRow[]]
    try {
      for await (const rows of portions) {
        const cut = rows.findIndex(({ block }) => block > border)
        const [before, after] = cut < 0 || ahead.length > 0 ? [rows, []] : [rows.slice(0, cut), rows.slice(cut)]
        if (ahead.length > 0) ahead.push(...before)
        else await compared.take(before)
        for (const entry of compared.ready.splice(0)) log.append(entry, entry.entry.block <= final)
        ahead.push(...after)
      }
      const further = start(log.length)
      await further.take(ahead)
      const beyond = ahead.at(-1)?.block
      if (beyond !== undefined && beyond > (cursor?.read.number ?? -1))
        damaged(`it has logs of block ${beyond}, which was not read`)
      if (cursor?.compared !== undefined) {
        const { heads } = cursor.compared
        for (const contract of loggedContracts(deployment)) {
          const found = toHex(log.heads.globalAfter(log.length, contract))
          if (found !== heads[contract]) damaged(`its logs of ${contract} do not lead to the head that was compared`)
        }
      }
      return { log, ahead: further, cursor }
    } catch (error) {
      if (error instanceof ReplicaContradictedError) return damaged(error.message, error)
      throw error
    }
  }

  async #verify(ledger: Ledger): Promise<VerifyReport> {
    const { deployment } = this
    const views = await ledger.heads("finalized")
    // The sync and what follows it are about the same blocks.
    const trust: Ledger = {
      deployment,
      heads: async () => views,
      at: (f) => ledger.at(f),
      atTime: (t) => ledger.atTime(t),
    }
    const { block, evidence } = await this.#sync({ trust })
    const { log } = await this.#replay()
    const { heads } = new EntriesAhead({ deployment, crypto: this.#crypto, log, base: log.length })
    let logs = 0
    for (const contract of loggedContracts(deployment)) {
      const ids = everyManufacturer(deployment, heads)
      logs += ids.length
      const [differs] = await differences(views.head, contract, heads, ids)
      if (differs === undefined) continue
      this.#fault = new LogHeadMismatchError({ contract, block: block.number, ...differs })
      throw this.#fault
    }
    return { block, entries: log.length, logs, evidence }
  }
}

function plain({ number, hash, timestamp }: ReplicaBlock): ReplicaBlock {
  return { number, hash, timestamp }
}

function isRefusal(error: unknown): error is ReplicaContradictedError {
  return error instanceof ReplicaContradictedError
}
