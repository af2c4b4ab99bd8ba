import type { Hex } from "../../crypto/hex.ts"
import { FirmwareRegistryMissingError } from "../../errors/firmware.ts"
import { HistoryUnavailableError, RpcRejectedError } from "../../errors/ledger.ts"
import { StateProofInvalidError, StateProofUnavailableError } from "../../errors/proofs.ts"
import type { ContractName, Deployment } from "../deployment.ts"
import { hexNumber } from "../events.ts"
import { isMissingState } from "../missingState.ts"
import type { JsonRpc, RpcCall } from "../rpc/jsonRpc.ts"
import { proveContract, proveWord } from "./account.ts"
import type { EndpointOrder } from "./endpointOrder.ts"
import { firstGood } from "./firstGood.ts"
import type { ProvenHeader } from "./header.ts"
import type { ProvenWords } from "./provenWords.ts"
import { wordHex } from "./storageSlots.ts"
import { TrieNodes } from "./trieNodes.ts"

/** The slots of each contract that somebody wants. */
export type Wanted = ReadonlyMap<ContractName, readonly bigint[]>

type Pending = {
  readonly contract: ContractName
  readonly slots: readonly bigint[]
  readonly resolve: (words: bigint[]) => void
  readonly reject: (error: unknown) => void
}

export type ProvenStateOptions = {
  readonly deployment: Deployment
  readonly header: ProvenHeader
  readonly endpoints: EndpointOrder
  readonly patienceMs: number
  readonly timeoutMs: number
  /** Words proven under storage roots, of whatever block. */
  readonly words: ProvenWords
  readonly onFault?: (endpoint: string, error: unknown) => void
}

/** How many slots one call names: nodes limit them. */
const MOST_SLOTS = 256

/** The storage of the contracts at one block, each word proven under the state root in its header. */
export class ProvenState {
  readonly #options: ProvenStateOptions
  readonly #storageRoots = new Map<ContractName, Hex>()
  #pending: Pending[] = []

  constructor(options: ProvenStateOptions) {
    this.#options = options
  }

  /**
   * The words in these slots, 0 where nothing stands. What is wanted in the same moment travels together.
   *
   * @throws StateProofInvalidError, StateProofUnavailableError, ContractMismatchError, HistoryUnavailableError and the
   *   endpoints' errors, when no endpoint gives a valid proof.
   */
  async words(contract: ContractName, slots: readonly bigint[]): Promise<bigint[]> {
    const known = this.#known(contract, slots)
    if (known !== undefined) return known
    return new Promise((resolve, reject) => {
      this.#pending.push({ contract, slots, resolve, reject })
      if (this.#pending.length === 1) queueMicrotask(() => void this.#flush())
    })
  }

  /** The root of a contract's storage, once it was proven. */
  storageRoot(contract: ContractName): Hex | undefined {
    return this.#storageRoots.get(contract)
  }

  /** Takes in proofs that somebody asked for in advance. Of another block, or wrong, they are as good as none. */
  async offer(wanted: Wanted, replies: readonly unknown[]): Promise<void> {
    try {
      await this.#verify(wanted, replies)
    } catch {
      // They are asked for again when they are needed, and whoever lies then is told apart.
    }
  }

  #known(contract: ContractName, slots: readonly bigint[]): bigint[] | undefined {
    const root = this.#storageRoots.get(contract)
    if (root === undefined) return undefined
    const words: bigint[] = []
    for (const slot of slots) {
      const word = this.#options.words.get(root, slot)
      if (word === undefined) return undefined
      words.push(word)
    }
    return words
  }

  async #flush(): Promise<void> {
    // Some turns, so that callers that stand some promises apart get in too.
    for (let turn = 0; turn < 4; turn++) await Promise.resolve()
    const batch = this.#pending
    this.#pending = []
    try {
      const wanted = new Map<ContractName, bigint[]>()
      for (const { contract, slots } of batch) {
        const missing = slots.filter((slot) => this.#known(contract, [slot]) === undefined)
        const listed = wanted.get(contract) ?? []
        wanted.set(contract, [...new Set([...listed, ...missing])])
      }
      const { endpoints, patienceMs, timeoutMs, onFault } = this.#options
      await firstGood(endpoints.list(), (rpc) => this.#askAndVerify(rpc, wanted), {
        patienceMs,
        timeoutMs,
        onFault: (rpc, error) => onFault?.(rpc.endpoint, error),
        onGood: (rpc) => {
          endpoints.prefer(rpc)
        },
      })
      for (const { contract, slots, resolve, reject } of batch) {
        const words = this.#known(contract, slots)
        if (words !== undefined) resolve(words)
        else reject(new StateProofInvalidError({ what: contract, expected: "all slots", found: "fewer" }))
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  async #askAndVerify(rpc: JsonRpc, wanted: Wanted): Promise<void> {
    const { number } = this.#options.header
    let replies: unknown[]
    try {
      replies = await rpc.requestMany(proofCalls(this.#options.deployment, wanted, hexNumber(number)))
    } catch (cause) {
      if (isMissingState(cause)) throw new HistoryUnavailableError({ what: `the state of block ${number}`, cause })
      // -32601: method not found; -32004: method not supported (EIP-1474).
      if (cause instanceof RpcRejectedError && (cause.rpcCode === -32601 || cause.rpcCode === -32004)) {
        throw new StateProofUnavailableError({ endpoint: rpc.endpoint, cause })
      }
      throw cause
    }
    await this.#verify(wanted, replies)
  }

  async #verify(wanted: Wanted, replies: readonly unknown[]): Promise<void> {
    const { deployment, header, words } = this.#options
    const nodes = new TrieNodes()
    const chunks = chunksOf(wanted)
    for (const [i, { contract, slots }] of chunks.entries()) {
      const reply = replies[i]
      const { accountProof, storageProof } = (reply ?? {}) as { accountProof?: unknown; storageProof?: unknown }
      let root = this.#storageRoots.get(contract)
      if (root === undefined) {
        root = await proveContract(
          header.stateRoot,
          contract,
          deployedContract(deployment, contract),
          accountProof,
          nodes,
        )
        this.#storageRoots.set(contract, root)
      }
      if (!Array.isArray(storageProof) || storageProof.length !== slots.length) {
        const found = Array.isArray(storageProof) ? String(storageProof.length) : typeof storageProof
        throw new StateProofInvalidError({ what: contract, expected: `${slots.length} storage proofs`, found })
      }
      for (const [j, slot] of slots.entries()) {
        const { proof } = (storageProof[j] ?? {}) as { proof?: unknown }
        words.set(root, slot, await proveWord(root, slot, proof, contract, nodes))
      }
    }
  }
}

/** The calls that ask for these slots, at a block number or name. */
export function proofCalls(deployment: Deployment, wanted: Wanted, at: string): RpcCall[] {
  return chunksOf(wanted).map(({ contract, slots }) => ({
    method: "eth_getProof",
    params: [deployedContract(deployment, contract).address, slots.map(wordHex), at],
  }))
}

function chunksOf(wanted: Wanted): { contract: ContractName; slots: readonly bigint[] }[] {
  return [...wanted].flatMap(([contract, slots]) =>
    Array.from({ length: Math.max(1, Math.ceil(slots.length / MOST_SLOTS)) }, (_, i) => ({
      contract,
      slots: slots.slice(i * MOST_SLOTS, (i + 1) * MOST_SLOTS),
    })),
  )
}

function deployedContract(deployment: Deployment, contract: ContractName): { address: Hex; codeHash: Hex } {
  const deployed = deployment.contracts[contract]
  if (deployed === undefined) throw new FirmwareRegistryMissingError()
  return deployed
}
