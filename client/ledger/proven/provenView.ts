import type { Hex } from "../../crypto/hex.ts"
import { keyIdOf } from "../../crypto/keyId.ts"
import { FirmwareRegistryMissingError } from "../../errors/firmware.ts"
import { KeyOwnerAmbiguousError } from "../../errors/ledger.ts"
import { StoredValueInvalidError } from "../../errors/proofs.ts"
import type { Deployment } from "../deployment.ts"
import { p256Spki } from "../keyEvents.ts"
import type { KeyRegistration } from "../keyEvents.ts"
import type {
  Batch,
  BitRevocation,
  Block,
  CredentialRecord,
  Evidence,
  KeyPurpose,
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
import { assertAddress, assertHash32, assertUint32 } from "../limits.ts"
import type { KeyHints } from "./keyHints.ts"
import type { ProvenState } from "./provenState.ts"
import {
  batchRead,
  coreRead,
  globalLogRead,
  imageRead,
  keyRead,
  logRead,
  operatorRead,
  productRead,
  profileRead,
  provenKeyRead,
  recordRead,
  releaseRead,
  successorRead,
  thresholdRead,
  wordsRead,
} from "./reads.ts"
import type { StorageRead, Successor } from "./reads.ts"
import type { ReadLog } from "./readLog.ts"
import { joinStoredString, readStoredString } from "./storedString.ts"

/** What no state proof can tell: told by enough endpoints, or not at all. */
export type Told = {
  bitRevocation(block: Block, place: [number, number, number]): Promise<BitRevocation | undefined>
  releaseTexts(block: Block, release: Release): Promise<ReleaseTexts | undefined>
}

export type ProvenViewOptions = {
  readonly deployment: Deployment
  readonly block: Block
  readonly evidence: () => Evidence
  readonly state: ProvenState
  readonly hints: KeyHints
  readonly told: Told
  /** Learns what is read, to ask for it in advance next time. */
  readonly log: ReadLog
  readonly unconfirmed?: readonly LedgerView[]
}

/** A key of another kind than P-256 may be claimed by this many manufacturers before nobody looks further. */
const MOST_CLAIMS = 16

/** The registries at one block, all but events proven under its state root. */
export class ProvenView implements LedgerView {
  readonly block: Block
  /** Heads beyond this one that one endpoint alone tells of. Bad news from there makes good doubtful, nothing else counts. */
  readonly unconfirmed: readonly LedgerView[]
  readonly #options: ProvenViewOptions

  constructor(options: ProvenViewOptions) {
    this.block = options.block
    this.unconfirmed = options.unconfirmed ?? []
    this.#options = options
  }

  get evidence(): Evidence {
    return this.#options.evidence()
  }

  async manufacturer(manufacturerId: number): Promise<Manufacturer | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    const [core, profile] = await Promise.all([
      this.#read(coreRead(manufacturerId, this.block.timestamp)),
      this.#read(profileRead(manufacturerId)),
    ])
    if (core === undefined) return undefined
    const { keyCount, pendingController, proposedController, replacementAt } = profile
    const [name, metadataURI] = await Promise.all([
      this.#text(profile.name, "a manufacturer's name"),
      this.#text(profile.metadataURI, "a manufacturer's metadata URI"),
    ])
    const { controller, status, statusSince, suspendedUntil } = core
    return {
      id: manufacturerId,
      name,
      metadataURI,
      controller,
      pendingController,
      proposedController,
      replacementAt,
      status,
      statusSince,
      suspendedUntil,
      keyCount,
    }
  }

  async operator(manufacturerId: number, account: Hex): Promise<OperatorGrant | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertAddress(account, "an account")
    return this.#read(operatorRead(manufacturerId, account, this.block.timestamp))
  }

  async key(manufacturerId: number, keyIndex: number): Promise<LedgerKey | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(keyIndex, "a key's index")
    const stored = await this.#read(keyRead(manufacturerId, keyIndex))
    if (stored === undefined) return undefined
    const { x, y, ...key } = stored
    const spki = key.proven ? p256Spki(x, y) : await this.#claimedSpki(manufacturerId, keyIndex, key)
    if (spki === undefined) return undefined
    const found = keyIdOf(spki)
    if (found !== key.keyId) {
      const what = `key ${keyIndex} of manufacturer ${manufacturerId}`
      throw new StoredValueInvalidError({ what, expected: key.keyId, found })
    }
    return { manufacturerId, index: keyIndex, ...key, spki }
  }

  async keyById(keyId: Hex): Promise<LedgerKey | undefined> {
    assertHash32(keyId, "a key id")
    const owner = await this.#read(provenKeyRead(keyId))
    if (owner !== undefined) {
      const key = await this.key(owner.manufacturerId, owner.keyIndex)
      if (key?.keyId === keyId) return key
      const what = `key ${owner.keyIndex} of manufacturer ${owner.manufacturerId}`
      throw new StoredValueInvalidError({ what, expected: keyId, found: key?.keyId ?? "none" })
    }
    // The contract knows only the keys it could check; of the others the events tell, and each claim is proven.
    const hints = (await this.#options.hints.upTo(this.block)).filter((key) => key.keyId === keyId && !key.proven)
    const claims = await Promise.all(mostTold(hints).map((hint) => this.key(hint.manufacturerId, hint.keyIndex)))
    const keys = claims.filter((key) => key?.keyId === keyId)
    const owners = [...new Set(keys.flatMap((key) => (key === undefined ? [] : [key.manufacturerId])))]
    if (owners.length > 1) throw new KeyOwnerAmbiguousError({ keyId, owners })
    return keys[0]
  }

  async keysByIdentifier(identifier: Hex): Promise<readonly LedgerKey[]> {
    const ids = await this.#options.hints.byIdentifier(identifier, this.block)
    const keys = await Promise.all(ids.map((keyId) => this.keyById(keyId)))
    return keys.filter((key) => key !== undefined)
  }

  async batch(manufacturerId: number, series: number): Promise<Batch | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(series, "a series")
    const batch = await this.#read(batchRead(manufacturerId, series))
    if (batch !== undefined) this.#options.log.learnKeyIndex(manufacturerId, series, batch.keyIndex)
    return batch
  }

  async word(manufacturerId: number, series: number, word: number): Promise<bigint> {
    const [bits] = await this.words(manufacturerId, series, word, 1)
    return bits as bigint
  }

  async words(manufacturerId: number, series: number, firstWord: number, count: number): Promise<readonly bigint[]> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(series, "a series")
    assertUint32(firstWord, "a word")
    assertUint32(count, "the number of words")
    return this.#read(wordsRead(manufacturerId, series, firstWord, count))
  }

  /** Told by events, which no state proof covers: for information only, and only where those are believed who tell. */
  bitRevocation(manufacturerId: number, series: number, index: number): Promise<BitRevocation | undefined> {
    return this.#options.told.bitRevocation(this.block, [manufacturerId, series, index])
  }

  async record(manufacturerId: number, subject: Hex): Promise<CredentialRecord> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertHash32(subject, "a subject")
    return this.#read(recordRead(manufacturerId, subject))
  }

  async logHead(contract: LoggedContract, manufacturerId: number): Promise<LogHead> {
    assertUint32(manufacturerId, "a manufacturer's id")
    return this.#read(logRead(this.#options.deployment, contract, manufacturerId))
  }

  async globalLogHead(contract: LoggedContract): Promise<Hex> {
    return this.#read(globalLogRead(contract))
  }

  /** The registry that the consortium named to follow this one; undefined while there is none. */
  async successor(contract: "devices" | "firmware"): Promise<Successor | undefined> {
    return this.#read(successorRead(contract))
  }

  async release(manufacturerId: number, product: Hex, securityVersion: number): Promise<Release | undefined> {
    this.#assertProduct(manufacturerId, product)
    return this.#releaseOf(manufacturerId, product, BigInt(securityVersion))
  }

  async releaseByImage(manufacturerId: number, product: Hex, imageDigest: Hex): Promise<Release | undefined> {
    this.#assertProduct(manufacturerId, product)
    assertHash32(imageDigest, "an image's digest")
    return this.#read(releaseRead(manufacturerId, product, imageDigest))
  }

  async latestRelease(manufacturerId: number, product: Hex): Promise<Release | undefined> {
    this.#assertProduct(manufacturerId, product)
    const { latest } = await this.#read(productRead(manufacturerId, product))
    return this.#releaseOf(manufacturerId, product, latest)
  }

  async minimumSecurityVersion(manufacturerId: number, product: Hex): Promise<number> {
    this.#assertProduct(manufacturerId, product)
    return Number((await this.#read(productRead(manufacturerId, product))).minimum)
  }

  async releaseThreshold(manufacturerId: number): Promise<ReleaseThreshold> {
    assertUint32(manufacturerId, "a manufacturer's id")
    return this.#read(thresholdRead(manufacturerId, this.block.timestamp))
  }

  /** Told by an event, as {@link bitRevocation} is. */
  releaseTexts(release: Release): Promise<ReleaseTexts | undefined> {
    return this.#options.told.releaseTexts(this.block, release)
  }

  async #releaseOf(manufacturerId: number, product: Hex, securityVersion: bigint): Promise<Release | undefined> {
    const image = await this.#read(imageRead(manufacturerId, product, securityVersion))
    return image === undefined ? undefined : this.#read(releaseRead(manufacturerId, product, image))
  }

  #assertProduct(manufacturerId: number, product: Hex): void {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertHash32(product, "a product")
  }

  async #read<T>({ contract, slots, decode }: StorageRead<T>): Promise<T> {
    if (this.#options.deployment.contracts[contract] === undefined) throw new FirmwareRegistryMissingError()
    return decode(await this.#options.state.words(contract, slots))
  }

  /** Texts of up to 31 octets stand in their slot; longer ones take a second trip, the first time. */
  async #text({ slot, word }: { slot: bigint; word: bigint }, what: string): Promise<string> {
    const stored = readStoredString(slot, word, what)
    if ("text" in stored) return stored.text
    this.#options.log.learnText(slot, stored.slots)
    return joinStoredString(stored.length, await this.#options.state.words("manufacturers", stored.slots))
  }

  /** Of a key whose possession the contract did not check, an event counts only if this client checked it, for this purpose. */
  async #claimedSpki(
    manufacturerId: number,
    keyIndex: number,
    { keyId, purpose }: { keyId: Hex; purpose: KeyPurpose },
  ): Promise<Uint8Array | undefined> {
    const hints = await this.#options.hints.upTo(this.block)
    const hint = hints.find(
      (key) =>
        key.manufacturerId === manufacturerId &&
        key.keyIndex === keyIndex &&
        key.keyId === keyId &&
        key.purpose === purpose &&
        !key.proven,
    )
    return hint?.spki
  }
}

/** The places that these events name, those first of which most endpoints tell: made-up ones push no true one aside. */
function mostTold(hints: readonly KeyRegistration[]): KeyRegistration[] {
  const places = new Map<string, { hint: KeyRegistration; count: number }>()
  for (const hint of hints) {
    const place = `${hint.manufacturerId}:${hint.keyIndex}`
    places.set(place, { hint, count: (places.get(place)?.count ?? 0) + 1 })
  }
  const ordered = [...places.values()].sort((a, b) => b.count - a.count)
  return ordered.slice(0, MOST_CLAIMS).map(({ hint }) => hint)
}
