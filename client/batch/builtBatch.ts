import { toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { BatchSeriesError } from "../errors/batch.ts"
import type { BatchFinding, BatchFindings } from "../errors/batch.ts"
import { encodeManifestHeader, manifestBytes } from "../merkle/manifest.ts"
import type { CredentialKind } from "../merkle/manifest.ts"
import type { BatchPlace } from "../merkle/place.ts"
import type { Receipt } from "../merkle/receipt.ts"
import type { BatchDevice, OrderedBatch } from "./orderedBatch.ts"

/** A batch's place on the ledger; its series may be chosen when it is registered. */
export type OpenBatchPlace = Omit<BatchPlace, "series"> & { series?: number | undefined }

/** A device of the batch, and what it carries so that anybody can check it. */
export type DeviceReceipt = BatchDevice & { receipt: Receipt }

/** @internal */
export type BuiltBatchParameters = {
  place: OpenBatchPlace
  kind: CredentialKind
  issuerKeyId: Hex
  content: OrderedBatch
  /** Whether serial numbers name places of this batch. */
  positioned: boolean
  report: BatchFindings
}

const HASHES_PER_CHUNK = 32_768

/** Sound credentials in their order, and the root over them: what `registerBatch` takes, and what is handed out after it. */
export class BuiltBatch implements BatchFindings {
  readonly #parameters: BuiltBatchParameters
  readonly kind: CredentialKind
  readonly issuerKeyId: Hex
  /** The series that was given, or that position serials name; undefined until one is chosen. */
  readonly series: number | undefined
  readonly size: number
  readonly root: Hex
  /** The latest not-after of the credentials, in Unix seconds. */
  readonly notAfter: number
  /** Credentials of which nothing but a hash was seen: their signature, key and profile were not checked. */
  readonly asserted: number
  /** Devices that showed, by a request or their own signature, that they hold their key; of all others it is only said. */
  readonly proven: number
  /** Whether serial numbers name places of this batch: then its series cannot be another. */
  readonly positioned: boolean
  readonly findings: readonly BatchFinding[]
  readonly badRows: number
  readonly badRowsByCode: BatchFindings["badRowsByCode"]
  readonly rows: number

  /** @internal `buildBatch` makes batches. */
  constructor(parameters: BuiltBatchParameters) {
    const { place, kind, issuerKeyId, content, positioned, report } = parameters
    this.#parameters = parameters
    this.kind = kind
    this.issuerKeyId = issuerKeyId
    this.series = place.series
    this.size = content.size
    this.root = toHex(content.root())
    this.notAfter = content.notAfter()
    this.asserted = content.count("hash")
    this.proven = content.count("possession")
    this.positioned = positioned
    this.findings = report.findings
    this.badRows = report.badRows
    this.badRowsByCode = report.badRowsByCode
    this.rows = report.rows
  }

  /**
   * The same batch in another series: the one that it was registered in.
   *
   * @throws {@link BatchSeriesError} when serial numbers name another.
   */
  withSeries(series: number): BuiltBatch {
    if (series === this.series) return this
    if (this.positioned) throw new BatchSeriesError({ expected: this.series, found: series })
    return new BuiltBatch({ ...this.#parameters, place: { ...this.#parameters.place, series } })
  }

  /**
   * The manifest file in pieces of 1 MiB, header first: docs/formats.md, "Manifest".
   *
   * @throws {@link BatchSeriesError} while no series is chosen
   */
  *manifest(): Generator<Uint8Array> {
    const { size, notAfter, root, kind, issuerKeyId } = this
    yield encodeManifestHeader({ ...this.#place(), size, notAfter, root, kind, issuerKeyId })
    for (let from = 0; from < size; from += HASHES_PER_CHUNK) {
      yield this.#parameters.content.hashes(from, Math.min(HASHES_PER_CHUNK, size - from))
    }
  }

  /**
   * The manifest in one array.
   *
   * @throws {@link BatchSeriesError} while no series is chosen
   */
  manifestBytes(): Uint8Array {
    const bytes = new Uint8Array(manifestBytes(this.size))
    let at = 0
    for (const piece of this.manifest()) {
      bytes.set(piece, at)
      at += piece.length
    }
    return bytes
  }

  /**
   * The device at an index.
   *
   * @throws {@link IndexOutOfRangeError}
   */
  device(index: number): BatchDevice {
    return this.#parameters.content.device(index)
  }

  /**
   * The receipt of the device at an index.
   *
   * @throws {@link IndexOutOfRangeError} {@link BatchSeriesError} while no series is chosen
   */
  receipt(index: number): Receipt {
    const proof = this.#parameters.content.inclusionProof(index)
    return { ...this.#place(), size: this.size, index, proof }
  }

  /**
   * All devices with their receipts, by index. One is made when it is asked for.
   *
   * @throws {@link BatchSeriesError} while no series is chosen
   */
  *receipts(): Generator<DeviceReceipt> {
    for (let index = 0; index < this.size; index++) yield { ...this.device(index), receipt: this.receipt(index) }
  }

  #place(): BatchPlace {
    const { chainId, registry, manufacturerId, series } = this.#parameters.place
    if (series === undefined) throw new BatchSeriesError({ expected: undefined, found: undefined })
    return { chainId, registry, manufacturerId, series }
  }
}
