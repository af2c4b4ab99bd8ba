import { defaultCrypto } from "../../crypto/defaultCrypto.ts"
import type { CryptoBackend } from "../../crypto/types.ts"
import type { Hex } from "../../crypto/hex.ts"
import { ContractMismatchError, ReplyMalformedError } from "../../errors/ledger.ts"
import { keccakHex } from "../abi/keccakHex.ts"
import type { Deployment } from "../deployment.ts"
import { KeyEvents } from "../keyEvents.ts"
import type { Finality, Ledger, LedgerView } from "../ledger.ts"
import type { LoneHead } from "../proven/blockSource.ts"
import type { GatherOptions } from "../proven/gather.ts"
import { joinCalls } from "../proven/joinCalls.ts"
import { ProvenLedger } from "../proven/provenLedger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { RpcView } from "../rpcView.ts"
import { QuorumBlocks } from "./quorumBlocks.ts"
import type { AgreedBlock, QuorumOptions } from "./quorumBlocks.ts"
import { QuorumView } from "./quorumView.ts"

export type QuorumLedgerOptions = QuorumOptions & {
  /** Checks the possession proofs of keys that the contract cannot check. Default: the platform's. */
  crypto?: CryptoBackend
}

/** One endpoint, which must have the deployment's code before it counts. */
class Member {
  readonly rpc: JsonRpc
  readonly keyEvents: KeyEvents
  readonly #deployment: Deployment
  #code: Promise<void> | undefined

  constructor(deployment: Deployment, rpc: JsonRpc, crypto: CryptoBackend) {
    this.rpc = rpc
    this.#deployment = deployment
    this.keyEvents = new KeyEvents(deployment, rpc, crypto)
  }

  view(block: AgreedBlock["block"], finality: Finality): LedgerView {
    const { number, hash, timestamp } = block
    const view = new RpcView({
      deployment: this.#deployment,
      rpc: this.#checked(hash),
      keyEvents: this.keyEvents,
      block: { number, hash, timestamp, finality },
    })
    return view
  }

  /** Everything that is asked at a block waits for the code at that block to be the right one. */
  #checked(blockHash: Hex): JsonRpc {
    const ready = (): Promise<void> => {
      this.#code ??= this.#checkCode(blockHash).catch((error: unknown) => {
        this.#code = undefined
        throw error
      })
      return this.#code
    }
    const { rpc } = this
    return {
      endpoint: rpc.endpoint,
      request: async (call) => (await Promise.all([rpc.request(call), ready()]))[0],
      requestMany: async (calls) => (await Promise.all([rpc.requestMany(calls), ready()]))[0],
    }
  }

  async #checkCode(blockHash: Hex): Promise<void> {
    const contracts = Object.entries(this.#deployment.contracts)
    const codes = await this.rpc.requestMany(
      contracts.map(([, { address }]) => ({ method: "eth_getCode", params: [address, { blockHash }] })),
    )
    contracts.forEach(([contract, { address, codeHash }], i) => {
      const code = codes[i]
      if (typeof code !== "string" || !/^0x([0-9a-fA-F]{2})*$/.test(code)) {
        const found = String(code).slice(0, 40)
        throw new ReplyMalformedError({ what: "eth_getCode", expected: "hexadecimal data", found })
      }
      const found = code === "0x" ? "no code" : keccakHex(code as Hex)
      if (found !== codeHash) throw new ContractMismatchError({ contract, address, expected: codeHash, found })
    })
  }
}

/**
 * The ledger as `k` of several nodes tell it alike. They must agree on the hash of the block that an answer is read at, and on
 * the answer. A minority that lies, lags, hangs or sends garbage changes nothing but the evidence; without a quorum there is an
 * error and no answer. With {@link QuorumLedger.proven} values are proven instead, and one honest endpoint is enough for them.
 */
export class QuorumLedger implements Ledger {
  readonly deployment: Deployment
  readonly #members: readonly Member[]
  readonly #blocks: QuorumBlocks
  readonly #patience: GatherOptions

  /** @throws QuorumSizeError */
  constructor(options: QuorumLedgerOptions) {
    const { deployment, k, patienceMs = 500, timeoutMs = 5_000, crypto = defaultCrypto() } = options
    const endpoints = options.endpoints.map(joinCalls)
    this.deployment = deployment
    this.#members = endpoints.map((rpc) => new Member(deployment, rpc, crypto))
    this.#blocks = new QuorumBlocks({ ...options, endpoints })
    // Where two groups could each be large enough, everybody is heard.
    const enough = 2 * k > endpoints.length ? k : endpoints.length
    this.#patience = { enough, graceMs: patienceMs, timeoutMs }
  }

  /** A quorum for the newest block, and state proofs for everything in it. @throws QuorumSizeError */
  static proven(options: QuorumLedgerOptions): ProvenLedger {
    const endpoints = options.endpoints.map(joinCalls)
    const { deployment, k, crypto, patienceMs, timeoutMs } = options
    return new ProvenLedger({
      deployment,
      rpc: endpoints,
      blocks: new QuorumBlocks({ ...options, endpoints }),
      tellers: k,
      ...(crypto === undefined ? {} : { crypto }),
      ...(patienceMs === undefined ? {} : { patienceMs }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
  }

  /** @throws QuorumMissingError, QuorumDisputedError, HeadRolledBackError */
  async at(finality: Finality): Promise<LedgerView> {
    const { blocks } = await this.#blocks.newest([finality])
    return this.#view(blocks[0] as AgreedBlock, finality)
  }

  /** Throws as {@link at}. */
  async heads(finality: Finality): Promise<{ head: LedgerView; settled: LedgerView }> {
    const { blocks, lone } = await this.#blocks.newest(["latest", finality])
    const [latest, final] = blocks as [AgreedBlock, AgreedBlock]
    if (latest.block.number <= final.block.number) {
      const settled = this.#view(final, finality, lone)
      return { head: settled, settled }
    }
    return { head: this.#view(latest, "latest", lone), settled: this.#view(final, finality) }
  }

  /** Throws as {@link at}; TimeOutOfRangeError, HistoryUnavailableError. */
  async atTime(timestamp: number): Promise<LedgerView> {
    return this.#view(await this.#blocks.atTime(timestamp), "finalized")
  }

  #view(agreed: AgreedBlock, finality: Finality, lone: readonly LoneHead[] = []): QuorumView {
    const { number, hash, timestamp } = agreed.block
    return new QuorumView({
      block: { number, hash, timestamp, finality },
      evidence: agreed.evidence,
      members: this.#members.map((member) => ({
        endpoint: member.rpc.endpoint,
        view: member.view(agreed.block, finality),
      })),
      k: this.#blocks.k,
      patience: this.#patience,
      // Nobody can check a header here; a claim that does not even fit the head is none.
      unconfirmed: lone.flatMap(({ block, rpc }) => {
        const member = this.#members.find((one) => one.rpc === rpc)
        return member === undefined || block.parentHash !== hash ? [] : [member.view(block, "latest")]
      }),
    })
  }
}
