import {
  buildBatch,
  buildCertificate,
  decodePem,
  DeviceClient,
  ecdsaDerToRaw,
  ecdsaRawToDer,
  encodePem,
  generateP256Key,
  P256_ORDER,
  parseCertificate,
  signerFromPkcs8,
  toHex,
} from "../../client/index.ts"
import type {
  BuiltBatch,
  Hex,
  KeySigner,
  ManufacturerClient,
  Mined,
  Verdict,
  WriteOutcome,
} from "../../client/index.ts"
import { tellFirmware } from "./firmwareStory.ts"
import { Openssl } from "./openssl.ts"
import type { Row } from "./table.ts"
import type { World } from "./world.ts"

/** How many devices the fleet has, and how many of its certificates openssl makes. */
export type StoryOptions = { count: number; byOpenssl: number; say: (line: string) => void }

/** What the story leaves for the table and the summary. */
export type Story = { rows: Row[]; fleetGas: bigint; count: number; madeByOpenssl: number }

type Fleet = { certificates: Uint8Array[]; issuer: KeySigner; caPem: string; madeByOpenssl: number }

const KEY_COMPROMISE = 1
const SUPERSEDED = 4
const CESSATION = 5
const DAY = 86_400
const TEN_YEARS = 3_650 * DAY

/** The main job, told once from beginning to end; every answer is compared with the expected one. */
export class Teller {
  readonly #world: World
  readonly #options: StoryOptions
  readonly #openssl: Openssl | undefined
  readonly #rows: Row[] = []

  constructor(world: World, options: StoryOptions) {
    this.#world = world
    this.#options = options
    this.#openssl = Openssl.isPresent() ? new Openssl() : undefined
  }

  async tell(): Promise<Story> {
    try {
      const maker = await this.#world.admit("Acme Works")
      const fleet = await this.#makeFleet()
      const { batch, gas } = await this.#registerFleet(maker, fleet)
      await this.#checkTen(fleet, batch)
      await this.#selfRegistration(maker)
      await this.#revokeAndHold(maker, fleet, batch)
      await this.#suspendAndResume(maker, fleet, batch)
      await this.#stolenKey(maker)
      await this.#noWayBack(maker, fleet, batch)
      await tellFirmware(this.#world, maker, this.#openssl, (step, expected, act) => this.#row(step, expected, act))
      return { rows: this.#rows, fleetGas: gas, count: this.#options.count, madeByOpenssl: fleet.madeByOpenssl }
    } finally {
      this.#openssl?.remove()
    }
  }

  async #makeFleet(): Promise<Fleet> {
    const { count, say } = this.#options
    const madeByOpenssl = this.#openssl === undefined ? 0 : Math.min(this.#options.byOpenssl, count)
    say(
      madeByOpenssl > 0
        ? `making an issuing CA with openssl and ${count} device certificates, ${madeByOpenssl} of them with openssl too …`
        : `making an issuing CA and ${count} device certificates (no openssl here) …`,
    )
    const { issuer, caPem } = await this.#makeCa()
    const ca = parseCertificate(decodePem(caPem)[0]?.der ?? new Uint8Array())
    const certificates: Uint8Array[] = []
    for (let i = 0; i < madeByOpenssl; i++) {
      const pem = this.#openssl?.issue(`device-${i}`) ?? ""
      certificates.push(decodePem(pem)[0]?.der ?? new Uint8Array())
    }
    for (let i = madeByOpenssl; i < count; i++) {
      const device = await generateP256Key()
      certificates.push(await issueFor(device, issuer, ca, `device-${i}`))
    }
    return { certificates, issuer, caPem, madeByOpenssl }
  }

  async #makeCa(): Promise<{ issuer: KeySigner; caPem: string }> {
    if (this.#openssl !== undefined) {
      const { key, certificate } = this.#openssl.makeCa()
      return { issuer: await signerFromPkcs8(key), caPem: certificate }
    }
    const issuer = await generateP256Key()
    const name = { organization: "Acme Works", commonName: "Acme Issuing CA" }
    const now = nowSeconds()
    const der = await buildCertificate({
      subject: name,
      issuer: name,
      spki: issuer.spki,
      signer: issuer,
      serial: Uint8Array.of(1),
      notBefore: now - DAY,
      notAfter: now + TEN_YEARS,
      ca: true,
    })
    return { issuer, caPem: encodePem("CERTIFICATE", der) }
  }

  async #registerFleet(maker: ManufacturerClient, fleet: Fleet): Promise<{ batch: BuiltBatch; gas: bigint }> {
    const { issuer } = fleet
    await this.#row("the manufacturer proves that it holds its issuer key", "done", async () => {
      const { transaction } = await maker.addKey({ purpose: "issuer", signer: issuer })
      return { found: "done", gas: transaction?.gasUsed }
    })
    await this.#world.pass(60)
    const series = await maker.nextSeries()
    let built: BuiltBatch | undefined
    let gas = 0n
    await this.#row(`${this.#options.count} devices registered in one transaction`, "1 transaction", async () => {
      built = await this.#build(fleet.certificates, issuer, maker.manufacturerId, series)
      const { root, size, notAfter } = built
      const { transaction } = await maker.registerBatch({ root, size, notAfter, issuerKeyId: issuer.keyId, series })
      gas = transaction?.gasUsed ?? 0n
      return { found: transaction === null ? "nothing sent" : "1 transaction", gas }
    })
    await this.#world.pass(60)
    if (built === undefined) throw new Error("the batch was not built")
    return { batch: built, gas }
  }

  #build(
    certificates: readonly Uint8Array[],
    issuer: KeySigner,
    manufacturerId: number,
    series: number,
  ): Promise<BuiltBatch> {
    const { deployment } = this.#world
    return buildBatch({
      rows: rowsOf(certificates),
      place: {
        chainId: BigInt(deployment.chainId),
        registry: deployment.contracts.devices.address,
        manufacturerId,
        series,
      },
      issuer,
      now: new Date(),
    })
  }

  async #checkTen(fleet: Fleet, batch: BuiltBatch): Promise<void> {
    const { count } = this.#options
    const chosen = Array.from({ length: Math.min(10, count) }, (_, i) => Math.floor((i * count) / 10))
    await this.#row("ten of them checked, each by its own receipt", "10 good", async () => {
      const verdicts = await Promise.all(chosen.map((i) => this.#check(fleet, batch, i)))
      return { found: `${verdicts.filter(({ status }) => status === "good").length} good` }
    })
  }

  async #selfRegistration(maker: ManufacturerClient): Promise<void> {
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "openIssuer", signer: issuer })
    await this.#world.pass(60)
    const device = await DeviceClient.generate()
    const certificate = await issueFor(device.signer, issuer, undefined, "walk-in")
    await this.#row("a device with a certificate that nobody registered", "unknown", async () => {
      return { found: (await this.#world.verifier.checkCertificate(certificate)).status }
    })
    await this.#row("it registers itself: its certificate is the permission", "good", async () => {
      const { ledger } = this.#world
      const mined = await device.registerIssued(certificate, { ledger, writer: this.#world.stranger() })
      await this.#world.pass(60)
      return { found: (await this.#world.verifier.checkCertificate(certificate)).status, gas: mined?.gasUsed }
    })
  }

  async #revokeAndHold(maker: ManufacturerClient, fleet: Fleet, batch: BuiltBatch): Promise<void> {
    const subject = (i: number) => parseCertificate(fleet.certificates[i] as Uint8Array).credentialHash
    const { series = 0 } = batch
    await this.#row("device 1 revoked: its key leaked", "revoked keyCompromise", async () => {
      const targets = [{ subject: subject(1), series, index: 1 }, { subject: keyOf(fleet, 1) }]
      const outcome = await maker.revoke(targets, { reason: KEY_COMPROMISE })
      return this.#after(outcome, fleet, batch, 1)
    })
    await this.#row("device 2 revoked: out of service", "revoked cessationOfOperation", async () => {
      const outcome = await maker.revoke([{ subject: subject(2), series, index: 2 }], { reason: CESSATION })
      return this.#after(outcome, fleet, batch, 2)
    })
    await this.#row("device 3 revoked by its place's bit", "revoked superseded", async () => {
      return this.#after(await maker.revokePlaces(series, [3], SUPERSEDED), fleet, batch, 3)
    })
    await this.#row("device 4 put on hold", "onHold certificateHold", async () => {
      return this.#after(await maker.hold([{ subject: subject(4), series, index: 4 }]), fleet, batch, 4)
    })
    await this.#row("its neighbour, device 5", "good", async () => {
      return { found: answer(await this.#check(fleet, batch, 5)) }
    })
  }

  async #suspendAndResume(maker: ManufacturerClient, fleet: Fleet, batch: BuiltBatch): Promise<void> {
    const { governance } = this.#world
    await this.#row("the manufacturer suspended: device 5", "onHold manufacturerSuspended", async () => {
      const mined = await governance.suspend(maker.manufacturerId)
      await this.#world.pass(60)
      return { found: answer(await this.#check(fleet, batch, 5)), gas: mined?.gasUsed }
    })
    await this.#row("the manufacturer resumed: device 5", "good", async () => {
      const mined = await governance.resume(maker.manufacturerId)
      await this.#world.pass(60)
      return { found: answer(await this.#check(fleet, batch, 5)), gas: mined?.gasUsed }
    })
  }

  /** A thief signs with a stolen issuer key. What was anchored before the theft stays good; what came after does not. */
  async #stolenKey(maker: ManufacturerClient): Promise<void> {
    const { ledger, verifier } = this.#world
    const stolen = await generateP256Key()
    const { key } = await maker.addKey({ purpose: "openIssuer", signer: stolen })
    await this.#world.pass(60)
    const put = async (name: string): Promise<Uint8Array> => {
      const device = await DeviceClient.generate()
      const certificate = await issueFor(device.signer, stolen, undefined, name)
      await device.registerIssued(certificate, { ledger, writer: this.#world.stranger() })
      return certificate
    }
    const honest = await put("honest")
    const theft = await this.#world.pass(3_600)
    // The thief dates its certificate back; the block's time does not follow.
    const forged = await put("forged")
    await this.#world.pass(3_600)
    const declared = await maker.declareCompromise(key.index, theft)
    await this.#world.pass(60)
    await this.#row("an issuer key was stolen: certificate anchored before", "good", async () => {
      return { found: answer(await verifier.checkCertificate(honest)), gas: declared?.gasUsed }
    })
    await this.#row("… certificate by the thief, anchored after", "revoked cACompromise", async () => {
      return { found: answer(await verifier.checkCertificate(forged)) }
    })
  }

  /** Revocation is for ever: three ways to get round it, none of which works. */
  async #noWayBack(maker: ManufacturerClient, fleet: Fleet, batch: BuiltBatch): Promise<void> {
    const revoked = fleet.certificates[1] as Uint8Array
    await this.#row("the revoked certificate registered again in a new batch", "revoked keyCompromise", async () => {
      const again = await this.#registerAnew(maker, fleet, [revoked])
      const receipt = again.batch.receipt(0)
      const verdict = await this.#world.verifier.checkCertificate(revoked, { receipt })
      return { found: answer(verdict), gas: again.gas }
    })
    await this.#row("the revoked certificate with its signature's twin", "revoked keyCompromise", async () => {
      const receipt = batch.receipt(1)
      return { found: answer(await this.#world.verifier.checkCertificate(twinOf(revoked), { receipt })) }
    })
    await this.#row("a new certificate for the revoked key, in a new batch", "revoked keyCompromise", async () => {
      const { spki } = parseCertificate(revoked)
      const renewed = await issueForSpki(spki, fleet.issuer, parseCertificate(derOf(fleet.caPem)), "device-1-again")
      const again = await this.#registerAnew(maker, fleet, [renewed])
      const receipt = again.batch.receipt(0)
      const verdict = await this.#world.verifier.checkCertificate(renewed, { receipt })
      return { found: answer(verdict), gas: again.gas }
    })
  }

  async #registerAnew(
    maker: ManufacturerClient,
    fleet: Fleet,
    certificates: readonly Uint8Array[],
  ): Promise<{ batch: BuiltBatch; gas: bigint | undefined }> {
    const series = await maker.nextSeries()
    const batch = await this.#build(certificates, fleet.issuer, maker.manufacturerId, series)
    const { root, size, notAfter } = batch
    const { transaction } = await maker.registerBatch({ root, size, notAfter, issuerKeyId: fleet.issuer.keyId, series })
    await this.#world.pass(60)
    return { batch, gas: transaction?.gasUsed }
  }

  async #check(fleet: Fleet, batch: BuiltBatch, index: number): Promise<Verdict> {
    const receipt = batch.receipt(index)
    return this.#world.verifier.checkCertificate(fleet.certificates[index] as Uint8Array, { receipt })
  }

  async #after(
    outcome: WriteOutcome,
    fleet: Fleet,
    batch: BuiltBatch,
    index: number,
  ): Promise<{ found: string; gas: bigint }> {
    await this.#world.pass(60)
    const gas = outcome.transactions.reduce((sum: bigint, mined: Mined) => sum + mined.gasUsed, 0n)
    return { found: answer(await this.#check(fleet, batch, index)), gas }
  }

  async #row(
    step: string,
    expected: string,
    act: () => Promise<{ found: string; gas?: bigint | undefined }>,
  ): Promise<void> {
    const started = performance.now()
    const { found, gas } = await act()
    this.#rows.push({ step, expected, found, gas, milliseconds: performance.now() - started })
  }
}

function answer({ status, reason }: Verdict): string {
  return reason === null ? status : `${status} ${reason}`
}

async function* rowsOf(certificates: readonly Uint8Array[]): AsyncGenerator<{ source: string; der: Uint8Array }> {
  for (const [i, der] of certificates.entries()) yield { source: `device ${i}`, der }
}

function issueFor(
  device: KeySigner,
  issuer: KeySigner,
  ca: ReturnType<typeof parseCertificate> | undefined,
  name: string,
): Promise<Uint8Array> {
  return issueForSpki(device.spki, issuer, ca, name)
}

function issueForSpki(
  spki: Uint8Array,
  issuer: KeySigner,
  ca: ReturnType<typeof parseCertificate> | undefined,
  name: string,
): Promise<Uint8Array> {
  const serial = crypto.getRandomValues(new Uint8Array(16))
  serial[0] = 0x10
  const now = nowSeconds()
  return buildCertificate({
    subject: { commonName: name },
    issuer: ca ?? { commonName: "Acme Open CA" },
    spki,
    signer: issuer,
    serial,
    notBefore: now - DAY,
    notAfter: now + TEN_YEARS,
  })
}

function keyOf(fleet: Fleet, index: number): Hex {
  return parseCertificate(fleet.certificates[index] as Uint8Array).keyId
}

function derOf(pem: string): Uint8Array {
  return decodePem(pem)[0]?.der ?? new Uint8Array()
}

/** The same certificate with the other valid signature, (r, n - s): another fingerprint, the same credential hash. */
export function twinOf(certificate: Uint8Array): Uint8Array {
  const { der, signatureValue } = parseCertificate(certificate)
  const raw = ecdsaDerToRaw(signatureValue, 32)
  const s = BigInt(toHex(raw.subarray(32)))
  const twin = (P256_ORDER - s).toString(16).padStart(64, "0")
  for (let i = 0; i < 32; i++) raw[32 + i] = Number.parseInt(twin.slice(2 * i, 2 * i + 2), 16)
  const signature = ecdsaRawToDer(raw)
  // The signature is the last element; its length may change by an octet, and with it two lengths above it.
  const head = der.subarray(4, der.length - signatureValue.length - 3)
  const tail = Uint8Array.of(0x03, signature.length + 1, 0x00, ...signature)
  const body = new Uint8Array([...head, ...tail])
  return new Uint8Array([0x30, 0x82, body.length >> 8, body.length & 0xff, ...body])
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
