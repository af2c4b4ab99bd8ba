import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../client/abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../../client/abi/ManufacturerRegistry.ts"
import {
  batchRegistrationStatement,
  DeviceClient,
  generateP256Key,
  jsonRpcFrom,
  ManufacturerClient,
  normalizeLowS,
  splitRaw,
} from "../../client/index.ts"
import type { Hex, KeySigner, Receipt } from "../../client/index.ts"
import { makeDevice, makeTree, positionSerial } from "../helpers/fleet.ts"
import type { Device } from "../helpers/fleet.ts"
import { freshLedger, payer } from "../helpers/ledger.ts"
import type { TestLedger } from "../helpers/ledger.ts"

const FAR = 4_000_000_000
const DAY = 86_400

let net: TestLedger
beforeAll(async () => {
  net = await freshLedger()
})
afterAll(() => net.close())

type Maker = { client: ManufacturerClient; issuer: KeySigner; open: KeySigner; openIndex: number }

let makers = 0

/** A manufacturer with a key for batches and one for single credentials. */
async function newMaker(account = 1): Promise<Maker> {
  makers += 1
  const client = await net.admit(`Maker ${makers}`, account)
  const [issuer, open] = await Promise.all([generateP256Key(), generateP256Key()])
  await client.addKey({ purpose: "issuer", signer: issuer })
  const { key } = await client.addKey({ purpose: "openIssuer", signer: open })
  await net.pass(1)
  return { client, issuer, open, openIndex: key.index }
}

type Anchored = { device: Device; receipt: Receipt }

async function fleet({ client, issuer }: Maker, series: number, count = 4): Promise<Anchored[]> {
  const devices = await Promise.all(Array.from({ length: count }, () => makeDevice({ issuer, notAfter: FAR })))
  return register({ client, issuer } as Maker, series, devices)
}

async function register({ client, issuer }: Maker, series: number, devices: readonly Device[]): Promise<Anchored[]> {
  const hashes = devices.map((device) => device.certificate.credentialHash)
  const tree = makeTree(net.deployment, client.manufacturerId, series, hashes)
  const byKey = series >= 0x8000_0000 ? { issuer } : {}
  const batch = { root: tree.root, size: devices.length, notAfter: FAR, issuerKeyId: issuer.keyId, series, ...byKey }
  await client.registerBatch(batch)
  await net.pass(1)
  return devices.map((device, i) => ({ device, receipt: tree.receipt(i) }))
}

async function ask({ device, receipt }: Anchored, at?: Date): Promise<string> {
  const options = { receipt, ...(at === undefined ? {} : { at }) }
  const { status, reason } = await net.verifier().checkCertificate(device.der, options)
  return reason === null ? status : `${status}: ${reason}`
}

async function askAlone(device: Device): Promise<string> {
  const { status, reason } = await net.verifier().checkCertificate(device.der)
  return reason === null ? status : `${status}: ${reason}`
}

const manufacturersTarget = () => ({ to: net.deployment.contracts.manufacturers.address, abi: manufacturerRegistryAbi })

describe("A certificate that is registered again to lose its revocation", () => {
  it("stays revoked by its hash through every door (R3)", async () => {
    const maker = await newMaker()
    const [one] = (await fleet(maker, 1)) as [Anchored]
    await maker.client.revoke([{ subject: one.device.certificate.credentialHash, series: 1, index: 0 }], { reason: 1 })
    const [again] = (await register(maker, 2, [one.device])) as [Anchored]
    const [byKey] = (await register(maker, 0x8000_0001, [one.device])) as [Anchored]

    expect([await ask(one), await ask(again), await ask(byKey)]).toEqual(
      Array.from({ length: 3 }, () => "revoked: keyCompromise"),
    )
    const record = maker.client.registerCredentials(maker.openIndex, [
      { credentialHash: one.device.certificate.credentialHash },
    ])
    await expect(record).rejects.toMatchObject({ errorName: "SubjectAlreadyMarked" })
  })

  it("stays out of the second batch by its serial number (R3)", async () => {
    const maker = await newMaker()
    const place = { manufacturerId: maker.client.manufacturerId, series: 0x8000_0001, index: 0 }
    const serial = positionSerial(net.deployment, maker.issuer.keyId, place)
    const device = await makeDevice({ issuer: maker.issuer, serial, notAfter: FAR })
    const [first] = (await register(maker, 0x8000_0001, [device])) as [Anchored]
    await maker.client.revokePlaces(0x8000_0001, [0], 4)
    const [second] = (await register(maker, 0x8000_0002, [device])) as [Anchored]

    expect(await ask(first)).toBe("revoked: superseded")
    expect(await ask(second)).toBe("unknown: positionElsewhere")
    expect(await askAlone(device)).toBe("revoked: superseded")
  })

  it("is where a verifier with a receipt alone finds its limit: a bit follows the place, not the credential (R3)", async () => {
    const maker = await newMaker()
    const [one] = (await fleet(maker, 1)) as [Anchored]
    await maker.client.revokePlaces(1, [0], 4)
    const [again] = (await register(maker, 2, [one.device])) as [Anchored]

    expect(await ask(one)).toBe("revoked: superseded")
    // Written in docs/trust.md: the builder refuses such batches and replicas void them; a receipt alone cannot tell.
    expect(await ask(again)).toBe("good")
  })

  it("takes its key with it: a new certificate for a revoked key is revoked", async () => {
    const maker = await newMaker()
    const [one] = (await fleet(maker, 1)) as [Anchored]
    await maker.client.revoke([{ subject: one.device.certificate.keyId }], { reason: 1 })
    const renewed = await makeDevice({ issuer: maker.issuer, signer: one.device.signer, notAfter: FAR })
    const [again] = (await register(maker, 2, [renewed])) as [Anchored]

    expect(await ask(again)).toBe("revoked: keyCompromise")
  })
})

describe("A receipt", () => {
  it("speaks of one entry of one ledger (R6)", async () => {
    const maker = await newMaker()
    const twin = await newMaker(2)
    const [one] = (await fleet(maker, 1)) as [Anchored]
    // The same tree under another manufacturer and another series.
    const { root, size } = (await (await net.ledger.at("latest")).batch(maker.client.manufacturerId, 1)) as {
      root: Hex
      size: number
    }
    await twin.client.registerBatch({ root, size, notAfter: FAR, issuerKeyId: twin.issuer.keyId, series: 1 })
    await net.pass(1)
    const change = (fields: Partial<Receipt>): Anchored => ({ ...one, receipt: { ...one.receipt, ...fields } })

    expect(await ask(one)).toBe("good")
    expect(await ask(change({ manufacturerId: twin.client.manufacturerId }))).toBe("unknown: signatureInvalid")
    expect(await ask(change({ series: 2 }))).toBe("unknown: notAnchored")
    expect(await ask(change({ chainId: 1n }))).toBe("unknown: receiptForeign")
    expect(await ask(change({ registry: net.deployment.contracts.manufacturers.address }))).toBe(
      "unknown: receiptForeign",
    )
  })

  it("binds the size: a batch of one more under the same root refuses every proof whose path changes (R8)", async () => {
    const maker = await newMaker()
    const all = await fleet(maker, 1, 4)
    const { root } = (await (await net.ledger.at("latest")).batch(maker.client.manufacturerId, 1)) as { root: Hex }
    await maker.client.registerBatch({ root, size: 5, notAfter: FAR, issuerKeyId: maker.issuer.keyId, series: 2 })
    await net.pass(1)

    for (const one of all) {
      expect(await ask({ ...one, receipt: { ...one.receipt, series: 2 } })).toBe("unknown: receiptWrong")
      const forged = { ...one.receipt, series: 2, size: 5, proof: [...one.receipt.proof, new Uint8Array(32)] }
      expect(await ask({ ...one, receipt: forged })).toBe("unknown: receiptWrong")
    }
    await expect(
      maker.client.registerBatch({ root, size: 0, notAfter: FAR, issuerKeyId: maker.issuer.keyId, series: 3 }),
    ).rejects.toMatchObject({ name: "NumberOutOfRangeError" })
  })
})

describe("A registration that somebody copies from the mempool (R7)", () => {
  it("says the same whoever submits it, and nothing under another name", async () => {
    const maker = await newMaker()
    const thief = await newMaker(2)
    const device = await makeDevice({ issuer: maker.issuer, notAfter: FAR })
    const series = 0x8000_0005
    const id = maker.client.manufacturerId
    const tree = makeTree(net.deployment, id, series, [device.certificate.credentialHash])
    const batch = { series, root: tree.root, size: 1, notAfter: FAR }
    const { chainId, contracts } = net.deployment
    const domain = { chainId, verifyingContract: contracts.devices.address }
    const statement = batchRegistrationStatement(domain, {
      manufacturerId: id,
      ...batch,
      keyId: maker.issuer.keyId,
      kind: "x509",
    })
    const { r, s } = splitRaw(normalizeLowS(await maker.issuer.sign(statement)))
    const submit = (account: number, manufacturerId: number, changes: Partial<typeof batch> = {}) =>
      net.writer(account).write({
        to: contracts.devices.address,
        abi: deviceRegistryAbi,
        functionName: "registerBatchFor",
        args: [manufacturerId, { ...batch, keyIndex: 1, ...changes }, 0, r, s],
      })

    await expect(submit(2, thief.client.manufacturerId)).rejects.toMatchObject({ errorName: "SignatureInvalid" })
    for (const changes of [{ series: series + 1 }, { size: 2 }, { notAfter: FAR - 1 }]) {
      await expect(submit(2, id, changes)).rejects.toMatchObject({ errorName: "SignatureInvalid" })
    }
    // The copy is mined first; the maker's own changes nothing, and costs it no error.
    await submit(2, id)
    await submit(1, id)
    await maker.client.registerBatch({ ...batch, issuerKeyId: maker.issuer.keyId, issuer: maker.issuer })
    await net.pass(1)
    expect(await ask({ device, receipt: tree.receipt(0) })).toBe("good")
  })

  it("does not let an operator of one squat on the series of another", async () => {
    const [maker, squatter] = [await newMaker(), await newMaker(2)]
    await squatter.client.registerBatch({
      root: `0x${"11".repeat(32)}`,
      size: 1,
      notAfter: FAR,
      issuerKeyId: squatter.issuer.keyId,
      series: 1,
    })

    const [one] = (await fleet(maker, 1)) as [Anchored]
    expect(await ask(one)).toBe("good")
  })
})

describe("A thief who races a revocation (S6)", () => {
  it("gains nothing by registering first in the block, nor second", async () => {
    const maker = await newMaker()
    for (const revokedFirst of [true, false]) {
      const device = await makeDevice({ issuer: maker.open, notAfter: FAR })
      const { credentialHash } = device.certificate
      await net.ask("evm_setAutomine", false)
      // Each is sent as if the other were not waiting already.
      const rpc = jsonRpcFrom(({ method, params }) =>
        method === "eth_estimateGas" ? net.ask(method, params[0], "latest") : net.ask(method, ...params),
      )
      const id = maker.client.manufacturerId
      const racer = new ManufacturerClient({
        ledger: net.ledger,
        rpc,
        writer: net.writer(1, { rpc }),
        manufacturerId: id,
      })
      const deeds = [
        () => racer.revoke([{ subject: credentialHash }], { reason: 1 }),
        () =>
          new DeviceClient(device).registerIssued(device.der, { ledger: net.ledger, writer: net.writer(3, { rpc }) }),
      ]
      const waiting: Promise<unknown>[] = []
      for (const deed of revokedFirst ? deeds : deeds.toReversed()) {
        waiting.push(deed().catch((error: unknown) => error))
        await inMempool(waiting.length)
      }
      const { number } = (await net.freshView().at("latest")).block
      await net.ask("evm_mine")
      await net.ask("evm_setAutomine", true)
      await Promise.all(waiting)
      await net.pass(1)

      expect(await askAlone(device)).toBe("revoked: keyCompromise")
      const before = await net.freshView().at("latest")
      expect(before.block.number).toBe(number + 2)
      expect((await before.record(maker.client.manufacturerId, credentialHash)).registeredAt === undefined).toBe(
        revokedFirst,
      )
    }
  })

  it("finds that what was good in the block before is so for that block only", async () => {
    const maker = await newMaker()
    const [one] = (await fleet(maker, 1)) as [Anchored]
    const before = await net.pass(10)
    await net.nextBlockAt(before.getTime() / 1000 + 5)
    await maker.client.revoke([{ subject: one.device.certificate.credentialHash }], { reason: 1 })
    const after = await net.syncClock()
    await net.pass(10)

    expect(await ask(one, before)).toBe("good")
    expect(await ask(one, new Date(after.getTime() - 1000))).toBe("good")
    expect(await ask(one, after)).toBe("revoked: keyCompromise")
  })
})

describe("What was never issued (S8)", () => {
  it("is unknown at every door, whatever serial number it shows", async () => {
    const maker = await newMaker()
    await fleet(maker, 1)
    const stranger = await generateP256Key()
    const place = { manufacturerId: maker.client.manufacturerId, series: 0x8000_0009, index: 0 }
    const never = [
      await makeDevice({ issuer: maker.issuer, notAfter: FAR }),
      await makeDevice({ issuer: maker.open, notAfter: FAR }),
      await makeDevice({ issuer: stranger, notAfter: FAR }),
      await makeDevice({
        issuer: maker.issuer,
        notAfter: FAR,
        serial: positionSerial(net.deployment, maker.issuer.keyId, place),
      }),
      await makeDevice({
        issuer: stranger,
        notAfter: FAR,
        serial: positionSerial(net.deployment, maker.issuer.keyId, place),
      }),
    ]

    const answers = await Promise.all(never.map(askAlone))

    expect(answers).toEqual([
      "unknown: notAnchored",
      "unknown: notAnchored",
      "unknown: issuerUnknown",
      "unknown: positionElsewhere",
      "unknown: issuerUnknown",
    ])
  })
})

describe("A manufacturer's key", () => {
  it("is retired: nothing new, and what it signed stays good (K4)", async () => {
    const maker = await newMaker()
    const [one] = (await fleet(maker, 1)) as [Anchored]
    await maker.client.revokeKey(1)
    await net.pass(1)

    expect(await ask(one)).toBe("good")
    const more = maker.client.registerBatch({
      root: `0x${"33".repeat(32)}`,
      size: 1,
      notAfter: FAR,
      issuerKeyId: maker.issuer.keyId,
    })
    await expect(more).rejects.toMatchObject({ errorName: "KeyNotCurrent" })
    // Retired, and found to be lost later: only what was anchored before the loss stays.
    await maker.client.declareCompromise(1, new Date((await net.now()) * 1000))
    await net.pass(1)
    expect(await ask(one)).toBe("good")
    const { registeredAt } = (await (await net.ledger.at("latest")).batch(maker.client.manufacturerId, 1)) as {
      registeredAt: number
    }
    await maker.client.declareCompromise(1, new Date(registeredAt * 1000))
    await net.pass(1)
    expect(await ask(one)).toBe("revoked: cACompromise")
  })

  it("is registered once, for ever: by nobody else, and not again (K8)", async () => {
    const [maker, other] = [await newMaker(), await newMaker(2)]
    await maker.client.revokeKey(1)
    await net.pass(3650 * DAY)

    await expect(other.client.addKey({ purpose: "issuer", signer: maker.issuer })).rejects.toMatchObject({
      name: "KeyTakenError",
    })
    await expect(maker.client.addKey({ purpose: "openIssuer", signer: maker.issuer })).rejects.toMatchObject({
      name: "KeyTakenError",
    })
    const { key, transaction } = await maker.client.addKey({ purpose: "issuer", signer: maker.issuer })
    expect([key.revokedAt !== undefined, transaction]).toEqual([true, null])
  })
})

describe("A manufacturer that goes", () => {
  it("has its earlier devices stay good and registers no more (K9)", async () => {
    const maker = await newMaker()
    const [one] = (await fleet(maker, 1)) as [Anchored]
    await net.writer(1).write({ ...manufacturersTarget(), functionName: "resign", args: [maker.client.manufacturerId] })
    await net.pass(1)

    expect(await ask(one)).toBe("good")
    await expect(fleet(maker, 2)).rejects.toMatchObject({ errorName: "ManufacturerStatusWrong" })
    // Revoking works for ever.
    await maker.client.revoke([{ subject: one.device.certificate.credentialHash }], { reason: 5 })
    await net.pass(1)
    expect(await ask(one)).toBe("revoked: cessationOfOperation")
  })

  it("is suspended: nothing is good, revoking works, and it is all as before when it is resumed (K9)", async () => {
    const maker = await newMaker()
    const [one, two] = (await fleet(maker, 1)) as [Anchored, Anchored]
    await net.governance().suspend(maker.client.manufacturerId)
    await net.pass(1)
    expect([await ask(one), await ask(two)]).toEqual(["onHold: manufacturerSuspended", "onHold: manufacturerSuspended"])
    await maker.client.revoke([{ subject: one.device.certificate.credentialHash }], { reason: 1 })
    await net.governance().resume(maker.client.manufacturerId)
    await net.pass(1)

    expect([await ask(one), await ask(two)]).toEqual(["revoked: keyCompromise", "good"])
  })
})

describe("A controller", () => {
  const propose = (id: number, controller: Hex) =>
    net.writer(0).write({ ...manufacturersTarget(), functionName: "proposeController", args: [id, controller] })
  const replace = (id: number) =>
    net.writer(0).write({ ...manufacturersTarget(), functionName: "replaceController", args: [id] })
  const veto = (id: number, account: number) =>
    net.writer(account).write({ ...manufacturersTarget(), functionName: "vetoReplacement", args: [id] })

  it("that is lost is replaced after thirty days; its operators go with it, its devices stay (K10)", async () => {
    const maker = await newMaker()
    const id = maker.client.manufacturerId
    const [one] = (await fleet(maker, 1)) as [Anchored]
    await maker.client.setOperator(payer(3).address, ["register", "revoke"], new Date(FAR * 1000))
    await propose(id, payer(2).address)
    await net.pass(30 * DAY - 10)
    await expect(replace(id)).rejects.toMatchObject({ errorName: "ReplacementNotDue" })
    await net.pass(10)
    await replace(id)
    await net.pass(1)

    expect(await ask(one)).toBe("good")
    expect(await (await net.ledger.at("latest")).operator(id, payer(3).address)).toBeUndefined()
    const subject = { subject: one.device.certificate.credentialHash }
    await expect(net.manufacturer(id, 3).revoke([subject], { reason: 1 })).rejects.toMatchObject({
      errorName: "AccountUnauthorized",
    })
    await expect(net.manufacturer(id, 1).revoke([subject], { reason: 1 })).rejects.toMatchObject({
      errorName: "AccountUnauthorized",
    })
    await net.manufacturer(id, 2).revoke([subject], { reason: 1 })
    await net.pass(1)
    expect(await ask(one)).toBe("revoked: keyCompromise")
  })

  it("that is there stops its replacement, unless it is suspended (K10)", async () => {
    const maker = await newMaker()
    const id = maker.client.manufacturerId
    await propose(id, payer(2).address)
    await veto(id, 1)
    await net.pass(31 * DAY)
    await expect(replace(id)).rejects.toMatchObject({ errorName: "ReplacementNotDue" })

    await propose(id, payer(2).address)
    await net.governance().suspend(id)
    await net.governance().confirmSuspension(id)
    await expect(veto(id, 1)).rejects.toMatchObject({ errorName: "ManufacturerStatusWrong" })
    await net.pass(31 * DAY)
    await replace(id)
    expect((await (await net.ledger.at("latest")).manufacturer(id))?.controller).toBe(payer(2).address.toLowerCase())
  })

  it("that was stolen is outrun: the guardian suspends and dates the key's compromise (K10)", async () => {
    const maker = await newMaker()
    const id = maker.client.manufacturerId
    const [honest] = (await fleet(maker, 1)) as [Anchored]
    const theft = await net.pass(100)
    const [forged] = (await fleet(maker, 2)) as [Anchored]
    await net.governance().suspend(id)
    const since = theft.getTime() / 1000
    await net.writer(0).write({ ...manufacturersTarget(), functionName: "declareCompromiseFor", args: [id, 1, since] })
    await net.governance().resume(id)
    await net.pass(1)

    expect([await ask(honest), await ask(forged)]).toEqual(["good", "revoked: cACompromise"])
  })
})

async function inMempool(count: number): Promise<void> {
  for (;;) {
    const { transactions } = await net.ask<{ transactions: unknown[] }>("eth_getBlockByNumber", "pending", false)
    if (transactions.length >= count) return
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
}
