import { generateP256Key, parseCertificate, buildCertificate, toHex } from "../../client/index.ts"
import type { Certificate, Hex, KeySigner } from "../../client/index.ts"
import { openIssuer } from "../../gateway/issuers/issuer.ts"
import type { Issuer } from "../../gateway/issuers/issuer.ts"
import type { SerialEntry, SerialMap } from "../../gateway/store/serialMap.ts"
import { positionSerial } from "../helpers/fleet.ts"
import { DEPLOYMENT, FakeFleet, FakeSource } from "./fakeFleet.ts"

const YEAR = 365 * 86_400
export const SERIES = 0x8000_0001
export const MAKER = 7

/** A factory: a CA, its key on a hand-made ledger, and one batch. */
export class FakeFactory {
  readonly signer: KeySigner
  readonly issuer: Issuer
  readonly fleet: FakeFleet
  readonly source: FakeSource
  readonly now: number

  private constructor(signer: KeySigner, issuer: Issuer, now: number) {
    this.signer = signer
    this.issuer = issuer
    this.now = now
    this.fleet = new FakeFleet(now - 2)
    this.fleet.admit(MAKER)
    this.fleet.addKey(MAKER, signer)
    this.source = new FakeSource(this.fleet)
  }

  static async make(size = 10, now = Math.floor(Date.now() / 1000), name = "Fake CA"): Promise<FakeFactory> {
    const signer = await generateP256Key()
    const certificate = await buildCertificate({
      subject: { commonName: name },
      issuer: { commonName: name },
      spki: signer.spki,
      signer,
      serial: Uint8Array.of(1),
      notBefore: now - YEAR,
      notAfter: now + 10 * YEAR,
      ca: true,
    })
    const factory = new FakeFactory(signer, await openIssuer({ certificate, signer }), now)
    factory.fleet.addBatch(MAKER, SERIES, size)
    return factory
  }

  serial(index: number, series = SERIES): Uint8Array {
    return positionSerial(DEPLOYMENT, this.signer.keyId, { manufacturerId: MAKER, series, index })
  }

  /** A device's certificate, with the serial of a place unless one is given. */
  async certificate(
    index: number,
    options: { serial?: Uint8Array; crlUrl?: string; name?: string; key?: KeySigner; purposes?: string[] } = {},
  ): Promise<Certificate> {
    const key = options.key ?? (await generateP256Key())
    const der = await buildCertificate({
      subject: { commonName: options.name ?? `device ${index}` },
      issuer: this.issuer.certificate,
      spki: key.spki,
      signer: this.signer,
      serial: options.serial ?? this.serial(index),
      notBefore: this.now - 3_600,
      notAfter: this.now + YEAR,
      ...(options.crlUrl === undefined ? {} : { crlUrl: options.crlUrl }),
      ...(options.purposes === undefined ? {} : { purposes: options.purposes }),
    })
    return parseCertificate(der)
  }

  entryOf(certificate: Certificate, place: SerialEntry["place"]): SerialEntry {
    return {
      issuerKeyId: this.signer.keyId,
      serial: toHex(certificate.serial),
      credentialHash: certificate.credentialHash,
      deviceKeyId: certificate.keyId,
      place,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
    }
  }
}

/** A serial map that forgets. */
export class MemorySerials implements SerialMap {
  readonly #entries = new Map<string, SerialEntry>()

  async put(entries: readonly SerialEntry[]): Promise<{ added: number }> {
    for (const entry of entries) this.#entries.set(`${entry.issuerKeyId}:${entry.serial}`, entry)
    return { added: entries.length }
  }
  async get(issuerKeyId: Hex, serial: Hex): Promise<SerialEntry | undefined> {
    return this.#entries.get(`${issuerKeyId}:${serial}`)
  }
  async *ofIssuer(issuerKeyId: Hex): AsyncGenerator<SerialEntry> {
    for (const entry of this.#entries.values()) if (entry.issuerKeyId === issuerKeyId) yield entry
  }
}
