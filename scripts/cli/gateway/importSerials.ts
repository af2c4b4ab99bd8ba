import type { Batch, Certificate, Hex, LedgerView, Receipt } from "../../../client/index.ts"
import type { SerialEntry, SerialStore } from "../../../gateway/index.ts"
import { UsageError } from "../cliError.ts"
import { readCertificate } from "../input/certificateFile.ts"
import type { OpenReceipts } from "../input/receiptSources.ts"
import type { OpenLedger } from "../openLedger.ts"
import type { Progress } from "../output/progress.ts"
import { ImportRefusedError, ImportRowError } from "./importErrors.ts"
import { serialRows } from "./serialRows.ts"
import type { ListedSerial, SerialRow } from "./serialRows.ts"

export type ImportSerialsParameters = {
  open: OpenLedger
  store: SerialStore
  /** A folder of certificates, a bundle, or a list. */
  path: string
  receipts: OpenReceipts
  /** Path of the issuer's certificate. */
  issuer: string | undefined
  progress: Progress
}

/** What an import did. */
export type Imported = {
  read: number
  added: number
  /** In the store already. */
  known: number
  /** Serial numbers that name their place: they need no import. */
  positions: number
  /** Of those that were read, with a proven place in a batch. */
  placed: number
  notPlaced: number
}

type Finding = { source: string; message: string }

const PORTION = 500
const MOST_FINDINGS = 1_000

/**
 * Reads certificates or a list of serial numbers into the store. Of certificates the issuer's signature is checked, and every place
 * is proven against the ledger's root. One that is wrong stops all of them.
 *
 * @throws ImportRefusedError naming what was wrong; SerialConflictError; InputPathError.
 */
export async function importSerials(parameters: ImportSerialsParameters): Promise<Imported> {
  const { open, store, path, progress } = parameters
  const reader = await SerialReader.open(parameters)
  const findings: Finding[] = []
  const counts = { read: 0, positions: 0, placed: 0, notPlaced: 0, bad: 0 }
  const portions = async function* (): AsyncGenerator<SerialEntry[]> {
    let portion: SerialEntry[] = []
    for await (const row of serialRows(open.node, path)) {
      counts.read++
      progress.update(counts.read, undefined)
      try {
        const entry = await reader.read(row)
        if (entry === undefined) counts.positions++
        else {
          counts[entry.place === undefined ? "notPlaced" : "placed"]++
          portion.push(entry)
        }
      } catch (error) {
        if (!(error instanceof open.client.FleetrootError) && !(error instanceof ImportRowError)) throw error
        counts.bad++
        if (findings.length < MOST_FINDINGS) findings.push({ source: row.source, message: error.message })
      }
      if (portion.length === PORTION) {
        yield portion
        portion = []
      }
    }
    // The store drops what it was given before.
    if (counts.bad > 0) throw new ImportRefusedError({ rows: counts.read, badRows: counts.bad, findings })
    if (counts.read === 0) throw new UsageError(`There is no certificate in ${path}.`)
    yield portion
  }
  const { added } = await store.putAll(portions())
  const { read, positions, placed, notPlaced } = counts
  return { read, added, known: read - positions - added, positions, placed, notPlaced }
}

/** Makes entries of rows. */
class SerialReader {
  readonly #open: OpenLedger
  readonly #view: LedgerView
  /** Where batches are read: of one that a reorganisation may still take away nothing is kept. */
  readonly #settled: LedgerView
  readonly #receipts: OpenReceipts
  readonly #issuer: Certificate | undefined
  readonly #batches = new Map<string, Batch | undefined>()
  readonly #issuerKeys = new Map<string, Hex | undefined>()

  private constructor(
    open: OpenLedger,
    { head, settled }: { head: LedgerView; settled: LedgerView },
    receipts: OpenReceipts,
    issuer: Certificate | undefined,
  ) {
    this.#open = open
    this.#view = head
    this.#settled = settled
    this.#receipts = receipts
    this.#issuer = issuer
  }

  static async open({ open, receipts, issuer }: ImportSerialsParameters): Promise<SerialReader> {
    const certificate = issuer === undefined ? undefined : await readCertificate(open, issuer)
    return new SerialReader(open, await open.ledger.heads("finalized"), receipts, certificate)
  }

  /** undefined of a serial number that is a position. */
  async read(row: SerialRow): Promise<SerialEntry | undefined> {
    if ("error" in row) throw row.error
    const entry = "der" in row ? await this.#ofCertificate(row.der) : this.#ofListed(row)
    if (entry === undefined) return undefined
    const receipt = await this.#receipts.receiptOf(entry.credentialHash)
    const unreadable = this.#receipts.errors.get(entry.credentialHash)
    if (unreadable !== undefined) throw unreadable
    return receipt === undefined ? entry : { ...entry, place: await this.#provenPlace(entry, receipt) }
  }

  async #ofCertificate(der: Uint8Array): Promise<SerialEntry | undefined> {
    const { client } = this.#open
    const certificate = client.parseCertificate(der)
    const issuerKeyId = await this.#issuerOf(certificate)
    if (this.#isPosition(certificate.serial, issuerKeyId)) return undefined
    const { credentialHash, keyId: deviceKeyId, notBefore, notAfter, fingerprint } = certificate
    const serial = client.toHex(certificate.serial)
    return { issuerKeyId, serial, credentialHash, deviceKeyId, place: undefined, notBefore, notAfter, fingerprint }
  }

  #ofListed(row: ListedSerial): SerialEntry | undefined {
    if (this.#issuer === undefined) throw new UsageError("A list of serial numbers needs --issuer.")
    const issuerKeyId = this.#issuer.keyId
    if (this.#isPosition(this.#open.client.fromHex(row.serial), issuerKeyId)) return undefined
    const { serial, credentialHash, deviceKeyId, notBefore, notAfter } = row
    return { issuerKeyId, serial, credentialHash, deviceKeyId, place: undefined, notBefore, notAfter }
  }

  #isPosition(serial: Uint8Array, issuerKeyId: Hex): boolean {
    const { client, deployment } = this.#open
    const { chainId, contracts } = deployment
    const binding = { chainId: BigInt(chainId), registry: contracts.devices.address, issuerKeyId }
    return client.decodePositionSerial(serial) !== undefined && client.positionSerialMatches(serial, binding)
  }

  /** The key that signed it: the one that was given, or one that the certificate identifies and the ledger has. */
  async #issuerOf(certificate: Certificate): Promise<Hex> {
    const { client } = this.#open
    const crypto = client.defaultCrypto()
    if (this.#issuer !== undefined) {
      if (await client.verifyCertificateSignature(certificate, this.#issuer.spki, crypto)) return this.#issuer.keyId
      throw new ImportRowError("It is not signed by the key of --issuer.")
    }
    const { authorityKeyIdentifier } = certificate
    if (authorityKeyIdentifier !== undefined) {
      const keys = await this.#view.keysByIdentifier(client.toHex(authorityKeyIdentifier))
      for (const { spki, keyId } of keys) {
        if (await client.verifyCertificateSignature(certificate, spki, crypto)) return keyId
      }
    }
    throw new ImportRowError("No key on the ledger signed it, as far as it identifies its issuer's: give --issuer.")
  }

  async #provenPlace(entry: SerialEntry, receipt: Receipt): Promise<NonNullable<SerialEntry["place"]>> {
    const { client, deployment } = this.#open
    const { chainId, registry, manufacturerId, series, size, index, proof } = receipt
    const refuse = (what: string): never => {
      throw new ImportRowError(`Its receipt is ${what}.`)
    }
    if (chainId !== BigInt(deployment.chainId) || registry !== deployment.contracts.devices.address) {
      return refuse("of another ledger")
    }
    const batch = await this.#batch(manufacturerId, series)
    if (batch === undefined && (await this.#view.batch(manufacturerId, series)) !== undefined) {
      return refuse(`for batch ${series}, whose block is not final yet; import it when it is`)
    }
    if (batch?.rawPublicKeys === true) return refuse(`for batch ${series}, which holds raw public keys`)
    if (batch === undefined || batch.size !== size) return refuse(`for batch ${series}, which the ledger has not so`)
    const shown = client.verifyInclusion({
      credentialHash: client.fromHex(entry.credentialHash),
      index,
      size,
      proof,
      root: client.fromHex(batch.root),
    })
    if (!shown) return refuse(`wrong: it does not lead to the root of batch ${series}`)
    const issuer = await this.#issuerKey(manufacturerId, batch.keyIndex)
    if (issuer !== entry.issuerKeyId) return refuse(`for batch ${series}, which names another issuer key`)
    return { manufacturerId, series, index }
  }

  async #batch(manufacturerId: number, series: number): Promise<Batch | undefined> {
    const key = `${manufacturerId}/${series}`
    if (!this.#batches.has(key)) this.#batches.set(key, await this.#settled.batch(manufacturerId, series))
    return this.#batches.get(key)
  }

  async #issuerKey(manufacturerId: number, keyIndex: number): Promise<Hex | undefined> {
    const key = `${manufacturerId}/${keyIndex}`
    if (!this.#issuerKeys.has(key)) {
      this.#issuerKeys.set(key, (await this.#view.key(manufacturerId, keyIndex))?.keyId)
    }
    return this.#issuerKeys.get(key)
  }
}
