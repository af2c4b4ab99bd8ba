import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodePem, encodeReceipt, generateP256Key, oneReceipt, ReceiptMalformedError } from "../../../client/index.ts"
import type { Hex, JsonRpc, Receipt, ReceiptSource, Verifier } from "../../../client/index.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { RpcLedger } from "../../../client/index.ts"

const FAR = 4_000_000_000
const COUNT = 200

let net: TestLedger
let devices: Device[]
let receipts: Map<Hex, Receipt>
let source: ReceiptSource

beforeAll(async () => {
  net = await freshLedger()
  const maker = await net.admit("Acme Works")
  const issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  devices = await Promise.all(Array.from({ length: COUNT }, () => makeDevice({ issuer, notAfter: FAR })))
  const hashes = devices.map((device) => device.certificate.credentialHash)
  const tree = makeTree(net.deployment, 1, 1, hashes)
  await maker.registerBatch({ root: tree.root, size: COUNT, notAfter: FAR, issuerKeyId: issuer.keyId, series: 1 })
  await maker.revokePlaces(1, [7], 1)
  await maker.hold([{ subject: hashes[9] as Hex }])
  receipts = new Map(hashes.map((hash, i) => [hash, tree.receipt(i)]))
  source = { receiptOf: async (hash) => receipts.get(hash) }
  await net.pass(1)
})
afterAll(() => net.close())

const der = (i: number): Uint8Array => (devices[i] as Device).der

describe("Verifier.checkMany", () => {
  it("answers in the order of the questions, whatever becomes of each", async () => {
    const cut = der(3).slice(0, -1)
    const inputs: (string | Uint8Array)[] = [
      der(0),
      "no certificate",
      encodePem("CERTIFICATE", der(7)),
      new Uint8Array(),
      encodePem("CERTIFICATE", der(1)) + encodePem("CERTIFICATE", der(2)),
      der(9),
      cut,
      undefined as unknown as string,
      17 as unknown as string,
      der(0),
    ]

    const answers = await net.verifier().checkMany(inputs, { receipts: source })

    expect(answers.map((answer) => ("error" in answer ? answer.error.name : answer.status))).toEqual([
      "good",
      "PemBlockMissingError",
      "revoked",
      expect.stringMatching(/Error$/),
      "PemBlocksManyError",
      "onHold",
      expect.stringMatching(/^Der.*Error$/),
      "DerInputError",
      "DerInputError",
      "good",
    ])
    for (const answer of answers)
      if ("error" in answer) expect(answer).toMatchObject({ status: "unknown", reason: "malformed" })
  })

  it("lets one bad receipt spoil one answer only", async () => {
    const bad: [hash: number, receipt: unknown][] = [
      [1, null],
      [2, { ...receiptOf(2), size: 0 }],
      [3, { ...receiptOf(3), manufacturerId: 2 ** 32 }],
      [4, { ...receiptOf(4), proof: "none" }],
      [5, { ...receiptOf(5), proof: [] }],
      [6, { ...receiptOf(6), index: COUNT }],
    ]
    const lying: ReceiptSource = {
      receiptOf: async (hash) => {
        const found = bad.find(([i]) => devices[i]?.certificate.credentialHash === hash)
        return found === undefined ? receipts.get(hash) : (found[1] as Receipt)
      },
    }

    const answers = await net.verifier().checkMany(
      devices.slice(0, 8).map((device) => device.der),
      { receipts: lying },
    )

    expect(answers.map(({ status }) => status)).toEqual(["good", ...bad.map(() => "unknown"), "revoked"])
    expect(answers.slice(1, 7).map((answer) => ("error" in answer ? answer.error.name : ""))).toEqual([
      "ReceiptMalformedError",
      "TreeSizeError",
      "PlaceFieldError",
      "ReceiptMalformedError",
      "ProofLengthError",
      "IndexOutOfRangeError",
    ])
  })

  it("ends whole when the ledger cannot be asked, and when whoever has the receipts cannot", async () => {
    const down: JsonRpc = { endpoint: "down", request: async () => 1, requestMany: async () => [1, 1, 1, 1, 1, 1] }
    const verifier = net.verifier({ ledger: new RpcLedger({ deployment: net.deployment, rpc: down }) })
    await expect(verifier.checkMany([der(0)])).rejects.toMatchObject({ name: "ReplyMalformedError" })

    const broken: ReceiptSource = { receiptOf: () => Promise.reject(new TypeError("disk on fire")) }
    await expect(net.verifier().checkMany([der(0)], { receipts: broken })).rejects.toThrow("disk on fire")
    await expect(net.verifier().checkMany([der(0)], { issuerKeyId: "0x12" })).rejects.toMatchObject({
      name: "HashInvalidError",
    })
  })

  it("answers nothing when nothing is asked, and judges a past time for all", async () => {
    expect(await net.verifier().checkMany([])).toEqual([])
    const before = await net.syncClock()
    await net.pass(50)

    const answers = await net.verifier().checkMany([der(0), der(7)], { receipts: source, at: before })

    expect(answers).toMatchObject([
      { status: "good", block: { timestamp: before } },
      { status: "revoked", block: { timestamp: before } },
    ])
  })

  it("checks two hundred against one block, in few round trips and little time", async () => {
    let trips = 0
    const rpc: JsonRpc = {
      ...net.rpc,
      requestMany: (calls) => {
        trips += 1
        return net.rpc.requestMany(calls)
      },
    }
    const verifier = net.verifier({ ledger: new RpcLedger({ deployment: net.deployment, rpc }) })
    const started = performance.now()

    const answers = await verifier.checkMany(
      devices.map((device) => device.der),
      { receipts: source },
    )

    const blocks = new Set(answers.map((answer) => ("block" in answer ? answer.block.hash : "")))
    expect(answers.filter(({ status }) => status === "good")).toHaveLength(COUNT - 2)
    expect(blocks.size).toBe(1)
    expect(trips).toBeLessThan(20)
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})

describe("Verifier.checkCertificate", () => {
  const one = (verifier: Verifier, receipt: unknown) =>
    verifier.checkCertificate(der(0), { receipt: receipt as Receipt })

  it.each<[string, (receipt: Receipt) => unknown, string]>([
    ["a text", () => "0x00", "ReceiptMalformedError"],
    ["no bytes", () => new Uint8Array(), "ReceiptMalformedError"],
    [
      "bytes with one more at the end",
      (receipt) => Uint8Array.of(...encodeReceipt(receipt), 0),
      "ReceiptMalformedError",
    ],
    ["bytes with one less", (receipt) => encodeReceipt(receipt).slice(0, -1), "ReceiptMalformedError"],
    ["a series of NaN", (receipt) => ({ ...receipt, series: Number.NaN }), "PlaceFieldError"],
    ["series 0", (receipt) => ({ ...receipt, series: 0 }), "PlaceFieldError"],
    ["a chain id as a number", (receipt) => ({ ...receipt, chainId: 31_337 }), "PlaceFieldError"],
    [
      "an address in capitals",
      (receipt) => ({ ...receipt, registry: receipt.registry.toUpperCase() }),
      "PlaceFieldError",
    ],
    ["a negative index", (receipt) => ({ ...receipt, index: -1 }), "IndexOutOfRangeError"],
    ["a fractional size", (receipt) => ({ ...receipt, size: 1.5 }), "TreeSizeError"],
    [
      "a proof too long",
      (receipt) => ({ ...receipt, proof: [...receipt.proof, new Uint8Array(32)] }),
      "ProofLengthError",
    ],
    ["a proof too short", (receipt) => ({ ...receipt, proof: receipt.proof.slice(1) }), "ProofLengthError"],
    [
      "a proof of short hashes",
      (receipt) => ({ ...receipt, proof: receipt.proof.map(() => new Uint8Array(31)) }),
      "HashLengthError",
    ],
    ["a proof of nothing", (receipt) => ({ ...receipt, proof: receipt.proof.map(() => null) }), "HashLengthError"],
  ])("refuses %s in place of a receipt, by name", async (_what, change, name) => {
    await expect(one(net.verifier(), change(receiptOf(0)))).rejects.toMatchObject({ name })
  })

  it.each<[string, (receipt: Receipt) => Receipt, string]>([
    ["another index", (receipt) => ({ ...receipt, index: 1 }), "receiptWrong"],
    ["another series", (receipt) => ({ ...receipt, series: 2 }), "notAnchored"],
    ["another manufacturer", (receipt) => ({ ...receipt, manufacturerId: 2 }), "notAnchored"],
    ["another chain", (receipt) => ({ ...receipt, chainId: 1n }), "receiptForeign"],
    ["another registry", (receipt) => ({ ...receipt, registry: `0x${"11".repeat(20)}` }), "receiptForeign"],
    ["a size one more", (receipt) => ({ ...receipt, size: COUNT + 1 }), "receiptWrong"],
    [
      "a changed proof",
      (receipt) => ({ ...receipt, proof: [new Uint8Array(32), ...receipt.proof.slice(1)] }),
      "receiptWrong",
    ],
  ])("refuses a receipt for %s, by name", async (_what, change, reason) => {
    expect(await one(net.verifier(), change(receiptOf(0)))).toMatchObject({ status: "unknown", reason })
  })

  it("takes a receipt as bytes, as an object and from a source alike", async () => {
    const receipt = receiptOf(0)
    const verifier = net.verifier()
    const answers = await Promise.all([
      verifier.checkCertificate(der(0), { receipt }),
      verifier.checkCertificate(der(0), { receipt: encodeReceipt(receipt) }),
      verifier.checkCertificate(der(0), { receipts: oneReceipt(receipt) }),
    ])

    expect(answers.map(({ status }) => status)).toEqual(["good", "good", "good"])
    expect(new ReceiptMalformedError("x").code).toBe("RECEIPT_MALFORMED")
  })

  it("does not care what becomes of the caller's buffer meanwhile", async () => {
    const buffer = der(0).slice()
    const answer = net.verifier().checkCertificate(buffer, { receipt: receiptOf(0) })
    buffer.fill(0)

    expect(await answer).toMatchObject({ status: "good" })
  })
})

function receiptOf(i: number): Receipt {
  return receipts.get((devices[i] as Device).certificate.credentialHash) as Receipt
}
