import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import type { Hex } from "../crypto/hex.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { FleetrootError } from "../errors/base.ts"
import { ImageError } from "../errors/firmware.ts"
import type { Finality, Ledger, LedgerView, Manufacturer, Release, ReleaseTexts } from "../ledger/ledger.ts"
import { assertUint32 } from "../ledger/limits.ts"
import { readMoment } from "../ledger/moment.ts"
import type { Moment } from "../ledger/moment.ts"
import { findSigner, signingCandidates } from "./findSigner.ts"
import { processFirmwareMemory } from "./firmwareMemory.ts"
import type { FirmwareMemory, ProductKey } from "./firmwareMemory.ts"
import type { ImageInput } from "./imageSource.ts"
import { inspectImage } from "./inspectImage.ts"
import type { Inspection } from "./inspectImage.ts"
import { productId } from "./product.ts"
import {
  manufacturerCheck,
  publicationChecks,
  releaseSignaturesCheck,
  rollbackChecks,
  signerStandingCheck,
} from "./releaseChecks.ts"
import { assertSecurityVersion } from "./securityVersion.ts"
import type { FirmwareCheck, FirmwareCheckName, FirmwareVerdict, VerdictRelease } from "./verdict.ts"

export type FirmwareVerifierOptions = {
  ledger: Ledger
  /** Checks signatures over short messages. Default: the fastest that the platform has. */
  crypto?: CryptoBackend
  /** The clock. Default: the platform's. */
  now?: () => Date
  /** Oldest newest block that an answer may rest on, in seconds. Default: 120. */
  maxAgeSeconds?: number
  /** How final a release must be before it counts. Recalls count at once. Default: `finalized`. */
  releaseFinality?: Finality
  /** What is remembered of earlier answers. Default: as long as this object lives. */
  memory?: FirmwareMemory
}

export type CheckFirmwareParameters = {
  /** The image: bytes, a stream, or anything with random access. Memory does not grow with it. */
  image: ImageInput
  /** A detached signature over the whole image. */
  signature?: Uint8Array
  /** A SUIT envelope that the image is a component of. */
  manifest?: Uint8Array
  /** The manifest's other components, in any order. */
  parts?: readonly ImageInput[]
  manufacturerId: number
  /** The product's name, or its 32 octets as hex. */
  product: string
  /** The security version of what runs now: nothing older is installable. Default: not compared. */
  installedSecurityVersion?: number
  /** The time to judge. Default: now. Past times need a node that still has the state of that time. */
  at?: Date
  /** Accept a good signature by a current firmware key without a release on the ledger. Default: false. */
  unpublished?: boolean
  /** Longest image that is read. Default: 4 GiB. */
  maximumBytes?: number
  signal?: AbortSignal
  onProgress?: (bytes: number) => void
}

/** The checks without which nothing is installable; others are needed where they are made. */
const ALWAYS: readonly FirmwareCheckName[] = [
  "format",
  "imageDigest",
  "signature",
  "manufacturer",
  "published",
  "recall",
  "minimum",
  "rollback",
]
const WITH_SIGNER: readonly FirmwareCheckName[] = ["signerKey", "signerPurpose", "signerStanding"]
const WITH_RELEASE: readonly FirmwareCheckName[] = ["final", "releaseSignatures", "manifest", "securityVersion"]

/**
 * Says whether firmware may be installed, from the ledger and nothing else.
 *
 * What is wrong with an image, its signer or its release is a check that failed; an exception means that no answer could be had.
 * Neither is ever installable.
 */
export class FirmwareVerifier {
  readonly #ledger: Ledger
  readonly #crypto: CryptoBackend
  readonly #memory: FirmwareMemory
  readonly #now: () => Date
  readonly #maxAgeSeconds: number
  readonly #releaseFinality: Finality

  constructor(options: FirmwareVerifierOptions) {
    this.#ledger = options.ledger
    this.#crypto = options.crypto ?? defaultCrypto()
    this.#memory = options.memory ?? processFirmwareMemory()
    this.#now = options.now ?? (() => new Date())
    this.#maxAgeSeconds = options.maxAgeSeconds ?? 120
    this.#releaseFinality = options.releaseFinality ?? "finalized"
  }

  /**
   * Checks one image.
   *
   * @throws {@link ReleaseFieldError} {@link NumberOutOfRangeError} for a question that makes no sense
   * @throws StaleHeadError, ClockBehindError, TimeOutOfRangeError and the ledger's errors when no answer could be had
   */
  async check(parameters: CheckFirmwareParameters): Promise<FirmwareVerdict> {
    const { manufacturerId, installedSecurityVersion } = parameters
    assertUint32(manufacturerId, "a manufacturer's id", 1)
    if (installedSecurityVersion !== undefined) assertSecurityVersion(installedSecurityVersion, 0)
    const product = { manufacturerId, product: productId(parameters.product) }
    const inspection = await this.#inspect(parameters)
    // The ledger is asked after the image was read, which may take its time.
    const moment = await this.#moment(parameters.at)
    if (!("imageDigest" in inspection)) return verdictOf({ moment, checks: [inspection] })
    return this.#judge(parameters, product, moment, inspection)
  }

  /** The image, or the check that its bytes fail. */
  async #inspect(parameters: CheckFirmwareParameters): Promise<Inspection | FirmwareCheck> {
    const { image, signature, manifest, parts, manufacturerId, maximumBytes, signal, onProgress } = parameters
    // Some signatures cannot be checked after the fact: their keys must be known before the image is read.
    const keys = signature === undefined ? [] : await signingCandidates(await this.#ledger.at("latest"), manufacturerId)
    const reading = {
      ...(maximumBytes === undefined ? {} : { maximumBytes }),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    }
    const candidates = keys.map(({ spki }) => spki)
    try {
      return await inspectImage({ image, signature, manifest, parts, candidates, crypto: this.#crypto, reading })
    } catch (error) {
      if (error instanceof ImageError) return { name: error.check, ok: false, detail: error.message }
      throw error
    }
  }

  async #judge(
    { installedSecurityVersion: installed, unpublished = false }: CheckFirmwareParameters,
    product: ProductKey,
    moment: Moment,
    inspection: Inspection,
  ): Promise<FirmwareVerdict> {
    const { manufacturerId, product: name } = product
    const { head, today } = moment
    const memory = this.#memory
    const [manufacturer, release, latest, candidates] = await Promise.all([
      head.manufacturer(manufacturerId),
      head.releaseByImage(manufacturerId, name, inspection.imageDigest),
      head.latestRelease(manufacturerId, name),
      signingCandidates(today, manufacturerId),
    ])
    const { claims } = inspection
    const signer =
      claims.length === 0
        ? { key: undefined, checks: [unsignedCheck(inspection, release)] }
        : await findSigner({ view: today, manufacturerId, claims, candidates })
    const securityVersion = release?.securityVersion ?? inspection.securityVersion
    const checks: FirmwareCheck[] = [
      { name: "format", ok: true, detail: `${inspection.description}.` },
      { name: "imageDigest", ok: true, detail: inspection.imageDigest },
      ...signer.checks,
      ...(signer.key === undefined ? [] : [await signerStandingCheck(signer.key, release, moment)]),
      await manufacturerCheck(moment, manufacturerId, release),
      ...(await publicationChecks({ moment, product, inspection, release, latest, unpublished, memory })),
      ...(release === undefined ? [] : [await releaseSignaturesCheck(today, release)]),
      ...(await rollbackChecks({ head, product, securityVersion, installed, memory, isPresent: head === today })),
    ]
    return verdictOf({
      moment,
      checks,
      inspection,
      keyId: signer.key?.keyId,
      release: release === undefined ? undefined : await describeRelease(moment, release, latest),
      manufacturer,
      needed: [...ALWAYS, ...(claims.length > 0 ? WITH_SIGNER : []), ...(release === undefined ? [] : WITH_RELEASE)],
    })
  }

  #moment(at: Date | undefined): Promise<Moment> {
    const options = {
      ledger: this.#ledger,
      now: this.#now,
      maxAgeSeconds: this.#maxAgeSeconds,
      registrationFinality: this.#releaseFinality,
    }
    return readMoment(options, at)
  }
}

/** One question with a verifier of its own: see {@link FirmwareVerifier.check}. Nothing is remembered unless `memory` is given. */
export function verifyFirmware(
  parameters: FirmwareVerifierOptions & CheckFirmwareParameters,
): Promise<FirmwareVerdict> {
  return new FirmwareVerifier(parameters).check(parameters)
}

/** Nothing came with the image: the signatures of its release may stand for it, unless its bootloader wants one inside. */
function unsignedCheck({ mustBeSigned }: Inspection, release: Release | undefined): FirmwareCheck {
  const name = "signature"
  if (mustBeSigned) return { name, ok: false, detail: "The image carries no signature." }
  if (release === undefined) return { name, ok: false, detail: "No signature came with the image." }
  return { name, ok: true, detail: "None came with the image; those of its release on the ledger stand for it." }
}

async function describeRelease(
  { head }: Moment,
  release: Release,
  latest: Release | undefined,
): Promise<VerdictRelease> {
  const texts = await textsOf(head, release)
  return {
    securityVersion: release.securityVersion,
    version: texts?.version ?? null,
    uri: texts?.uri ?? null,
    imageDigest: release.imageDigest,
    manifestDigest: release.manifestDigest ?? null,
    releasedAt: new Date(release.releasedAt * 1000),
    recalledAt: release.recalledAt === undefined ? null : new Date(release.recalledAt * 1000),
    threshold: release.threshold,
    signers: release.signers,
    latest: latest === undefined || latest.securityVersion <= release.securityVersion,
  }
}

/** The texts are for people; a node that has no events gives the same verdict. */
async function textsOf(head: LedgerView, release: Release): Promise<ReleaseTexts | undefined> {
  try {
    return await head.releaseTexts(release)
  } catch (error) {
    if (error instanceof FleetrootError) return undefined
    throw error
  }
}

function verdictOf(parts: {
  moment: Moment
  checks: readonly FirmwareCheck[]
  inspection?: Inspection
  keyId?: Hex | undefined
  release?: VerdictRelease | undefined
  manufacturer?: Manufacturer | undefined
  /** What must have been checked for a yes. Without it there is none. */
  needed?: readonly FirmwareCheckName[]
}): FirmwareVerdict {
  const { moment, checks, inspection, release, manufacturer, needed } = parts
  const { block, evidence } = moment.head
  const held = new Set(checks.filter(({ ok }) => ok).map(({ name }) => name))
  const installable = needed !== undefined && checks.every(({ ok }) => ok) && needed.every((name) => held.has(name))
  return {
    installable,
    format: inspection?.format ?? null,
    imageDigest: inspection?.imageDigest ?? null,
    manifestDigest: inspection?.manifestDigest ?? null,
    securityVersion: inspection?.securityVersion ?? null,
    keyId: parts.keyId ?? null,
    checks,
    release: release ?? null,
    unpublished: installable && release === undefined,
    manufacturer: manufacturer === undefined ? null : { id: manufacturer.id, name: manufacturer.name },
    block: {
      number: block.number,
      hash: block.hash,
      timestamp: new Date(block.timestamp * 1000),
      finality: block.finality,
    },
    staleSeconds: moment.staleSeconds,
    evidence: [evidence],
  }
}
