import { keyIdOf, productId } from "../../../client/index.ts"
import type {
  Block,
  Deployment,
  Finality,
  Hex,
  Ledger,
  LedgerKey,
  LedgerView,
  Manufacturer,
  Release,
} from "../../../client/index.ts"
import { keyAlgorithmOf } from "../../../client/crypto/publicKey.ts"
import { PRODUCT } from "./world.ts"

const NOW = 1_800_000_000

/** What one block shows. */
export type Page = {
  number: number
  releases: readonly Release[]
  minimum: number
  status?: Manufacturer["status"]
  /** How many of the keys are there. Default: all. */
  keyCount?: number
}

/**
 * A ledger on paper, for keys whose private half nobody has, and for histories that a test writes as it likes: what the newest
 * block shows, and what the final one does.
 */
export class PaperLedger implements Ledger {
  readonly deployment = {} as Deployment
  readonly keys: LedgerKey[]
  latest: Page = { number: 10, releases: [], minimum: 0 }
  final: Page = this.latest

  constructor(...spkis: readonly Uint8Array[]) {
    this.keys = spkis.map((spki, i) => ({
      manufacturerId: 2,
      index: i + 1,
      keyId: keyIdOf(spki),
      purpose: "firmware",
      proven: keyAlgorithmOf(spki) === "p256",
      registeredAt: NOW - 1_000,
      notBefore: NOW - 1_000,
      notAfter: NOW + 1_000_000,
      revokedAt: undefined,
      compromisedSince: undefined,
      spki,
    }))
  }

  now = (): Date => new Date(NOW * 1000)

  release(imageDigest: Hex, securityVersion: number, more: Partial<Release> = {}): Release {
    return {
      manufacturerId: 2,
      product: productId(PRODUCT),
      securityVersion,
      imageDigest,
      manifestDigest: undefined,
      releasedAt: NOW - 100,
      recalledAt: undefined,
      threshold: 1,
      signers: [1],
      ...more,
    }
  }

  /** Shows the same in the newest and in the final block. */
  show(page: Partial<Page>): void {
    this.latest = { ...this.latest, ...page }
    this.final = this.latest
  }

  async at(finality: Finality): Promise<LedgerView> {
    return this.#view(finality === "finalized" ? this.final : this.latest, finality)
  }

  async heads(finality: Finality): Promise<{ head: LedgerView; settled: LedgerView }> {
    const settled = this.#view(this.final, finality)
    return { head: this.final === this.latest ? settled : this.#view(this.latest, "latest"), settled }
  }

  async atTime(): Promise<LedgerView> {
    throw new Error("paper has one time")
  }

  #view(page: Page, finality: Finality): LedgerView {
    const { number, releases, minimum, status = "active", keyCount = this.keys.length } = page
    const keys = this.keys.slice(0, keyCount)
    const block: Block = { number, hash: `0x${"00".repeat(32)}`, timestamp: NOW, finality }
    const manufacturer = { id: 2, name: "Paper Works", status, statusSince: 0, keyCount }
    const view: Partial<LedgerView> = {
      block,
      evidence: { kind: "paper", detail: "a test wrote it" },
      manufacturer: async (id) => (id === 2 ? (manufacturer as Manufacturer) : undefined),
      key: async (id, index) => (id === 2 ? keys[index - 1] : undefined),
      keyById: async (keyId) => keys.find((key) => key.keyId === keyId),
      releaseByImage: async (_id, _product, imageDigest) => releases.find((one) => one.imageDigest === imageDigest),
      latestRelease: async () => releases.toSorted((a, b) => b.securityVersion - a.securityVersion)[0],
      minimumSecurityVersion: async () => minimum,
      releaseTexts: async () => undefined,
    }
    return view as LedgerView
  }
}
