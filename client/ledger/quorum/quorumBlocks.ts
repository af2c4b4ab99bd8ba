import type { Hex } from "../../crypto/hex.ts"
import { FleetrootError } from "../../errors/base.ts"
import { QuorumDisputedError, QuorumMissingError, QuorumSizeError } from "../../errors/proofs.ts"
import type { EndpointReport } from "../../errors/proofs.ts"
import type { Deployment } from "../deployment.ts"
import { FinalHead } from "../finalHead.ts"
import type { HeadMemory } from "../finalHead.ts"
import type { Evidence, Finality } from "../ledger.ts"
import { blockAtTime } from "../proven/blockAtTime.ts"
import type { BlockSource, LoneHead, SourcedBlock } from "../proven/blockSource.ts"
import { gather } from "../proven/gather.ts"
import type { Gathered, GatherOptions } from "../proven/gather.ts"
import { NodeHeads } from "../proven/nodeHeads.ts"
import type { NodeBlock } from "../proven/nodeHeads.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"

export type QuorumOptions = {
  deployment: Deployment
  /** Nodes run by different parties, each once and with a name of its own. */
  endpoints: readonly JsonRpc[]
  /** How many of them must agree. */
  k: number
  /** Default: remembered while this object lives. */
  headMemory?: HeadMemory
  /** How long the others are waited for once enough answered, in milliseconds. Default: 500. */
  patienceMs?: number
  /** Nobody is waited for longer, in milliseconds. Default: 5,000. */
  timeoutMs?: number
}

/** A block that enough endpoints have, and what each endpoint did. */
export type AgreedBlock = SourcedBlock & {
  readonly block: NodeBlock
  readonly reports: readonly EndpointReport[]
  /** The endpoints that have it. */
  readonly holders: readonly JsonRpc[]
}

/** The newest block of one endpoint, of some finality. */
type Claim = { readonly heads: NodeHeads; readonly block: NodeBlock }
type Vote = { readonly heads: NodeHeads; readonly block: NodeBlock }

/** How far below the newest blocks a common one is sought: forks at the tip are short. */
const STEPS_BACK = [1, 2, 4, 8, 16, 32, 64]
const AGREES = "agrees"
/** A lone head farther ahead than this is a node on a chain of its own. */
const FARTHEST_AHEAD = 64

/**
 * The newest block that `k` of the endpoints have, for each finality. A minority that lies, lags, hangs or sends garbage changes
 * nothing but the evidence.
 */
export class QuorumBlocks implements BlockSource {
  readonly k: number
  readonly #members: readonly NodeHeads[]
  readonly #patience: GatherOptions
  readonly #finalHead: FinalHead
  readonly #firstNumber: number

  /** @throws QuorumSizeError */
  constructor({ deployment, endpoints, k, headMemory, patienceMs = 500, timeoutMs = 5_000 }: QuorumOptions) {
    const distinct = new Set(endpoints.map(({ endpoint }) => endpoint)).size
    if (!Number.isSafeInteger(k) || k < 1 || k > distinct || distinct !== endpoints.length) {
      throw new QuorumSizeError({ quorum: k, endpoints: distinct })
    }
    this.k = k
    this.#members = endpoints.map((rpc) => new NodeHeads(deployment, rpc))
    this.#patience = { enough: k, graceMs: patienceMs, timeoutMs }
    this.#finalHead = new FinalHead(headMemory)
    this.#firstNumber = deployment.block.number
  }

  /**
   * @throws QuorumMissingError when too few agree; QuorumDisputedError when two groups of `k` do not agree with each other.
   * @throws HeadRolledBackError when the quorum takes back what was final.
   */
  async newest(
    finalities: readonly Finality[],
    onAsked?: () => void,
  ): Promise<{ blocks: readonly AgreedBlock[]; lone: readonly LoneHead[] }> {
    const asked = this.#members.map((heads) => heads.read(finalities).then(({ newest }) => newest))
    onAsked?.()
    let told = await gather(asked, this.#patience)
    let blocks: AgreedBlock[]
    try {
      blocks = await this.#agreeAll(finalities, told)
    } catch (error) {
      const waiting = told.some(({ state }) => state === "silent")
      if (!(error instanceof QuorumMissingError) || !waiting) throw error
      // The slow ones may make the difference.
      told = await gather(asked, { ...this.#patience, enough: asked.length })
      blocks = await this.#agreeAll(finalities, told)
    }
    return { blocks, lone: this.#loneHeads(finalities, told, blocks) }
  }

  /** @throws TimeOutOfRangeError, HistoryUnavailableError and what {@link newest} throws. */
  async atTime(timestamp: number): Promise<AgreedBlock> {
    const { blocks } = await this.newest(["finalized"])
    const [final] = blocks as [AgreedBlock]
    const agreed = new Map([[final.block.hash, final]])
    const block = await blockAtTime({
      timestamp,
      firstNumber: this.#firstNumber,
      newest: final.block,
      byNumber: async (number) => {
        const found = await this.#byNumber(number)
        if (found !== undefined) agreed.set(found.block.hash, found)
        return found?.block
      },
    })
    return agreed.get(block.hash) ?? final
  }

  async #agreeAll(finalities: readonly Finality[], told: readonly Gathered<NodeBlock[]>[]): Promise<AgreedBlock[]> {
    return Promise.all(
      finalities.map(async (finality, i) => {
        const claims = told.flatMap((one, member): Claim[] => {
          const heads = this.#members[member]
          const block = one.state === "answered" ? one.value[i] : undefined
          return heads === undefined || block === undefined ? [] : [{ heads, block }]
        })
        const found = await this.#agree(finality, claims, told)
        if (finality !== "finalized") return found
        let agreed: AgreedBlock | undefined
        const block = await this.#finalHead.advance(found.block, async (number) => {
          agreed = await this.#byNumber(number)
          return agreed?.block
        })
        // Another than found is one that was final before and that the quorum still has.
        return block.hash === found.block.hash ? found : (agreed ?? found)
      }),
    )
  }

  /** The highest block that enough of these have. */
  async #agree(what: string, claims: readonly Claim[], told: readonly Gathered<unknown>[]): Promise<AgreedBlock> {
    const numbers = claims.map(({ block }) => block.number).sort((a, b) => b - a)
    const highest = numbers[this.k - 1]
    const lowest = numbers.at(-1)
    if (highest !== undefined && lowest !== undefined) {
      const reported = [...new Set(numbers.filter((number) => number <= highest))]
      const below = STEPS_BACK.map((step) => lowest - step).filter((number) => number >= this.#firstNumber)
      for (const number of [...reported, ...below]) {
        const group = await this.#groupAt(number, claims)
        if (group !== undefined) return this.#agreed(group, claims, told)
      }
    }
    const reports = this.#reports(told, claims)
    const failure = told.find((one) => one.state === "failed")
    throw new QuorumMissingError({ what: `a ${what} block`, needed: this.k, endpoints: reports, cause: failure?.error })
  }

  /** Those who have one and the same block of this number, if they are enough. */
  async #groupAt(number: number, claims: readonly Claim[]): Promise<Vote[] | undefined> {
    const reaching = claims.filter(({ block }) => block.number >= number)
    const direct = reaching.filter(({ block }) => block.number === number)
    // Two groups of k can only be where k is at most half: then everybody is heard.
    if (2 * this.k > this.#members.length) {
      const [group] = this.#groups(direct)
      if (group !== undefined) return group
    }
    const others = reaching.filter(({ block }) => block.number > number)
    const asked = await gather(
      others.map(async ({ heads }): Promise<Vote[]> => {
        const block = await heads.byNumber(number)
        return block === undefined ? [] : [{ heads, block }]
      }),
      { ...this.#patience, enough: Math.max(1, this.k - direct.length) },
    )
    const votes = [...direct, ...asked.flatMap((one) => (one.state === "answered" ? one.value : []))]
    const [group, rival] = this.#groups(votes)
    if (group !== undefined && rival !== undefined) throw this.#dispute(`block ${number}`, votes)
    return group
  }

  /** The block of a number that enough have; undefined if enough say that there is none. */
  async #byNumber(number: number): Promise<AgreedBlock | undefined> {
    const asked = this.#members.map((heads) => heads.byNumber(number))
    let told = await gather(asked, this.#patience)
    const undecided = (): boolean => told.filter(({ state }) => state === "answered").length < this.#members.length
    let found = this.#decide(number, told)
    if (found === undefined && undecided()) {
      told = await gather(asked, { ...this.#patience, enough: asked.length })
      found = this.#decide(number, told)
    }
    if (found !== undefined) return found === "none" ? undefined : found
    const endpoints = this.#reports(told, [])
    throw new QuorumMissingError({ what: `block ${number}`, needed: this.k, endpoints })
  }

  #decide(number: number, told: readonly Gathered<NodeBlock | undefined>[]): AgreedBlock | "none" | undefined {
    const votes = told.flatMap((one, i): Vote[] => {
      const heads = this.#members[i]
      const block = one.state === "answered" ? one.value : undefined
      return heads === undefined || block === undefined ? [] : [{ heads, block }]
    })
    const [group, rival] = this.#groups(votes)
    const lacking = told.filter((one) => one.state === "answered" && one.value === undefined).length
    if (group !== undefined && (rival !== undefined || lacking >= this.k)) throw this.#dispute(`block ${number}`, votes)
    if (group !== undefined) return this.#agreed(group, votes, told)
    return lacking >= this.k ? "none" : undefined
  }

  /** Groups of at least k that tell the same hash, parent and time. */
  #groups(votes: readonly Vote[]): Vote[][] {
    const groups = new Map<string, Vote[]>()
    for (const vote of votes) {
      const { hash, parentHash, timestamp } = vote.block
      const key = `${hash}:${parentHash}:${timestamp}`
      groups.set(key, [...(groups.get(key) ?? []), vote])
    }
    return [...groups.values()].filter((group) => group.length >= this.k)
  }

  #agreed(group: readonly Vote[], claims: readonly Claim[], told: readonly Gathered<unknown>[]): AgreedBlock {
    const { block } = group[0] as Vote
    const reports = this.#reports(told, claims, group)
    const holders = this.#members.filter((heads) => group.some((vote) => vote.heads === heads)).map(({ rpc }) => rpc)
    return { block, holders, reports, evidence: this.#evidence(block.number, reports) }
  }

  #reports(
    told: readonly Gathered<unknown>[],
    claims: readonly Claim[],
    group: readonly Vote[] = [],
  ): EndpointReport[] {
    const agreed = group[0]?.block
    return this.#members.map((heads, i) => {
      const { endpoint } = heads.rpc
      const state = (): string => {
        if (group.some((vote) => vote.heads === heads)) return AGREES
        const one = told[i]
        if (one?.state === "failed") return one.error instanceof FleetrootError ? one.error.code : "failed"
        const claim = claims.find((each) => each.heads === heads)
        if (one?.state === "silent" || claim === undefined) return "no answer in time"
        const { number, hash } = claim.block
        if (agreed === undefined) return `block ${number} (${short(hash)})`
        if (number < agreed.number) return `${agreed.number - number} blocks behind`
        if (number > agreed.number) return `${number - agreed.number} blocks ahead`
        return `another block ${number} (${short(hash)})`
      }
      return { endpoint, state: state() }
    })
  }

  /** What a verdict says: who agreed, and what the others did. A quorum of one is one node that is believed. */
  #evidence(number: number, reports: readonly EndpointReport[]): Evidence {
    const agreeing = reports.filter(({ state }) => state === AGREES).map(({ endpoint }) => endpoint)
    const others = reports
      .filter(({ state }) => state !== AGREES)
      .map(({ endpoint, state }) => `; ${endpoint}: ${state}`)
    const total = this.#members.length
    const detail = `${agreeing.length} of ${total} endpoints agree on block ${number}: ${agreeing.join(", ")}${others.join("")}`
    return { kind: this.k === 1 ? "singleNode" : "quorum", detail }
  }

  #dispute(what: string, votes: readonly Vote[]): QuorumDisputedError {
    const endpoints = votes.map(({ heads, block }) => ({ endpoint: heads.rpc.endpoint, state: short(block.hash) }))
    return new QuorumDisputedError({ what, endpoints })
  }

  /** What single endpoints tell beyond the agreed head. */
  #loneHeads(
    finalities: readonly Finality[],
    told: readonly Gathered<NodeBlock[]>[],
    blocks: readonly AgreedBlock[],
  ): LoneHead[] {
    const latest = finalities.indexOf("latest")
    const agreed = blocks[latest]
    if (agreed === undefined) return []
    return told.flatMap((one, i) => {
      const rpc = this.#members[i]?.rpc
      const block = one.state === "answered" ? one.value[latest] : undefined
      if (rpc === undefined || block === undefined) return []
      const distance = block.number - agreed.block.number
      return distance > 0 && distance <= FARTHEST_AHEAD ? [{ block, rpc }] : []
    })
  }
}

function short(hash: Hex): string {
  return `${hash.slice(0, 10)}…`
}
