import { defaultCrypto } from "../../crypto/defaultCrypto.ts"
import type { CryptoBackend } from "../../crypto/types.ts"
import { FleetrootError } from "../../errors/base.ts"
import { ReplyMalformedError } from "../../errors/ledger.ts"
import { StateProofUnavailableError } from "../../errors/proofs.ts"
import type { Hex } from "../../crypto/hex.ts"
import type { Deployment } from "../deployment.ts"
import { hexNumber } from "../events.ts"
import type { HeadMemory } from "../finalHead.ts"
import { KeyEvents } from "../keyEvents.ts"
import type { Block, Evidence, Finality, Interest, Ledger, LedgerView } from "../ledger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import type { BlockSource, LoneHead, SourcedBlock } from "./blockSource.ts"
import { EndpointOrder } from "./endpointOrder.ts"
import { firstGood } from "./firstGood.ts"
import { gather } from "./gather.ts"
import type { GatherOptions } from "./gather.ts"
import { verifyHeader } from "./header.ts"
import type { HeaderFormat, ProvenHeader } from "./header.ts"
import { joinCalls } from "./joinCalls.ts"
import { KeyHints } from "./keyHints.ts"
import { NodeBlocks } from "./nodeBlocks.ts"
import { ProvenState, proofCalls } from "./provenState.ts"
import type { Wanted } from "./provenState.ts"
import { ProvenView } from "./provenView.ts"
import type { Told } from "./provenView.ts"
import { ProvenWords } from "./provenWords.ts"
import { ReadLog } from "./readLog.ts"
import { nothingTold, toldBy } from "./told.ts"

export type ProvenLedgerOptions = {
  deployment: Deployment
  /** Who is asked for headers and proofs, in this order. None of them is believed. */
  rpc: JsonRpc | readonly JsonRpc[]
  /** Who says which blocks the chain has. Default: the first endpoint, which is believed about that alone. */
  blocks?: BlockSource
  /** How many endpoints must tell alike what no state proof covers (when and why a place was revoked). Default: one without
   * `blocks`; with `blocks` nothing of this is believed. */
  tellers?: number
  /** Checks the possession proofs of keys that the contract cannot check. Default: the platform's. */
  crypto?: CryptoBackend
  /** Default: remembered while this object lives. Not used with `blocks`. */
  headMemory?: HeadMemory
  /** How this chain's headers are hashed. Default and only choice so far: `ethereum`. */
  headerFormat?: HeaderFormat
  /** After how long without an answer the next endpoint is asked too, in milliseconds. Default: 500. */
  patienceMs?: number
  /** Nobody is waited for longer, in milliseconds. Default: 10,000. */
  timeoutMs?: number
}

/** A lone head may be this many blocks beyond the one that is vouched for; more is not looked at. */
const FARTHEST_LONE_HEAD = 4

/**
 * The ledger by proof: every value is checked by a Merkle-Patricia proof against the state root of a block, code included, and
 * the block's header against its hash. Believed is only who says which block is the newest (`blocks`).
 *
 * With an `interest` the header and all proofs travel in one round trip. Another is needed where something could not be known
 * in advance: the issuer's key of a batch that is not its first, texts longer than 31 octets (both only the first time), keys
 * by identifier, keys that are not P-256, a block that came in between, manufacturers or keys that changed since the last final
 * block.
 */
export class ProvenLedger implements Ledger {
  readonly deployment: Deployment
  readonly #endpoints: EndpointOrder
  readonly #blocks: BlockSource
  /** Whether the first endpoint itself says which block is the newest. */
  readonly #believesNode: boolean
  readonly #hints: KeyHints
  readonly #told: Told
  readonly #patience: GatherOptions
  readonly #words = new ProvenWords()
  readonly #log = new ReadLog()
  /** Whether the settled block was another than the head last time: only then is it worth asking for its proofs as well. */
  #settledDiffers = true
  /** Whether the manufacturers' registry changed between the two last time. */
  #manufacturersDiffer = false

  constructor(options: ProvenLedgerOptions) {
    const { deployment, rpc, blocks, patienceMs = 500, timeoutMs = 10_000 } = options
    const endpoints = "requestMany" in rpc ? [rpc] : rpc
    const [first] = endpoints
    if (first === undefined) throw new StateProofUnavailableError({ endpoint: "An empty list", cause: undefined })
    const crypto = options.crypto ?? defaultCrypto()
    this.deployment = deployment
    const joined = blocks === undefined ? endpoints.map(joinCalls) : endpoints
    this.#endpoints = new EndpointOrder(joined)
    this.#believesNode = blocks === undefined
    const [own] = joined as [JsonRpc]
    const { headMemory } = options
    this.#blocks =
      blocks ?? new NodeBlocks({ deployment, rpc: own, ...(headMemory === undefined ? {} : { headMemory }) })
    this.#patience = { enough: 1, graceMs: patienceMs, timeoutMs }
    const tellers = options.tellers ?? (blocks === undefined ? 1 : 0)
    this.#hints = new KeyHints(deployment, joined, crypto, { ...this.#patience, enough: Math.max(1, tellers) })
    const keyEvents = new KeyEvents(deployment, own, crypto)
    const patience = { ...this.#patience, enough: tellers }
    const believed = blocks === undefined ? [own] : joined
    this.#told = tellers === 0 ? nothingTold : toldBy(deployment, believed, keyEvents, tellers, patience)
  }

  /**
   * @throws HeaderFormatUnknownError, HeaderMismatchError when the block's header is not what its hash says.
   * @throws what the block source throws.
   */
  async at(finality: Finality): Promise<LedgerView> {
    const { blocks } = await this.#blocks.newest([finality])
    const [newest] = blocks as [SourcedBlock]
    return this.#view(await this.#proven(newest, finality))
  }

  /**
   * Throws as {@link at}.
   *
   * @param interest What will be asked of the views: its proofs are asked for in the same round trip.
   */
  async heads(finality: Finality, interest?: Interest): Promise<{ head: LedgerView; settled: LedgerView }> {
    const early = interest === undefined ? [] : this.#plan(interest, finality)
    let offers: Promise<unknown[] | undefined>[] = []
    const { blocks, lone } = await this.#blocks.newest(["latest", finality], () => {
      offers = early.map(({ wanted, name }) => this.#askEarly(wanted, name))
    })
    const [latest, final] = blocks as [SourcedBlock, SourcedBlock]
    const settled = await this.#proven(final, finality)
    // A block may have come between the two answers: what is settled is known anyway.
    const same = latest.block.number <= final.block.number
    const head = same ? settled : await this.#proven(latest, "latest")
    this.#settledDiffers = !same
    const replies = await this.#inTime(offers)
    const targets = same ? [settled] : [head, settled]
    for (const [i, { state }] of targets.entries()) {
      const [plan, reply] = [early[i], replies[i]]
      if (plan !== undefined && reply !== undefined) await state.offer(plan.wanted, reply)
    }
    if (!same && early.length > 1) {
      const [now, before] = [head.state.storageRoot("manufacturers"), settled.state.storageRoot("manufacturers")]
      this.#manufacturersDiffer = now !== before
    }
    const unconfirmed = await this.#loneViews(lone, head)
    const headView = this.#view(head, unconfirmed)
    return { head: headView, settled: same ? headView : this.#view(settled) }
  }

  /** Throws as {@link at}; TimeOutOfRangeError, HistoryUnavailableError where no endpoint has proofs of that time any more. */
  async atTime(timestamp: number): Promise<LedgerView> {
    return this.#view(await this.#proven(await this.#blocks.atTime(timestamp), "finalized"))
  }

  /** What to ask for along with the heads, guessing from last time how much the two blocks have in common. */
  #plan(interest: Interest, finality: Finality): { wanted: Wanted; name: string }[] {
    const wanted = this.#log.plan(interest)
    const head = { wanted, name: "latest" }
    if (!this.#settledDiffers) return [head]
    // Manufacturers change rarely: where the root of their storage is the same, what was proven under it counts for both blocks.
    const rest = this.#manufacturersDiffer ? wanted : new Map([...wanted, ["manufacturers", []] as const])
    return [head, { wanted: rest, name: finality }]
  }

  /** Whatever goes wrong here does not matter: what is missing is asked for again. */
  async #askEarly(wanted: Wanted, name: string): Promise<unknown[] | undefined> {
    const [rpc] = this.#endpoints.list() as [JsonRpc]
    const asked = rpc.requestMany(proofCalls(this.deployment, wanted, name))
    const [reply] = await gather([asked], { ...this.#patience, graceMs: 0 })
    return reply?.state === "answered" ? reply.value : undefined
  }

  /** What came along with the heads, or soon after: a node that gives no proofs holds up nobody who can do without it. */
  async #inTime(offers: readonly Promise<unknown[] | undefined>[]): Promise<(unknown[] | undefined)[]> {
    const { graceMs } = this.#patience
    const found = await gather(offers, { enough: offers.length, graceMs: 0, timeoutMs: graceMs })
    return found.map((one) => (one.state === "answered" ? one.value : undefined))
  }

  async #proven({ block, evidence }: SourcedBlock, finality: Finality): Promise<ProvenBlock> {
    const header = await this.#header(block.hash, block.reply)
    if (header.number !== block.number) {
      const found = String(header.number)
      throw new ReplyMalformedError({ what: `block ${block.number}`, expected: `number ${block.number}`, found })
    }
    return this.#provenBlock(header, finality, this.#endpoints, evidence)
  }

  #provenBlock(header: ProvenHeader, finality: Finality, endpoints: EndpointOrder, evidence: Evidence): ProvenBlock {
    const { number, hash, timestamp } = header
    const faults = new Map<string, string>()
    const state = new ProvenState({
      deployment: this.deployment,
      header,
      endpoints,
      patienceMs: this.#patience.graceMs,
      timeoutMs: this.#patience.timeoutMs,
      words: this.#words,
      onFault: (endpoint, error) => {
        faults.set(endpoint, error instanceof FleetrootError ? error.code : "failed")
      },
    })
    return {
      header,
      state,
      block: { number, hash, timestamp, finality },
      evidence: () => {
        const failed = [...faults].map(([endpoint, code]) => `; ${endpoint} gave no valid proof (${code})`).join("")
        const detail = `${evidence.detail}; all values were proven against that hash${failed}`
        return { kind: evidence.kind, detail }
      },
    }
  }

  /** The header with this hash: as it was sent along, or as any endpoint has it. */
  async #header(hash: Hex, reply: unknown): Promise<ProvenHeader> {
    try {
      return verifyHeader(reply, hash)
    } catch (error) {
      const others = this.#endpoints.list()
      if (this.#believesNode) throw error
      const call = { method: "eth_getBlockByHash", params: [hash, false] }
      const ask = async (rpc: JsonRpc): Promise<ProvenHeader> => verifyHeader(await rpc.request(call), hash)
      return firstGood(others, ask, { patienceMs: this.#patience.graceMs, timeoutMs: this.#patience.timeoutMs })
    }
  }

  #view({ block, evidence, state }: ProvenBlock, unconfirmed: readonly LedgerView[] = []): ProvenView {
    const { deployment } = this
    return new ProvenView({
      deployment,
      block,
      evidence,
      state,
      hints: this.#hints,
      told: this.#told,
      log: this.#log,
      unconfirmed,
    })
  }

  /** Views of heads that one endpoint alone tells of, where their headers lead back to the head that is vouched for. */
  async #loneViews(lone: readonly LoneHead[], head: ProvenBlock): Promise<LedgerView[]> {
    const tried = await gather(
      lone.map(({ block, rpc }) => this.#loneView(block, rpc, head.header)),
      { ...this.#patience, enough: 0, timeoutMs: this.#patience.graceMs },
    )
    return tried.flatMap((one) => {
      // What one endpoint alone claims and cannot show is not even doubt.
      return one.state === "answered" && one.value !== undefined ? [one.value] : []
    })
  }

  async #loneView(
    block: { number: number; hash: Hex; reply: unknown },
    rpc: JsonRpc,
    head: ProvenHeader,
  ): Promise<LedgerView | undefined> {
    const distance = block.number - head.number
    if (distance < 1 || distance > FARTHEST_LONE_HEAD) return undefined
    const header = verifyHeader(block.reply, block.hash)
    const between = Array.from({ length: distance - 1 }, (_, i) => header.number - 1 - i)
    const replies =
      between.length === 0
        ? []
        : await rpc.requestMany(
            between.map((number) => ({ method: "eth_getBlockByNumber", params: [hexNumber(number), false] })),
          )
    let parentHash = header.parentHash
    for (const reply of replies) parentHash = verifyHeader(reply, parentHash).parentHash
    if (parentHash !== head.hash) return undefined
    const detail = `${rpc.endpoint} alone tells of block ${header.number}`
    return this.#view(this.#provenBlock(header, "latest", new EndpointOrder([rpc]), { kind: "loneClaim", detail }))
  }
}

type ProvenBlock = {
  readonly header: ProvenHeader
  readonly block: Block
  readonly evidence: () => Evidence
  readonly state: ProvenState
}
