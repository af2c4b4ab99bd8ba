import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { manufacturerRegistryAbi } from "../../../client/abi/ManufacturerRegistry.ts"
import { generateP256Key } from "../../../client/index.ts"
import type { KeySigner, ManufacturerClient, Receipt } from "../../../client/index.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const DAY = 86_400
const FORTNIGHT = 14 * DAY

let net: TestLedger
let maker: ManufacturerClient
let issuer: KeySigner
let series = 0

beforeAll(async () => {
  net = await freshLedger()
  maker = await net.admit("Acme Works")
  issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  await net.pass(1)
})
afterAll(() => net.close())

type Anchored = { device: Device; receipt: Receipt }

/** A device with a batch of its own, anchored at `at` if given. */
async function anchor(
  options: { notBefore?: number; notAfter?: number; anchorNotAfter?: number; at?: number; key?: KeySigner } = {},
): Promise<Anchored> {
  const key = options.key ?? issuer
  const now = await net.now()
  const times = { notBefore: options.notBefore ?? now - 1000, notAfter: options.notAfter ?? now + 5000 * DAY }
  const device = await makeDevice({ issuer: key, ...times })
  series += 1
  const tree = makeTree(net.deployment, maker.manufacturerId, series, [device.certificate.credentialHash])
  const notAfter = options.anchorNotAfter ?? times.notAfter
  if (options.at !== undefined) await net.nextBlockAt(options.at)
  await maker.registerBatch({ root: tree.root, size: 1, notAfter, issuerKeyId: key.keyId, series })
  return { device, receipt: tree.receipt(0) }
}

async function statusOf({ device, receipt }: Anchored, at?: number): Promise<string> {
  const options = { receipt, ...(at === undefined ? {} : { at: new Date(at * 1000) }) }
  const { status, reason } = await net.verifier().checkCertificate(device.der, options)
  return reason === null ? status : `${status}: ${reason}`
}

/** Mines an empty block at a second of its own. */
async function blockAt(time: number): Promise<void> {
  await net.nextBlockAt(time)
  await net.ask("evm_mine")
  await net.syncClock()
}

describe("Verifier, with a clock that is wrong", () => {
  const HOUR = 3600
  it.each([
    [-400 * DAY, "ClockBehindError"],
    [-HOUR, "ClockBehindError"],
    [-121, "ClockBehindError"],
    [-120, "good"],
    [0, "good"],
    [120, "good"],
    [121, "StaleHeadError"],
    [HOUR, "StaleHeadError"],
    [400 * DAY, "StaleHeadError"],
    [Number.NaN, "StaleHeadError"],
  ])("by %d s: %s", async (seconds, expected) => {
    const { device, receipt } = await anchor()
    await net.pass(1)
    const now = () => new Date(net.clock.getTime() + seconds * 1000)

    const answer = net.verifier({ now }).checkCertificate(device.der, { receipt })

    expect(
      await answer.then(
        ({ status }) => status,
        (error: unknown) => (error as Error).name,
      ),
    ).toBe(expected)
  })

  it("says how old the answer is, and lets policy decide", async () => {
    const { device, receipt } = await anchor()
    await net.pass(1)
    const now = () => new Date(net.clock.getTime() + 1000 * 1000)

    const verdict = await net.verifier({ now, maxAgeSeconds: 1000 }).checkCertificate(device.der, { receipt })

    expect(verdict).toMatchObject({ status: "good", staleSeconds: 1000 })
    const strict = net.verifier({ now, maxAgeSeconds: 999 }).checkCertificate(device.der, { receipt })
    await expect(strict).rejects.toMatchObject({ name: "StaleHeadError", ageSeconds: 1000, maxAgeSeconds: 999 })
  })

  it("refuses to say what will be, and what no date is", async () => {
    const { device, receipt } = await anchor()
    await net.pass(1)
    for (const at of [new Date(net.clock.getTime() + 200_000), new Date(Number.NaN), new Date(0)]) {
      const answer = net.verifier().checkCertificate(device.der, { receipt, at })
      await expect(answer).rejects.toMatchObject({ name: "TimeOutOfRangeError" })
    }
  })
})

describe("Verifier, at the seconds where things begin and end", () => {
  it("counts a certificate from the second of its notBefore to that of its notAfter", async () => {
    const now = await net.now()
    const [start, end] = [now + 100, now + 200]
    const anchored = await anchor({ notBefore: start, notAfter: end, anchorNotAfter: end + 1000 })

    for (const [time, expected] of [
      [start - 1, "notYetValid: certificateNotStarted"],
      [start, "good"],
      [end, "good"],
      [end + 1, "expired: certificateEnded"],
    ] as const) {
      await blockAt(time)
      expect([time, await statusOf(anchored)]).toEqual([time, expected])
    }
    expect(await statusOf(anchored, start - 1)).toBe("notYetValid: certificateNotStarted")
    expect(await statusOf(anchored, end)).toBe("good")
  })

  it("counts an entry of the ledger to the second of its end", async () => {
    const end = (await net.now()) + 100
    const anchored = await anchor({ anchorNotAfter: end })

    await blockAt(end)
    expect(await statusOf(anchored)).toBe("good")
    await blockAt(end + 1)
    expect(await statusOf(anchored)).toBe("expired: anchorEnded")
  })

  it("spares what was anchored the second before its issuer key was compromised, and nothing after", async () => {
    const key = await generateP256Key()
    const { key: entry } = await maker.addKey({ purpose: "issuer", signer: key })
    const theft = (await net.now()) + 100
    const before = await anchor({ key, at: theft - 1 })
    const during = await anchor({ key, at: theft })
    const after = await anchor({ key, at: theft + 1 })
    await maker.declareCompromise(entry.index, new Date(theft * 1000))
    await net.pass(1)

    expect(await statusOf(before)).toBe("good")
    expect(await statusOf(during)).toBe("revoked: cACompromise")
    expect(await statusOf(after)).toBe("revoked: cACompromise")
    // What is known today about the key is said about the past too.
    expect(await statusOf(during, theft + 1)).toBe("revoked: cACompromise")
    expect(await statusOf(before, theft + 1)).toBe("good")
  })

  it("back-dates nothing: what a certificate says of its time does not count", async () => {
    const key = await generateP256Key()
    const { key: entry } = await maker.addKey({ purpose: "issuer", signer: key })
    const theft = (await net.now()) + 100
    const backDated = await anchor({ key, at: theft + 10, notBefore: theft - 1000 * DAY })
    await maker.declareCompromise(entry.index, new Date(theft * 1000))
    await net.pass(1)

    expect(await statusOf(backDated)).toBe("revoked: cACompromise")
  })

  it("does not count what was anchored in the second in which its key was retired", async () => {
    const key = await generateP256Key()
    const { key: entry } = await maker.addKey({ purpose: "issuer", signer: key })
    const time = (await net.now()) + 100
    const before = await anchor({ key, at: time - 1 })
    const during = await anchor({ key, at: time })
    await net.nextBlockAt(time)
    await maker.revokeKey(entry.index)
    await net.pass(1)

    expect(await statusOf(before)).toBe("good")
    expect(await statusOf(during)).toBe("unknown: issuerKeyRetired")
  })

  it("does not count what was anchored in the second in which its manufacturer left", async () => {
    const leaving = await net.admit("Leaving Works", 2)
    const key = await generateP256Key()
    await leaving.addKey({ purpose: "issuer", signer: key })
    const time = (await net.now()) + 100
    const register = async (at: number, number: number): Promise<Anchored> => {
      const device = await makeDevice({ issuer: key })
      const tree = makeTree(net.deployment, leaving.manufacturerId, number, [device.certificate.credentialHash])
      const notAfter = device.certificate.notAfter
      await net.nextBlockAt(at)
      await leaving.registerBatch({ root: tree.root, size: 1, notAfter, issuerKeyId: key.keyId, series: number })
      return { device, receipt: tree.receipt(0) }
    }
    const before = await register(time - 1, 1)
    const during = await register(time, 2)
    await net.nextBlockAt(time)
    await resign(leaving.manufacturerId, 2)
    await net.pass(1)

    expect(await statusOf(before)).toBe("good")
    expect(await statusOf(during)).toBe("unknown: manufacturerLeft")
  })

  it("ends an unconfirmed suspension in the second of its lapse", async () => {
    const anchored = await anchor({ notAfter: (await net.now()) + 4000 * DAY })
    const start = (await net.now()) + 10
    await net.nextBlockAt(start)
    await net.governance().suspend(maker.manufacturerId)

    for (const [time, expected] of [
      [start + 1, "onHold: manufacturerSuspended"],
      [start + FORTNIGHT - 1, "onHold: manufacturerSuspended"],
      [start + FORTNIGHT, "good"],
    ] as const) {
      await blockAt(time)
      expect(await statusOf(anchored)).toBe(expected)
    }
    expect(await statusOf(anchored, start)).toBe("onHold: manufacturerSuspended")
    expect(await statusOf(anchored, start - 1)).toBe("good")
  })

  it("keeps a confirmed suspension until it is ended", async () => {
    const anchored = await anchor({ notAfter: (await net.now()) + 4000 * DAY })
    await net.governance().suspend(maker.manufacturerId)
    await net.governance().confirmSuspension(maker.manufacturerId)
    await net.pass(FORTNIGHT + 1)
    expect(await statusOf(anchored)).toBe("onHold: manufacturerSuspended")

    await net.governance().resume(maker.manufacturerId)
    await net.pass(1)
    expect(await statusOf(anchored)).toBe("good")
  })
})

async function resign(manufacturerId: number, account: number): Promise<void> {
  const to = net.deployment.contracts.manufacturers.address
  await net.writer(account).write({ to, abi: manufacturerRegistryAbi, functionName: "resign", args: [manufacturerId] })
}
