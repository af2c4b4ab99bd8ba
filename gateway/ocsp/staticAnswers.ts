import { randomBytes } from "node:crypto"
import { mkdir, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { encodePositionSerial, placeRuns, type Batch, type LedgerKey } from "../../client/index.ts"
import { freshFleet } from "../issuers/freshFleet.ts"
import type { FreshFleet } from "../issuers/freshFleet.ts"
import type { Issuer } from "../issuers/issuer.ts"
import { OcspAnswerer } from "./answer.ts"
import type { OcspContext } from "./answer.ts"
import { encodeCertId, encodeOcspRequest } from "./codec.ts"
import type { CertIdHash } from "./codec.ts"
import { issuerHashes } from "./responderBook.ts"

export type StaticAnswersOptions = Omit<OcspContext, "cachedAnswers" | "mostCertificates"> & {
  /** Below it are the paths of the addresses: `ocsp/{base64}`. */
  readonly folder: string
  /** The CertIDs to answer. Default: SHA-1 alone, which nginx, OpenSSL and GnuTLS ask with. */
  readonly hashes?: readonly CertIdHash[]
  /** How long a file may be used, in seconds. Default: 3,600. Good answers are written anew at half of it, others at once. */
  readonly lifetimeSeconds?: number
}

/** What a refresh did. */
export type StaticAnswersReport = { readonly written: number; readonly left: number }

const LIFETIME_SECONDS = 3_600
const AT_ONCE = 32
const FIRST_POSITION_SERIES = 0x8000_0000

/** What was written of a batch, by one signer: of each place what it said, as a number, and when. */
type Written = { readonly says: Float64Array; readonly at: Float64Array; readonly signer: Issuer["responder"] }

/**
 * OCSP answers as files, for any web server to give to clients that ask by GET without a nonce (RFC 9919): one for each place of
 * each batch of the issuers. Costs a file and a signature a device and half life; a revocation costs the files that it changes.
 *
 * A slash in the base64 becomes a folder, and two of them one, as web servers read paths; one at the end leads to `index.der`.
 */
export class StaticAnswers {
  readonly #options: StaticAnswersOptions
  readonly #answerer: OcspAnswerer
  readonly #written = new Map<string, Written>()
  readonly #hashes = new Map<string, ReturnType<typeof issuerHashes>>()
  readonly #lifetime: number

  constructor(options: StaticAnswersOptions) {
    this.#options = options
    this.#lifetime = options.lifetimeSeconds ?? LIFETIME_SECONDS
    this.#answerer = new OcspAnswerer({ ...options, lifetimeSeconds: this.#lifetime, cachedAnswers: 0 })
  }

  /**
   * Writes what changed or is half over. A file is replaced as a whole, and by nothing but an answer: while the ledger is silent
   * all stay as they are, until they end.
   *
   * @throws StaleHeadError, ClockBehindError, LedgerSilentError, and the file system's errors.
   */
  async refresh(signal?: AbortSignal): Promise<StaticAnswersReport> {
    let done = 0
    let left = 0
    for (const issuer of this.#options.issuers) {
      const fleet = freshFleet(this.#options)
      const key = fleet.head.keyById(issuer.keyId)
      const batches = key === undefined ? [] : [...fleet.head.batches(key.manufacturerId)]
      for (const batch of batches) {
        if (key === undefined || batch.keyIndex !== key.index || batch.series < FIRST_POSITION_SERIES) continue
        if (batch.rawPublicKeys) continue
        const written = this.#writtenOf(issuer, batch)
        const due = this.#due(issuer, key, batch, written, fleet)
        left += batch.size - due.length
        for (let first = 0; first < due.length; first += AT_ONCE) {
          signal?.throwIfAborted()
          const some = due.slice(first, first + AT_ONCE)
          const wrote = await Promise.all(some.map((one) => this.#write(issuer, key, batch, written, one)))
          done += wrote.filter(Boolean).length
        }
      }
    }
    return { written: done, left }
  }

  /** The places whose file does not say what the ledger says now, or is half over. */
  #due(issuer: Issuer, key: LedgerKey, batch: Batch, before: Written, { head, settled, now }: FreshFleet): Due[] {
    const { manufacturerId } = key
    const { series, size } = batch
    // 1 is good, 2 unknown, more a revocation with its reason and time.
    const says = new Float64Array(size).fill(1)
    for (const run of placeRuns({ head, settled, manufacturerId, series, issuerKeyId: issuer.keyId })) {
      const saysSo = run.status === "unknown" ? 2 : 3 + run.reason + 16 * (run.since ?? 0)
      says.fill(saysSo, run.first, run.last + 1)
    }
    const due: Due[] = []
    for (let index = 0; index < size; index++) {
      const stale = now >= (before.at[index] as number) + this.#lifetime / 2
      if (stale || before.says[index] !== says[index]) due.push({ index, says: says[index] as number, now })
    }
    // Bad news first.
    return due.sort((a, b) => Number(b.says > 2) - Number(a.says > 2))
  }

  /** What stands there by a signer who no longer signs is written anew. */
  #writtenOf({ keyId, responder: signer }: Issuer, { series, size }: Batch): Written {
    const name = `${keyId}:${series}`
    const found = this.#written.get(name)
    if (found !== undefined && found.says.length === size && found.signer === signer) return found
    const made: Written = { says: new Float64Array(size), at: new Float64Array(size), signer }
    this.#written.set(name, made)
    return made
  }

  #hashesOf(issuer: Issuer, hash: CertIdHash): ReturnType<typeof issuerHashes> {
    const name = `${hash}:${issuer.keyId}`
    const found = this.#hashes.get(name) ?? issuerHashes(issuer, hash)
    this.#hashes.set(name, found)
    return found
  }

  async #write(
    issuer: Issuer,
    { manufacturerId }: LedgerKey,
    batch: Batch,
    written: Written,
    { index, says, now }: Due,
  ): Promise<boolean> {
    const { series } = batch
    const { chainId, contracts } = this.#options.replica.deployment
    const binding = { chainId: BigInt(chainId), registry: contracts.devices.address, issuerKeyId: issuer.keyId }
    const serial = encodePositionSerial({ ...binding, manufacturerId, series, index })
    for (const hash of this.#options.hashes ?? ["sha1"]) {
      const request = encodeOcspRequest([encodeCertId({ hash, ...this.#hashesOf(issuer, hash), serial })])
      const { der, shared } = await this.#answerer.answer(request)
      // A failure is no answer. The next refresh tries again.
      if (shared === undefined) return false
      await replaceFile(join(this.#options.folder, "ocsp", staticPath(request)), der)
    }
    written.says[index] = says
    written.at[index] = now
    return true
  }
}

type Due = { readonly index: number; readonly says: number; readonly now: number }

/** What a web server gives for an address that ends in a slash: it must be told (nginx: `index index.der`). */
const INDEX = "index.der"

/** Where a web server looks for the answer to a request, below `ocsp/`. */
export function staticPath(request: Uint8Array): string {
  const path = Buffer.from(request).toString("base64").replace(/\/+/g, "/")
  return path.endsWith("/") ? path + INDEX : path
}

// Not flushed to the disk one by one: after a loss of power all are written anew, and an empty file is no answer to anybody.
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const aside = join(folder, `.fleetroot-${randomBytes(8).toString("hex")}.tmp`)
  try {
    await writeFile(aside, bytes)
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
}
