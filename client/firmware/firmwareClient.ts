import { firmwareRegistryAbi } from "../abi/FirmwareRegistry.ts"
import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import type { Hex } from "../crypto/hex.ts"
import {
  FirmwareRegistryMissingError,
  ReleaseConflictError,
  ReleaseFieldError,
  ReleaseForeignError,
  ReleaseSignatureInvalidError,
  ReleaseSignaturesCountError,
  ReleaseSignerError,
  ReleaseUnknownError,
} from "../errors/firmware.ts"
import type { Deployment } from "../ledger/deployment.ts"
import { readEvents } from "../ledger/events.ts"
import type { Ledger, LedgerKey, LedgerView, Release, ReleaseTexts, ReleaseThreshold } from "../ledger/ledger.ts"
import { assertUint32 } from "../ledger/limits.ts"
import type { JsonRpc } from "../ledger/rpc/jsonRpc.ts"
import type { LedgerWriter, Mined } from "../ledger/writer.ts"
import type { ImageInput } from "./imageSource.ts"
import { inspectImage } from "./inspectImage.ts"
import { productId, productName } from "./product.ts"
import { assertReleaseFields, assertText, isSignedBy, MAX_RELEASE_SIGNATURES } from "./release.ts"
import type { ReleaseDraft } from "./release.ts"
import { assertSecurityVersion } from "./securityVersion.ts"

export type FirmwareClientOptions = {
  ledger: Ledger
  rpc: JsonRpc
  /** Pays. Anybody may publish; recalls and minimums need the controller or an operator with `release`. */
  writer: LedgerWriter
  manufacturerId: number
}

export type PrepareReleaseParameters = {
  deployment: Deployment
  manufacturerId: number
  /** The product's name, or its 32 octets as hex. */
  product: string
  image: ImageInput
  /** A SUIT envelope that the image is a component of, and the other components. */
  manifest?: Uint8Array
  parts?: readonly ImageInput[]
  /** Default: what the image says of itself (MCUboot's security counter, SUIT's sequence number). */
  securityVersion?: number
  /** For people: 1 to 64 octets. */
  version: string
  /** Where the image may be had. Default: nothing. */
  uri?: string
  maximumBytes?: number
  onProgress?: (bytes: number) => void
}

/** A release with its texts. */
export type ListedRelease = { readonly release: Release; readonly texts: ReleaseTexts }

const ZERO_HASH: Hex = `0x${"0".repeat(64)}`
const MAX_REASON = 128

/**
 * Makes the statement that the signers sign, out of an image. Reads no ledger.
 *
 * @throws a child of {@link ImageError} for an image that nobody could install, {@link ReleaseFieldError} for a field
 */
export async function prepareRelease(parameters: PrepareReleaseParameters): Promise<ReleaseDraft> {
  const { deployment, manufacturerId, image, manifest, parts, version, uri = "", maximumBytes, onProgress } = parameters
  const registry = registryOf(deployment)
  const product = productId(parameters.product)
  const reading = {
    ...(maximumBytes === undefined ? {} : { maximumBytes }),
    ...(onProgress === undefined ? {} : { onProgress }),
  }
  const crypto = defaultCrypto()
  const inspection = await inspectImage({ image, manifest, parts, candidates: [], crypto, reading })
  const draft = {
    chainId: deployment.chainId,
    registry,
    manufacturerId,
    product,
    securityVersion: oneSecurityVersion(parameters.securityVersion, inspection.securityVersion),
    imageDigest: inspection.imageDigest,
    manifestDigest: inspection.manifestDigest,
    version,
    uri,
    signatures: [],
  }
  assertReleaseFields(draft)
  return draft
}

/** What a manufacturer does with its releases. Looks at what is there first, and pays only for what is missing. */
export class FirmwareClient {
  readonly manufacturerId: number
  readonly #ledger: Ledger
  readonly #rpc: JsonRpc
  readonly #writer: LedgerWriter

  constructor({ ledger, rpc, writer, manufacturerId }: FirmwareClientOptions) {
    assertUint32(manufacturerId, "a manufacturer's id", 1)
    this.manufacturerId = manufacturerId
    this.#ledger = ledger
    this.#rpc = rpc
    this.#writer = writer
  }

  /** A release for this manufacturer; sign it with {@link signRelease}. @throws as {@link prepareRelease} */
  prepare(parameters: Omit<PrepareReleaseParameters, "deployment" | "manufacturerId">): Promise<ReleaseDraft> {
    const { deployment } = this.#ledger
    return prepareRelease({ ...parameters, deployment, manufacturerId: this.manufacturerId })
  }

  /**
   * Publishes a release that has its signatures. One that is there already is left alone.
   *
   * @throws {@link ReleaseForeignError} {@link ReleaseSignaturesCountError} {@link ReleaseSignerError}
   *   {@link ReleaseSignatureInvalidError} {@link ReleaseConflictError} before anything is sent
   */
  async publish(draft: ReleaseDraft): Promise<{ release: Release; transaction: Mined | null }> {
    assertReleaseFields(draft)
    this.#assertOurs(draft)
    const { manufacturerId, product, securityVersion, imageDigest, manifestDigest, version, uri } = draft
    const view = await this.#ledger.at("latest")
    const known = await view.releaseByImage(manufacturerId, product, imageDigest)
    if (known !== undefined) return { release: sameRelease(known, draft), transaction: null }

    const signatures = await this.#orderedSignatures(view, draft)
    const transaction = await this.#writer.write({
      ...this.#target(),
      functionName: "publish",
      args: [
        manufacturerId,
        {
          product,
          securityVersion: BigInt(securityVersion),
          imageDigest,
          manifestDigest: manifestDigest ?? ZERO_HASH,
          version,
          uri,
        },
        signatures,
      ],
    })
    const release = await (await this.#ledger.at("latest")).releaseByImage(manufacturerId, product, imageDigest)
    if (release === undefined) throw new ReleaseUnknownError({ product, securityVersion })
    return { release, transaction }
  }

  /** Recalls a release, for ever. Null if it is recalled already. @throws {@link ReleaseUnknownError} */
  async recall(product: string, securityVersion: number, reason: string): Promise<Mined | null> {
    const id = productId(product)
    assertSecurityVersion(securityVersion)
    assertText(reason, "reason", 1, MAX_REASON)
    const release = await (await this.#ledger.at("latest")).release(this.manufacturerId, id, securityVersion)
    if (release === undefined) throw new ReleaseUnknownError({ product, securityVersion })
    if (release.recalledAt !== undefined) return null
    return this.#writer.write({
      ...this.#target(),
      functionName: "recall",
      args: [this.manufacturerId, id, BigInt(securityVersion), reason],
    })
  }

  /** Raises the oldest security version that may be installed. Null if it is that high already. @throws {@link ReleaseConflictError} */
  async raiseMinimum(product: string, minimum: number): Promise<Mined | null> {
    const id = productId(product)
    assertSecurityVersion(minimum)
    const view = await this.#ledger.at("latest")
    if ((await view.minimumSecurityVersion(this.manufacturerId, id)) >= minimum) return null
    const latest = (await view.latestRelease(this.manufacturerId, id))?.securityVersion ?? 0
    if (minimum > latest) {
      throw new ReleaseConflictError({ problem: `a minimum of ${minimum} is above the latest release, ${latest}` })
    }
    return this.#writer.write({
      ...this.#target(),
      functionName: "raiseMinimum",
      args: [this.manufacturerId, id, BigInt(minimum)],
    })
  }

  /** The oldest security version of a product that may be installed; 0 if none was set. */
  async minimum(product: string): Promise<number> {
    return (await this.#ledger.at("latest")).minimumSecurityVersion(this.manufacturerId, productId(product))
  }

  /** Says how many signatures releases need: more at once, fewer after the ledger's key delay. Null if that is so already. */
  async setThreshold(threshold: number): Promise<Mined | null> {
    if (!Number.isInteger(threshold) || threshold < 1 || threshold > MAX_RELEASE_SIGNATURES) {
      const expected = `an integer from 1 to ${MAX_RELEASE_SIGNATURES}`
      throw new ReleaseFieldError({ field: "threshold", expected, found: String(threshold) })
    }
    const { current, pending } = await this.threshold()
    if ((pending?.threshold ?? current) === threshold) return null
    return this.#writer.write({
      ...this.#target(),
      functionName: "setThreshold",
      args: [this.manufacturerId, threshold],
    })
  }

  /** How many signatures releases need. */
  async threshold(): Promise<ReleaseThreshold> {
    return (await this.#ledger.at("latest")).releaseThreshold(this.manufacturerId)
  }

  /** The manufacturer's releases in the order of their publication, of one product or of all. */
  list(product?: string): Promise<ListedRelease[]> {
    return listReleases({ ledger: this.#ledger, rpc: this.#rpc }, this.manufacturerId, product)
  }

  #target(): { to: Hex; abi: typeof firmwareRegistryAbi } {
    return { to: registryOf(this.#ledger.deployment), abi: firmwareRegistryAbi }
  }

  #assertOurs({ chainId, registry, manufacturerId }: ReleaseDraft): void {
    const nameOf = (chain: number, address: string, id: number): string =>
      `manufacturer ${id} in registry ${address} on chain ${chain}`
    const expected = nameOf(this.#ledger.deployment.chainId, this.#target().to, this.manufacturerId)
    const found = nameOf(chainId, registry, manufacturerId)
    if (found !== expected) throw new ReleaseForeignError({ expected, found })
  }

  /** The signatures by ascending key index, as the contract wants them, each checked first. */
  async #orderedSignatures(view: LedgerView, draft: ReleaseDraft): Promise<{ keyIndex: number; r: Hex; s: Hex }[]> {
    const count = draft.signatures.length
    const { current: needed } = await view.releaseThreshold(draft.manufacturerId)
    if (count < needed || count > MAX_RELEASE_SIGNATURES) {
      throw new ReleaseSignaturesCountError({ count, needed, maximum: MAX_RELEASE_SIGNATURES })
    }
    const latest = (await view.latestRelease(draft.manufacturerId, draft.product))?.securityVersion ?? 0
    if (draft.securityVersion <= latest) {
      const problem = `security version ${draft.securityVersion} is not above the latest, ${latest}`
      throw new ReleaseConflictError({ problem })
    }
    const checked = draft.signatures.map(async (signature) => {
      const key = signingKey(await view.keyById(signature.keyId), signature.keyId, draft, view.block.timestamp)
      if (!isSignedBy(draft, signature, key.spki)) throw new ReleaseSignatureInvalidError({ keyId: signature.keyId })
      return { keyIndex: key.index, r: signature.r, s: signature.s }
    })
    return (await Promise.all(checked)).sort((a, b) => a.keyIndex - b.keyIndex)
  }
}

/** A manufacturer's releases in the order of their publication, of one product or of all. */
export async function listReleases(
  { ledger, rpc }: { ledger: Ledger; rpc: JsonRpc },
  manufacturerId: number,
  product?: string,
): Promise<ListedRelease[]> {
  const view = await ledger.at("latest")
  const events = await readEvents(rpc, {
    abi: firmwareRegistryAbi,
    address: registryOf(ledger.deployment),
    eventName: "ReleasePublished",
    args: product === undefined ? { manufacturerId } : { manufacturerId, product: productId(product) },
    fromBlock: ledger.deployment.block.number,
    toBlock: view.block.number,
  })
  const listed = events.map(async ({ args }) => {
    const id = (args["product"] as string).toLowerCase() as Hex
    const release = await view.release(manufacturerId, id, Number(args["securityVersion"]))
    const texts = { version: args["version"] as string, uri: args["uri"] as string }
    return release === undefined ? [] : [{ release, texts }]
  })
  return (await Promise.all(listed)).flat()
}

/** The firmware registry's address. @throws {@link FirmwareRegistryMissingError} */
function registryOf({ contracts: { firmware } }: Deployment): Hex {
  if (firmware === undefined) throw new FirmwareRegistryMissingError()
  return firmware.address
}

function signingKey(key: LedgerKey | undefined, keyId: Hex, { manufacturerId }: ReleaseDraft, now: number): LedgerKey {
  const refuse = (problem: string): never => {
    throw new ReleaseSignerError({ keyId, problem })
  }
  if (key === undefined) return refuse("it is not on the ledger")
  if (key.manufacturerId !== manufacturerId) return refuse(`it belongs to manufacturer ${key.manufacturerId}`)
  if (key.purpose !== "firmware") return refuse(`its purpose is ${key.purpose}`)
  if (!key.proven) return refuse("the contract checks P-256 keys only")
  if (key.compromisedSince !== undefined) return refuse("it was compromised")
  if (key.revokedAt !== undefined && key.revokedAt <= now) return refuse("it was retired")
  if (now < key.notBefore) return refuse(`it signs from ${new Date(key.notBefore * 1000).toISOString()} on`)
  if (now >= key.notAfter) return refuse(`it signed until ${new Date(key.notAfter * 1000).toISOString()}`)
  return key
}

function sameRelease(known: Release, draft: ReleaseDraft): Release {
  if (known.securityVersion === draft.securityVersion && known.manifestDigest === draft.manifestDigest) return known
  const name = productName(draft.product) ?? draft.product
  const problem = `the image is released as security version ${known.securityVersion} of ${name} already`
  throw new ReleaseConflictError({ problem })
}

/** What is asked for and what the image says must be one number: bootloaders go by the latter. */
function oneSecurityVersion(wanted: number | undefined, claimed: number | undefined): number {
  const version = wanted ?? claimed
  if (version === undefined) {
    throw new ReleaseFieldError({ field: "security version", expected: "given", found: "none, in the image neither" })
  }
  if (claimed !== undefined && claimed !== version) {
    const expected = `${claimed}, as the image itself says`
    throw new ReleaseFieldError({ field: "security version", expected, found: String(version) })
  }
  return version
}
