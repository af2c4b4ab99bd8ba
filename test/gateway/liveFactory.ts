import { buildCertificate, generateP256Key, memoryStore, parseCertificate, Replica } from "../../client/index.ts"
import type { Certificate, ExportableKeySigner, ManufacturerClient, Receipt } from "../../client/index.ts"
import { openIssuer } from "../../gateway/issuers/issuer.ts"
import type { Issuer } from "../../gateway/issuers/issuer.ts"
import { makeTree, nowSeconds, positionSerial } from "../helpers/fleet.ts"
import { freshLedger } from "../helpers/ledger.ts"
import type { TestLedger } from "../helpers/ledger.ts"

const YEAR = 365 * 86_400
const SERIES = 0x8000_0000

export type LiveDevice = {
  readonly key: ExportableKeySigner
  readonly certificate: Certificate
  readonly name: string
  readonly receipt: Receipt
}

/** A manufacturer on a ledger of its own, with a CA, one batch of devices, and a replica that follows the ledger. */
export class LiveFactory {
  readonly net: TestLedger
  readonly maker: ManufacturerClient
  readonly issuer: Issuer
  readonly devices: readonly LiveDevice[]
  readonly replica: Replica
  readonly series = SERIES
  readonly #stopped = new AbortController()
  readonly #following: Promise<void>

  private constructor(parts: Pick<LiveFactory, "net" | "maker" | "issuer" | "devices" | "replica">) {
    this.net = parts.net
    this.maker = parts.maker
    this.issuer = parts.issuer
    this.devices = parts.devices
    this.replica = parts.replica
    this.#following = this.replica.follow({ signal: this.#stopped.signal, intervalMs: 100 })
  }

  /**
   * @param names Common names of the devices, in the order of their places.
   * @param ledger Where; it is closed with the factory. Default: a new one in this process.
   */
  static async make(names: readonly string[], ledger?: TestLedger): Promise<LiveFactory> {
    const net = ledger ?? (await freshLedger())
    const maker = await net.admit("Live Works")
    const signer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer })
    const now = nowSeconds()
    const notAfter = now + YEAR
    const shared = { issuer: { commonName: "Live CA" }, signer, notBefore: now - 3_600 }
    const ca = await buildCertificate({
      ...shared,
      subject: { commonName: "Live CA" },
      spki: signer.spki,
      serial: Uint8Array.of(1),
      notAfter: now + 10 * YEAR,
      ca: true,
    })
    const issuer = await openIssuer({ certificate: ca, signer })
    const { manufacturerId } = maker
    const made = await Promise.all(
      names.map(async (name, index) => {
        const key = await generateP256Key()
        const serial = positionSerial(net.deployment, signer.keyId, { manufacturerId, series: SERIES, index })
        const subject = { commonName: name }
        const der = await buildCertificate({
          ...shared,
          subject,
          issuer: issuer.certificate,
          spki: key.spki,
          serial,
          notAfter,
        })
        const certificate = parseCertificate(der)
        return { key, certificate, name }
      }),
    )
    const hashes = made.map(({ certificate }) => certificate.credentialHash)
    const tree = makeTree(net.deployment, manufacturerId, SERIES, hashes)
    const { root, size } = tree
    await maker.registerBatch({ root, size, notAfter, issuerKeyId: signer.keyId, series: SERIES, issuer: signer })
    const devices = made.map((device, index) => ({ ...device, receipt: tree.receipt(index) }))
    const replica = await Replica.open({ deployment: net.deployment, rpc: net.rpc, store: memoryStore() })
    await replica.sync()
    return new LiveFactory({ net, maker, issuer, devices, replica })
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#following.catch(() => undefined)
    await this.replica.close()
    await this.net.close()
  }
}
