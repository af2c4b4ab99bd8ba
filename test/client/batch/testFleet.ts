import { generateP256Key } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { sha256 } from "../../../client/crypto/sha256.ts"
import type { BatchRow } from "../../../client/batch/batchRow.ts"
import { buildBatch } from "../../../client/batch/buildBatch.ts"
import type { BuildBatchParameters } from "../../../client/batch/buildBatch.ts"
import { BatchRefusedError } from "../../../client/errors/batch.ts"
import { buildCertificate } from "../../../client/x509/build.ts"
import type { BuildCertificateParameters } from "../../../client/x509/build.ts"
import { encodePositionSerial } from "../../../client/x509/positionSerial.ts"

export const NOW = 1_750_000_000
export const YEAR = 365 * 86_400
export const SERIES = 0x8000_0001
export const PLACE = {
  chainId: 31337n,
  registry: `0x${"5f".repeat(20)}` as const,
  manufacturerId: 2,
  series: SERIES,
}

type CertificateOptions = Partial<BuildCertificateParameters>

/** An issuer and the devices that it makes certificates for. */
export class TestFleet {
  readonly signer: KeySigner
  #serial = 1

  constructor(signer: KeySigner) {
    this.signer = signer
  }

  static async make(): Promise<TestFleet> {
    return new TestFleet(await generateP256Key())
  }

  get issuer(): { keyId: KeySigner["keyId"]; spki: Uint8Array } {
    return { keyId: this.signer.keyId, spki: this.signer.spki }
  }

  async certificate(options: CertificateOptions = {}): Promise<Uint8Array> {
    const { spki } = options.spki === undefined ? await generateP256Key() : { spki: options.spki }
    return buildCertificate({
      subject: { commonName: `device ${this.#serial}` },
      issuer: { commonName: "Bar CA" },
      signer: this.signer,
      serial: Uint8Array.of(0x01, this.#serial >> 8, this.#serial++ & 0xff),
      notBefore: NOW - YEAR,
      notAfter: NOW + YEAR,
      ...options,
      spki,
    })
  }

  /** A certificate whose serial number names a place. */
  positioned(index: number, place: Partial<typeof PLACE> = {}, options: CertificateOptions = {}): Promise<Uint8Array> {
    const serial = encodePositionSerial({ ...PLACE, issuerKeyId: this.signer.keyId, index, ...place })
    return this.certificate({ ...options, serial })
  }

  async rows(count: number): Promise<BatchRow[]> {
    const rows: BatchRow[] = []
    for (let i = 0; i < count; i++) rows.push({ source: `dev${i}.pem`, der: await this.certificate() })
    return rows
  }

  build(
    rows: BuildBatchParameters["rows"],
    options: Partial<BuildBatchParameters> = {},
  ): ReturnType<typeof buildBatch> {
    return buildBatch({ rows, place: PLACE, issuer: this.issuer, now: NOW, ...options })
  }

  /** The error that says why these rows make no batch. */
  async refusal(
    rows: BuildBatchParameters["rows"],
    options: Partial<BuildBatchParameters> = {},
  ): Promise<BatchRefusedError> {
    try {
      await this.build(rows, options)
    } catch (error) {
      if (error instanceof BatchRefusedError) return error
      throw error
    }
    throw new Error("the batch was built")
  }
}

/** SHA-256 of a text: stands for a credential hash. */
export function hashOf(text: string): Uint8Array {
  return sha256(new TextEncoder().encode(text))
}

export function hashRow(name: string): BatchRow {
  return { source: name, credentialHash: hashOf(name), notAfter: NOW + YEAR }
}

export async function* asyncly<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  for (const item of items) yield item
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

/** Text as a stream of bytes in pieces of `size`. */
export function* pieces(text: string | Uint8Array, size = 7): Generator<Uint8Array> {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}
