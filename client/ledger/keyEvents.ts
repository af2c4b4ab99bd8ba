import { manufacturerRegistryAbi } from "../abi/ManufacturerRegistry.ts"
import { ecdsaRawToDer } from "../crypto/ecdsa.ts"
import { fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { keyAlgorithmOf } from "../crypto/publicKey.ts"
import type { CryptoBackend, KeyAlgorithm, SignatureAlgorithm } from "../crypto/types.ts"
import { FleetrootError } from "../errors/base.ts"
import { ReplyMalformedError } from "../errors/ledger.ts"
import { keyIdentifiersOf } from "../x509/keyIdentifiers.ts"
import type { Deployment } from "./deployment.ts"
import { readEvents } from "./events.ts"
import type { LedgerEvent } from "./events.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"
import { keyPossessionStatement, KEY_PURPOSE_NUMBER } from "./statements.ts"

/** What the event of a key's registration says, once its possession proof was checked. */
export type KeyRegistration = {
  readonly manufacturerId: number
  readonly keyIndex: number
  readonly keyId: Hex
  readonly purpose: keyof typeof KEY_PURPOSE_NUMBER
  /** Whether, as the event has it, the contract checked possession. If not, this client did. */
  readonly proven: boolean
  readonly spki: Uint8Array
  readonly blockNumber: number
}

const PURPOSES = Object.keys(KEY_PURPOSE_NUMBER) as (keyof typeof KEY_PURPOSE_NUMBER)[]
const POSSESSION_ALGORITHM = {
  p256: "ecdsa-p256-sha256",
  p384: "ecdsa-p384-sha384",
  rsa: "rsa-pkcs1-sha256",
  ed25519: "ed25519",
} as const satisfies Record<KeyAlgorithm, SignatureAlgorithm>

/**
 * The registrations of all keys, read from the events once and then only onwards. A key whose possession is not proven counts
 * as absent: for P-256 the contract checked it, for the others this does.
 */
export class KeyEvents {
  readonly #deployment: Deployment
  readonly #rpc: JsonRpc
  readonly #crypto: CryptoBackend
  #known: KeyRegistration[] = []
  /** The block up to which `#known` is complete, and its hash: another hash means a reorganisation. */
  #upTo: { number: number; hash: Hex } | undefined
  #reading: Promise<void> = Promise.resolve()

  constructor(deployment: Deployment, rpc: JsonRpc, crypto: CryptoBackend) {
    this.#deployment = deployment
    this.#rpc = rpc
    this.#crypto = crypto
  }

  /** All proven registrations up to and including a block. */
  async upTo(block: { number: number; hash: Hex }): Promise<readonly KeyRegistration[]> {
    const turn = this.#reading.then(() => this.#advance(block))
    this.#reading = turn.catch(() => undefined)
    await turn
    return this.#known.filter((key) => key.blockNumber <= block.number)
  }

  /** The registrations that an authorityKeyIdentifier may mean. */
  async byIdentifier(identifier: Hex, block: { number: number; hash: Hex }): Promise<readonly KeyRegistration[]> {
    const keys = await this.upTo(block)
    return keys.filter((key) => key.keyId === identifier || keyIdentifiersOf(key.spki).includes(identifier))
  }

  async #advance(block: { number: number; hash: Hex }): Promise<void> {
    if (this.#upTo !== undefined && this.#upTo.number >= block.number) {
      if (this.#upTo.number > block.number || this.#upTo.hash === block.hash) return
      this.#upTo = undefined
      this.#known = []
    }
    // Final blocks do not change, others may: the last few are read again each time.
    const overlap = 128
    const from = Math.max(this.#deployment.block.number, (this.#upTo?.number ?? 0) - overlap)
    const events = await readEvents(this.#rpc, {
      abi: manufacturerRegistryAbi,
      address: this.#deployment.contracts.manufacturers.address,
      eventName: "KeyAdded",
      fromBlock: from,
      toBlock: block.number,
    })
    const fresh: KeyRegistration[] = []
    for (const event of events) {
      const registration = await this.#checked(event)
      if (registration !== undefined) fresh.push(registration)
    }
    this.#known = [...this.#known.filter((key) => key.blockNumber < from), ...fresh]
    this.#upTo = { number: block.number, hash: block.hash }
  }

  async #checked(event: LedgerEvent): Promise<KeyRegistration | undefined> {
    const args = event.args as KeyAddedArgs
    const registration = await provenRegistration(this.#deployment, this.#crypto, args)
    return registration === undefined ? undefined : { ...registration, blockNumber: event.blockNumber }
  }
}

/** What `KeyAdded` says. */
export type KeyAddedArgs = {
  readonly manufacturerId: number
  readonly keyId: Hex
  readonly keyIndex: number
  readonly purpose: number
  readonly proven: boolean
  readonly spki: Hex
  readonly proof: Hex
}

/**
 * What a key's event says, if possession is proven: by the contract for P-256, for others by the proof in the event.
 *
 * @throws ReplyMalformedError when the key does not have the key id that the event gives it.
 */
export async function provenRegistration(
  deployment: Deployment,
  crypto: CryptoBackend,
  args: KeyAddedArgs,
): Promise<Omit<KeyRegistration, "blockNumber"> | undefined> {
  const spki = fromHex(args.spki)
  const keyId = keyIdOf(spki)
  if (keyId !== args.keyId.toLowerCase()) {
    throw new ReplyMalformedError({ what: "event KeyAdded", expected: `key id ${keyId}`, found: args.keyId })
  }
  const purpose = PURPOSES[args.purpose - 1]
  if (purpose === undefined) return undefined
  const { manufacturerId, keyIndex, proven } = args
  const registration = { manufacturerId, keyIndex, keyId, purpose, proven, spki }
  if (proven) return registration
  return (await possesses(deployment, crypto, registration, fromHex(args.proof))) ? registration : undefined
}

async function possesses(
  { chainId, contracts }: Deployment,
  crypto: CryptoBackend,
  key: Omit<KeyRegistration, "blockNumber">,
  proof: Uint8Array,
): Promise<boolean> {
  const algorithm = keyAlgorithmOf(key.spki)
  // P-256 in another encoding than the contract's own cannot be proven this way.
  if (algorithm === undefined || algorithm === "p256") return false
  const { manufacturerId, keyId, purpose } = key
  const domain = { chainId, verifyingContract: contracts.manufacturers.address }
  const message = keyPossessionStatement(domain, { manufacturerId, keyId, purpose })
  try {
    const signature = algorithm === "p384" ? ecdsaRawToDer(proof) : proof
    return await crypto.verify({ algorithm: POSSESSION_ALGORITHM[algorithm], spki: key.spki, message, signature })
  } catch (error) {
    // A proof that is no signature, or a key that is none, proves nothing; anybody can put either on the ledger.
    if (error instanceof FleetrootError) return false
    throw error
  }
}

/** The SubjectPublicKeyInfo of a P-256 point: RFC 5480, 2. */
export function p256Spki(x: Hex, y: Hex): Uint8Array {
  return fromHex(`0x3059301306072a8648ce3d020106082a8648ce3d03010703420004${x.slice(2)}${y.slice(2)}`)
}
