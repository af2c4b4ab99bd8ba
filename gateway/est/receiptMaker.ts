import { MerkleTree } from "../../client/index.ts"
import type { Deployment, Receipt } from "../../client/index.ts"
import type { Enrolment, EnrolmentStore } from "../store/enrolmentStore.ts"

/** Trees in memory: at most 16 × 10,000 certificates at 64 octets. */
const MOST_TREES = 16

/** Makes receipts of issued certificates out of what the store has of their batches. */
export class ReceiptMaker {
  readonly #store: EnrolmentStore
  readonly #deployment: Deployment
  readonly #trees = new Map<string, Promise<MerkleTree>>()

  constructor(store: EnrolmentStore, deployment: Deployment) {
    this.#store = store
    this.#deployment = deployment
  }

  async receiptOf({ index, window }: Enrolment): Promise<Receipt> {
    const { manufacturerId, series, size } = window
    const tree = await this.#tree(window)
    return {
      chainId: BigInt(this.#deployment.chainId),
      registry: this.#deployment.contracts.devices.address,
      manufacturerId,
      series,
      size,
      index,
      proof: tree.inclusionProof(index),
    }
  }

  #tree(window: Enrolment["window"]): Promise<MerkleTree> {
    const key = `${window.manufacturerId}:${window.series}`
    const known = this.#trees.get(key)
    if (known !== undefined) return known
    const tree = this.#store.credentialHashes(window).then((hashes) => MerkleTree.fromCredentialHashes(hashes))
    this.#trees.set(key, tree)
    tree.catch(() => this.#trees.delete(key))
    const [oldest] = this.#trees.keys()
    if (this.#trees.size > MOST_TREES && oldest !== undefined) this.#trees.delete(oldest)
    return tree
  }
}
