import type { Hex } from "../../crypto/hex.ts"
import { FleetrootError } from "../../errors/base.ts"
import {
  EndpointStatusError,
  EndpointTimeoutError,
  EndpointUnreachableError,
  HistoryUnavailableError,
  ReplyMalformedError,
  ReplyTooLargeError,
  RpcRejectedError,
} from "../../errors/ledger.ts"
import { QuorumDisputedError, QuorumMissingError } from "../../errors/proofs.ts"
import type { EndpointReport } from "../../errors/proofs.ts"
import type {
  Batch,
  BitRevocation,
  Block,
  CredentialRecord,
  Evidence,
  LedgerKey,
  LedgerView,
  LogHead,
  LoggedContract,
  Manufacturer,
  OperatorGrant,
  Release,
  ReleaseTexts,
  ReleaseThreshold,
} from "../ledger.ts"
import { canonical } from "../proven/canonical.ts"
import { gather } from "../proven/gather.ts"
import type { GatherOptions } from "../proven/gather.ts"

/** One endpoint's view of the agreed block. */
export type MemberView = { readonly endpoint: string; readonly view: LedgerView }

export type QuorumViewOptions = {
  readonly block: Block
  readonly evidence: Evidence
  readonly members: readonly MemberView[]
  readonly k: number
  readonly patience: GatherOptions
  readonly unconfirmed?: readonly LedgerView[]
}

/** Errors that say something of an endpoint and nothing of the ledger. All others are answers, on which endpoints may agree. */
const FAULTS = [
  EndpointStatusError,
  EndpointTimeoutError,
  EndpointUnreachableError,
  HistoryUnavailableError,
  ReplyMalformedError,
  ReplyTooLargeError,
  RpcRejectedError,
]

type Answer<T> = { readonly value: T } | { readonly error: FleetrootError }

/** The registries at a block that a quorum agreed on; each answer is one that `k` endpoints gave alike. */
export class QuorumView implements LedgerView {
  readonly block: Block
  /** Heads beyond this one that one endpoint alone tells of. Bad news from there makes good doubtful, nothing else counts. */
  readonly unconfirmed: readonly LedgerView[]
  readonly #options: QuorumViewOptions
  readonly #dissent = new Map<string, string>()

  constructor(options: QuorumViewOptions) {
    this.block = options.block
    this.unconfirmed = options.unconfirmed ?? []
    this.#options = options
  }

  get evidence(): Evidence {
    const { kind, detail } = this.#options.evidence
    const dissent = [...this.#dissent].map(([endpoint, state]) => `; ${endpoint}: ${state}`).join("")
    return { kind, detail: `${detail}${dissent}` }
  }

  manufacturer(manufacturerId: number): Promise<Manufacturer | undefined> {
    return this.#ask(`manufacturer ${manufacturerId}`, (view) => view.manufacturer(manufacturerId))
  }

  operator(manufacturerId: number, account: Hex): Promise<OperatorGrant | undefined> {
    return this.#ask(`operator ${account}`, (view) => view.operator(manufacturerId, account))
  }

  key(manufacturerId: number, keyIndex: number): Promise<LedgerKey | undefined> {
    return this.#ask(`key ${keyIndex} of manufacturer ${manufacturerId}`, (view) => view.key(manufacturerId, keyIndex))
  }

  keyById(keyId: Hex): Promise<LedgerKey | undefined> {
    return this.#ask(`key ${keyId}`, (view) => view.keyById(keyId))
  }

  keysByIdentifier(identifier: Hex): Promise<readonly LedgerKey[]> {
    return this.#ask(`keys ${identifier}`, (view) => view.keysByIdentifier(identifier))
  }

  batch(manufacturerId: number, series: number): Promise<Batch | undefined> {
    return this.#ask(`batch ${series} of manufacturer ${manufacturerId}`, (view) => view.batch(manufacturerId, series))
  }

  async word(manufacturerId: number, series: number, word: number): Promise<bigint> {
    const [bits] = await this.words(manufacturerId, series, word, 1)
    return bits as bigint
  }

  words(manufacturerId: number, series: number, firstWord: number, count: number): Promise<readonly bigint[]> {
    const what = `words ${firstWord} and on of batch ${series} of manufacturer ${manufacturerId}`
    return this.#ask(what, (view) => view.words(manufacturerId, series, firstWord, count))
  }

  bitRevocation(manufacturerId: number, series: number, index: number): Promise<BitRevocation | undefined> {
    const what = `the revocation of place ${index} of batch ${series}`
    return this.#ask(what, (view) => view.bitRevocation(manufacturerId, series, index))
  }

  record(manufacturerId: number, subject: Hex): Promise<CredentialRecord> {
    return this.#ask(`record ${subject}`, (view) => view.record(manufacturerId, subject))
  }

  logHead(contract: LoggedContract, manufacturerId: number): Promise<LogHead> {
    return this.#ask(`the log of ${contract}`, (view) => view.logHead(contract, manufacturerId))
  }

  globalLogHead(contract: LoggedContract): Promise<Hex> {
    return this.#ask(`the logs of ${contract}`, (view) => view.globalLogHead(contract))
  }

  release(manufacturerId: number, product: Hex, securityVersion: number): Promise<Release | undefined> {
    return this.#ask(`release ${securityVersion}`, (view) => view.release(manufacturerId, product, securityVersion))
  }

  releaseByImage(manufacturerId: number, product: Hex, imageDigest: Hex): Promise<Release | undefined> {
    return this.#ask(`image ${imageDigest}`, (view) => view.releaseByImage(manufacturerId, product, imageDigest))
  }

  latestRelease(manufacturerId: number, product: Hex): Promise<Release | undefined> {
    return this.#ask(`the newest release of ${product}`, (view) => view.latestRelease(manufacturerId, product))
  }

  minimumSecurityVersion(manufacturerId: number, product: Hex): Promise<number> {
    return this.#ask(`the minimum of ${product}`, (view) => view.minimumSecurityVersion(manufacturerId, product))
  }

  releaseThreshold(manufacturerId: number): Promise<ReleaseThreshold> {
    const what = `the threshold of manufacturer ${manufacturerId}`
    return this.#ask(what, (view) => view.releaseThreshold(manufacturerId))
  }

  releaseTexts(release: Release): Promise<ReleaseTexts | undefined> {
    return this.#ask(`the texts of release ${release.securityVersion}`, (view) => view.releaseTexts(release))
  }

  /**
   * What k endpoints answer alike.
   *
   * @throws QuorumMissingError when there is no such answer; QuorumDisputedError when there are two.
   * @throws the error that k endpoints agree on.
   */
  async #ask<T>(what: string, question: (view: LedgerView) => Promise<T>): Promise<T> {
    const { members, k, patience } = this.#options
    const asked = members.map(({ view }) => answerOf(question(view)))
    let told = await gather(asked, patience)
    if (this.#largest(told) < k && told.some(({ state }) => state === "silent")) {
      told = await gather(asked, { ...patience, enough: asked.length })
    }
    const groups = new Map<string, { answer: Answer<T>; endpoints: string[] }>()
    const reports: EndpointReport[] = []
    for (const [i, one] of told.entries()) {
      const endpoint = members[i]?.endpoint ?? ""
      if (one.state !== "answered") {
        const code =
          one.state === "failed" && one.error instanceof FleetrootError ? one.error.code : "no answer in time"
        reports.push({ endpoint, state: code })
        continue
      }
      const key = keyOf(one.value)
      const group = groups.get(key) ?? { answer: one.value, endpoints: [] }
      groups.set(key, { ...group, endpoints: [...group.endpoints, endpoint] })
      reports.push({ endpoint, state: key.length > 60 ? `${key.slice(0, 60)}…` : key })
    }
    const [agreed, rival] = [...groups.values()].filter(({ endpoints }) => endpoints.length >= k)
    if (agreed === undefined) {
      throw new QuorumMissingError({ what: `${what} at block ${this.block.number}`, needed: k, endpoints: reports })
    }
    if (rival !== undefined) {
      throw new QuorumDisputedError({ what: `${what} at block ${this.block.number}`, endpoints: reports })
    }
    for (const { endpoint } of reports) {
      if (!agreed.endpoints.includes(endpoint)) this.#dissent.set(endpoint, `no or another answer about ${what}`)
    }
    if ("error" in agreed.answer) throw agreed.answer.error
    return agreed.answer.value
  }

  #largest(told: readonly { readonly state: string; readonly value?: Answer<unknown> }[]): number {
    const counts = new Map<string, number>()
    for (const { value } of told) {
      if (value !== undefined) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1)
    }
    return Math.max(0, ...counts.values())
  }
}

function keyOf(answer: Answer<unknown>): string {
  return "error" in answer ? `error ${answer.error.code}` : canonical(answer.value)
}

/** An error about the ledger is an answer; one about the endpoint is none. */
async function answerOf<T>(question: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await question }
  } catch (error) {
    if (error instanceof FleetrootError && !FAULTS.some((fault) => error instanceof fault)) return { error }
    throw error
  }
}
