import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { generateP256Key, toHex } from "../../../client/index.ts"
import type { Hex, KeySigner, ManufacturerClient, OperatorRight } from "../../../client/index.ts"
import { freshLedger, payer } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const FAR = 4_000_000_000
const UNTIL = new Date(FAR * 1000)

let net: TestLedger
let maker: ManufacturerClient
let issuer: KeySigner
let openIndex: number
let snapshot: unknown

beforeAll(async () => {
  net = await freshLedger()
  maker = await net.admit("Acme Works")
  issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  openIndex = (await maker.addKey({ purpose: "openIssuer", signer: await generateP256Key() })).key.index
  await maker.registerBatch({ ...batchOf(1), size: 100_000, series: 1 })
  await net.pass(1)
})
afterAll(() => net.close())
beforeEach(async () => {
  snapshot = await net.ask("evm_snapshot")
})
afterEach(() => net.ask("evm_revert", snapshot))

const batchOf = (number: number) => ({
  root: toHex(new Uint8Array(32).fill(number)),
  size: 10,
  notAfter: FAR,
  issuerKeyId: issuer.keyId,
})

const hashes = (count: number, kind = 1): Hex[] =>
  Array.from({ length: count }, (_, i) => {
    const hash = new Uint8Array(32).fill(kind)
    new DataView(hash.buffer).setUint32(0, i)
    return toHex(hash)
  })

const sent = async (account = 1): Promise<number> =>
  Number(await net.ask("eth_getTransactionCount", payer(account).address, "latest"))

describe("ManufacturerClient, done twice", () => {
  const ONCE: [what: string, deed: (maker: ManufacturerClient) => Promise<unknown>][] = [
    ["addKey", async (one) => one.addKey({ purpose: "issuer", signer: await spare() })],
    ["revokeKey", (one) => one.revokeKey(1)],
    ["declareCompromise", async (one) => one.declareCompromise(1, new Date((await net.now()) * 1000))],
    ["setOperator", (one) => one.setOperator(payer(3).address, ["register", "revoke"], UNTIL)],
    ["removeOperator", (one) => one.removeOperator(payer(3).address)],
    ["registerBatch, by root", (one) => one.registerBatch(batchOf(2))],
    ["registerBatch, by series", (one) => one.registerBatch({ ...batchOf(2), series: 9 })],
    ["registerBatch, by key", (one) => one.registerBatch({ ...batchOf(2), series: 0x8000_0001, issuer })],
    [
      "registerCredentials",
      (one) =>
        one.registerCredentials(
          openIndex,
          hashes(3).map((credentialHash) => ({ credentialHash })),
        ),
    ],
    [
      "revoke",
      (one) =>
        one.revoke(
          hashes(3).map((subject) => ({ subject })),
          { reason: 1 },
        ),
    ],
    ["hold", (one) => one.hold(hashes(3).map((subject) => ({ subject })))],
    ["unhold", (one) => one.unhold(hashes(3).map((subject) => ({ subject })))],
    ["revokePlaces", (one) => one.revokePlaces(1, [1, 2, 3, 70_000], 1)],
    ["revokeBatch", (one) => one.revokeBatch(1, 1)],
    ["holdBatch", (one) => one.holdBatch(1)],
    ["unholdBatch", (one) => one.unholdBatch(1)],
  ]
  let spareKey: KeySigner | undefined
  const spare = async (): Promise<KeySigner> => (spareKey ??= await generateP256Key())

  it.each(ONCE)("%s pays at most once", async (what, deed) => {
    // What ends a state needs that state.
    if (what === "removeOperator") await maker.setOperator(payer(3).address, ["register"], UNTIL)
    if (what === "unhold") await maker.hold(hashes(3).map((subject) => ({ subject })))
    if (what === "unholdBatch") await maker.holdBatch(1)
    const before = await sent()

    await deed(maker)
    expect(await sent()).toBe(before + 1)
    await deed(maker)
    // Another program, without the first one's memory.
    await deed(net.manufacturer(maker.manufacturerId))

    expect(await sent()).toBe(before + 1)
  })

  it("pays for what is missing from a list, and says how much there was", async () => {
    const list = hashes(5).map((subject) => ({ subject }))
    await maker.revoke(list.slice(0, 2), { reason: 1 })

    const outcome = await maker.revoke([...list, ...list], { reason: 4 })

    expect(outcome).toMatchObject({ transactions: [{ hash: expect.any(String) }], alreadyDone: 7 })
    const view = await net.freshView().at("latest")
    const reasons = await Promise.all(list.map(async ({ subject }) => (await view.record(1, subject)).reason))
    expect(reasons).toEqual([1, 1, 4, 4, 4])
  })
})

describe("ManufacturerClient, with more than a transaction holds", () => {
  it("registers and revokes twelve hundred in three transactions each, holds and releases 513 in two", async () => {
    const list = hashes(1_200)
    const subjects = list.map((subject) => ({ subject }))
    const credentials = list.map((credentialHash) => ({ credentialHash }))

    const outcomes = [
      await maker.registerCredentials(openIndex, credentials),
      await maker.hold(subjects.slice(0, 513)),
      await maker.unhold(subjects.slice(0, 513)),
      await maker.revoke(subjects, { reason: 5 }),
    ]

    expect(outcomes.map(({ transactions }) => transactions.length)).toEqual([3, 2, 2, 3])
    for (const { transactions, alreadyDone } of outcomes) {
      expect(alreadyDone).toBe(0)
      for (const { gasUsed } of transactions) expect(gasUsed).toBeLessThan(16_777_216n)
    }
    const view = await net.freshView().at("latest")
    const records = await Promise.all([0, 511, 512, 1_199].map((i) => view.record(1, list[i] as Hex)))
    expect(records.map(({ mark }) => mark)).toEqual(["revoked", "revoked", "revoked", "revoked"])
  })

  it("revokes a thousand random places of a batch within what transactions hold", async () => {
    const places = [...new Set(Array.from({ length: 1_000 }, (_, i) => (i * 7_919) % 100_000))]

    const { transactions, alreadyDone } = await maker.revokePlaces(1, places, 1)

    expect(alreadyDone).toBe(0)
    for (const { gasUsed } of transactions) expect(gasUsed).toBeLessThan(16_777_216n)
    const batch = await (await net.freshView().at("latest")).batch(1, 1)
    expect(batch?.revokedCount).toBe(places.length)
    expect(transactions.length).toBe(Math.ceil(Math.ceil(100_000 / 256) / 512))
  })
})

describe("ManufacturerClient, about places", () => {
  it("sets each bit once, and counts those that were set", async () => {
    await maker.revokePlaces(1, [0, 255], 1)

    expect(await maker.revokePlaces(1, [0, 0, 255, 256, 99_999], 1)).toMatchObject({ alreadyDone: 3 })

    const view = await net.freshView().at("latest")
    expect(await view.word(1, 1, 0)).toBe(1n | (1n << 255n))
    expect(await view.word(1, 1, 1)).toBe(1n)
    expect(await view.word(1, 1, 390)).toBe(1n << 159n)
    expect((await view.batch(1, 1))?.revokedCount).toBe(4)
    expect(await view.bitRevocation(1, 1, 99_999)).toMatchObject({ reason: 1 })
  })

  it.each([[100_000], [-1], [1.5], [Number.NaN], [2 ** 32], [2 ** 53]])(
    "refuses index %d, and sets none",
    async (index) => {
      const before = await sent()

      await expect(maker.revokePlaces(1, [0, index], 1)).rejects.toMatchObject({ name: "IndexOutOfRangeError" })

      expect(await sent()).toBe(before)
    },
  )

  it.each<[string, (one: ManufacturerClient) => Promise<unknown>]>([
    ["revokePlaces", (one) => one.revokePlaces(99, [0], 1)],
    ["revokeBatch", (one) => one.revokeBatch(99, 1)],
    ["holdBatch", (one) => one.holdBatch(99)],
    ["unholdBatch", (one) => one.unholdBatch(99)],
  ])("names the batch that %s does not find", async (_what, deed) => {
    await expect(deed(maker)).rejects.toMatchObject({ name: "BatchMissingError" })
  })
})

describe("ManufacturerClient, about series", () => {
  it("takes the next free one of each half", async () => {
    expect([await maker.nextSeries(), await maker.nextSeries({ reserved: true })]).toEqual([2, 0x8000_0000])
    await maker.registerBatch({ ...batchOf(2), series: 5 })
    await maker.registerBatch({ ...batchOf(3), series: 0x8000_0007, issuer })

    expect([await maker.nextSeries(), await maker.nextSeries({ reserved: true })]).toEqual([6, 0x8000_0008])
    expect((await maker.registerBatch(batchOf(4))).batch.series).toBe(6)
  })

  it("finds a batch again by its root, and refuses what differs from it", async () => {
    const { batch } = await maker.registerBatch(batchOf(2))
    expect(await maker.registerBatch(batchOf(2))).toEqual({ batch, transaction: null })

    const other = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: other })
    for (const change of [
      { size: 11 },
      { notAfter: FAR - 1 },
      { issuerKeyId: other.keyId },
      { kind: "rawPublicKey", issuer } as const,
      { series: batch.series, root: batchOf(9).root },
    ]) {
      await expect(maker.registerBatch({ ...batchOf(2), ...change })).rejects.toMatchObject({ name: "SeriesUsedError" })
    }
  })

  it("lets anybody pay for what the issuer key signed, to the same effect", async () => {
    const before = await sent(3)
    const parameters = { ...batchOf(2), series: 0x8000_0001, issuer }

    await net.manufacturer(1, 3).registerBatch(parameters)
    await net.manufacturer(1, 2).registerBatch(parameters)
    await maker.registerBatch(parameters)

    expect(await sent(3)).toBe(before + 1)
    expect(
      (
        await net
          .freshView()
          .at("latest")
          .then((view) => view.batch(1, 0x8000_0001))
      )?.byKey,
    ).toBe(true)
  })
})

describe("ManufacturerClient, about who may", () => {
  const rightsOf = async (rights: readonly OperatorRight[]): Promise<string[]> => {
    if (rights.length > 0) await maker.setOperator(payer(3).address, rights, UNTIL)
    const operator = net.manufacturer(1, 3)
    const deeds = [
      operator.registerBatch(batchOf(2)),
      operator.revoke([{ subject: hashes(1)[0] as Hex }], { reason: 1 }),
    ]
    return Promise.all(
      deeds.map((deed) =>
        deed.then(
          () => "done",
          (error: unknown) => (error as { errorName: string }).errorName,
        ),
      ),
    )
  }

  it.each<[readonly OperatorRight[], string[]]>([
    [[], ["AccountUnauthorized", "AccountUnauthorized"]],
    [["register"], ["done", "AccountUnauthorized"]],
    [["revoke"], ["AccountUnauthorized", "done"]],
    [["release"], ["AccountUnauthorized", "AccountUnauthorized"]],
    [
      ["register", "revoke", "release"],
      ["done", "done"],
    ],
  ])("gives an operator %j and no more", async (rights, expected) => {
    expect(await rightsOf(rights)).toEqual(expected)
  })

  it("ends rights at their end", async () => {
    const until = (await net.now()) + 100
    await maker.setOperator(payer(3).address, ["revoke"], new Date(until * 1000))
    const operator = net.manufacturer(1, 3)
    await net.nextBlockAt(until - 1)
    await operator.revoke([{ subject: hashes(1)[0] as Hex }], { reason: 1 })
    await net.nextBlockAt(until)
    await net.ask("evm_mine")

    await expect(operator.revoke([{ subject: hashes(2)[1] as Hex }], { reason: 1 })).rejects.toMatchObject({
      errorName: "AccountUnauthorized",
      hint: expect.stringContaining("operator add"),
    })
  })
})

describe("ManufacturerClient, with bad input", () => {
  const short = "0x1234" as Hex
  const BAD: [what: string, deed: (one: ManufacturerClient) => unknown, error: string][] = [
    ["a manufacturer 0", () => net.manufacturer(0), "NumberOutOfRangeError"],
    ["a manufacturer 2^32", () => net.manufacturer(2 ** 32), "NumberOutOfRangeError"],
    ["an unknown manufacturer", () => net.manufacturer(99).manufacturer(), "ManufacturerUnknownError"],
    ["a short root", (one) => one.registerBatch({ ...batchOf(1), root: short }), "HashInvalidError"],
    ["a root of zero", (one) => one.registerBatch({ ...batchOf(0), series: 7 }), "ContractRevertedError"],
    ["size 0", (one) => one.registerBatch({ ...batchOf(1), size: 0 }), "NumberOutOfRangeError"],
    ["size 2^32", (one) => one.registerBatch({ ...batchOf(1), size: 2 ** 32 }), "NumberOutOfRangeError"],
    ["size NaN", (one) => one.registerBatch({ ...batchOf(1), size: Number.NaN }), "NumberOutOfRangeError"],
    ["series 0", (one) => one.registerBatch({ ...batchOf(1), series: 0 }), "NumberOutOfRangeError"],
    ["an end before 1970", (one) => one.registerBatch({ ...batchOf(1), notAfter: -1 }), "NumberOutOfRangeError"],
    ["an end in the past", (one) => one.registerBatch({ ...batchOf(7), notAfter: 1 }), "ContractRevertedError"],
    [
      "an end after year 36812",
      (one) => one.registerBatch({ ...batchOf(1), notAfter: 2 ** 40 }),
      "NumberOutOfRangeError",
    ],
    [
      "an unknown issuer",
      (one) => one.registerBatch({ ...batchOf(1), issuerKeyId: toHex(new Uint8Array(32)) }),
      "KeyMissingError",
    ],
    ["a short key id", (one) => one.registerBatch({ ...batchOf(1), issuerKeyId: short }), "HashInvalidError"],
    ["a short subject", (one) => one.revoke([{ subject: short }], { reason: 1 }), "HashInvalidError"],
    [
      "a subject of zero",
      (one) => one.revoke([{ subject: toHex(new Uint8Array(32)) }], { reason: 1 }),
      "ContractRevertedError",
    ],
    ["reason 6", (one) => one.revoke([{ subject: hashes(1)[0] as Hex }], { reason: 6 }), "NumberOutOfRangeError"],
    ["reason 256", (one) => one.revokePlaces(1, [0], 256), "NumberOutOfRangeError"],
    ["reason NaN", (one) => one.revokeBatch(1, Number.NaN), "NumberOutOfRangeError"],
    [
      "no date",
      (one) => one.revoke([{ subject: hashes(1)[0] as Hex }], { reason: 1, invalidityDate: new Date(Number.NaN) }),
      "NumberOutOfRangeError",
    ],
    [
      "a loss in the future",
      (one) => one.revoke([{ subject: hashes(1)[0] as Hex }], { reason: 1, invalidityDate: UNTIL }),
      "ContractRevertedError",
    ],
    [
      "an index without end",
      (one) => one.hold([{ subject: hashes(1)[0] as Hex, series: 1, index: 2 ** 40 }]),
      "NumberOutOfRangeError",
    ],
    ["a compromise at no date", (one) => one.declareCompromise(1, new Date(Number.NaN)), "NumberOutOfRangeError"],
    ["a compromise before the key", (one) => one.declareCompromise(1, new Date(1000)), "ContractRevertedError"],
    ["a compromise tomorrow", (one) => one.declareCompromise(1, UNTIL), "ContractRevertedError"],
    ["key 0", (one) => one.revokeKey(0), "NumberOutOfRangeError"],
    ["key 99", (one) => one.revokeKey(99), "ContractRevertedError"],
    ["no rights", (one) => one.setOperator(payer(3).address, [], UNTIL), "NumberOutOfRangeError"],
    ["an operator without address", (one) => one.setOperator("0x12", ["revoke"], UNTIL), "AddressInvalidError"],
    [
      "rights that ended",
      (one) => one.setOperator(payer(3).address, ["revoke"], new Date(1000)),
      "ContractRevertedError",
    ],
    ["a key that has another purpose", (one) => one.addKey({ purpose: "firmware", signer: issuer }), "KeyTakenError"],
    [
      "a credential's end of NaN",
      (one) => one.registerCredentials(openIndex, [{ credentialHash: hashes(1)[0] as Hex, notAfter: Number.NaN }]),
      "NumberOutOfRangeError",
    ],
    [
      "an issuer key for records",
      (one) => one.registerCredentials(1, [{ credentialHash: hashes(1)[0] as Hex }]),
      "ContractRevertedError",
    ],
  ]

  it.each(BAD)("names what is wrong with %s, and pays nothing", async (_what, deed, name) => {
    const before = await sent()

    await expect((async () => deed(maker))()).rejects.toMatchObject({ name })

    expect(await sent()).toBe(before)
  })

  it("does nothing for an empty list", async () => {
    const before = await sent()
    expect(await maker.revoke([], { reason: 1 })).toEqual({ transactions: [], alreadyDone: 0 })
    expect(await maker.revokePlaces(1, [], 1)).toEqual({ transactions: [], alreadyDone: 0 })
    expect(await maker.registerCredentials(openIndex, [])).toEqual({ transactions: [], alreadyDone: 0 })
    expect(await sent()).toBe(before)
  })

  it("will not weaken a revocation, nor end a hold that is none", async () => {
    const [revoked, held] = hashes(2).map((subject) => ({ subject })) as [{ subject: Hex }, { subject: Hex }]
    await maker.revoke([revoked], { reason: 1 })
    await maker.hold([held])
    await maker.revokeBatch(1, 1)

    await expect(maker.hold([held, revoked])).rejects.toMatchObject({ name: "AlreadyRevokedError" })
    await expect(maker.unhold([held, revoked])).rejects.toMatchObject({ name: "NotOnHoldError" })
    await expect(maker.holdBatch(1)).rejects.toMatchObject({ name: "AlreadyRevokedError" })
    await expect(maker.unholdBatch(1)).rejects.toMatchObject({ name: "NotOnHoldError" })
    await expect(maker.registerCredentials(openIndex, [{ credentialHash: revoked.subject }])).rejects.toMatchObject({
      errorName: "SubjectAlreadyMarked",
    })
  })
})
