import type { Hex } from "../../crypto/hex.ts"
import type { CryptoBackend } from "../../crypto/types.ts"
import { EndpointTimeoutError } from "../../errors/ledger.ts"
import { keyIdentifiersOf } from "../../x509/keyIdentifiers.ts"
import type { Deployment } from "../deployment.ts"
import { KeyEvents } from "../keyEvents.ts"
import type { KeyRegistration } from "../keyEvents.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { gather } from "./gather.ts"
import type { GatherOptions } from "./gather.ts"

/**
 * What the endpoints' events tell of keys, all together: one that withholds a key changes nothing as long as another tells of
 * it. Nothing here is proven; each key is proven when it is read.
 */
export class KeyHints {
  readonly #readers: readonly KeyEvents[]
  readonly #patience: GatherOptions

  constructor(deployment: Deployment, endpoints: readonly JsonRpc[], crypto: CryptoBackend, patience: GatherOptions) {
    this.#readers = endpoints.map((rpc) => new KeyEvents(deployment, rpc, crypto))
    this.#patience = patience
  }

  /** @throws the first endpoint's error when none answers. */
  async upTo(block: { number: number; hash: Hex }): Promise<readonly KeyRegistration[]> {
    const told = await gather(
      this.#readers.map((reader) => reader.upTo(block)),
      this.#patience,
    )
    const answers = told.filter((one) => one.state === "answered")
    if (answers.length === 0) {
      const failure = told.find((one) => one.state === "failed")
      if (failure !== undefined) throw failure.error
      throw new EndpointTimeoutError({ endpoint: "every endpoint", timeoutMs: this.#patience.timeoutMs })
    }
    // One endpoint counts once, however often it says a thing.
    return answers.flatMap((one) => [...new Map(one.value.map((key) => [placeOf(key), key])).values()])
  }

  /** Ids of the keys that an authorityKeyIdentifier may mean. */
  async byIdentifier(identifier: Hex, block: { number: number; hash: Hex }): Promise<readonly Hex[]> {
    const keys = await this.upTo(block)
    const found = keys.filter((key) => key.keyId === identifier || keyIdentifiersOf(key.spki).includes(identifier))
    return [...new Set(found.map((key) => key.keyId))]
  }
}

function placeOf({ manufacturerId, keyIndex, keyId, purpose, proven }: KeyRegistration): string {
  return `${manufacturerId}:${keyIndex}:${keyId}:${purpose}:${proven}`
}
