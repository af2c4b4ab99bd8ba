import { beforeAll, describe, expect, it } from "vitest"
import { generateP256Key, NumberOutOfRangeError, Verifier } from "../../../client/index.ts"
import type { KeySigner, LedgerKey, ManyVerdict } from "../../../client/index.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { PAPER_DEPLOYMENT, PaperFleet, paperState, stateView } from "../../helpers/paperFleet.ts"
import type { PaperFacts } from "../../helpers/paperFleet.ts"

const COUNT = 12
const NOW = Math.floor(Date.now() / 1000)

let issuer: KeySigner
let devices: Device[]
let receipts: { receiptOf: (hash: string) => Promise<ReturnType<ReturnType<typeof makeTree>["receipt"]> | undefined> }
let facts: PaperFacts

beforeAll(async () => {
  issuer = await generateP256Key()
  devices = await Promise.all(Array.from({ length: COUNT }, () => makeDevice({ issuer })))
  const hashes = devices.map(({ certificate }) => certificate.credentialHash)
  const tree = makeTree(PAPER_DEPLOYMENT, 1, 1, hashes)
  receipts = {
    receiptOf: async (hash) => {
      const index = hashes.indexOf(hash as never)
      return index < 0 ? undefined : tree.receipt(index)
    },
  }
  const { keyId, spki } = issuer
  const key = { manufacturerId: 1, index: 1, keyId, purpose: "issuer", proven: true, registeredAt: NOW - 90, spki }
  const batch = { manufacturerId: 1, series: 1, root: tree.root, size: tree.size, keyIndex: 1, registeredAt: NOW - 50 }
  facts = {
    block: { number: 9, hash: "0x", timestamp: NOW, finality: "latest" },
    manufacturers: [{ id: 1, name: "Acme", status: "active", statusSince: 1 } as never],
    keys: [key as LedgerKey],
    batches: [{ ...batch, notAfter: NOW + 1e6, mark: "none", changedAt: 0, reason: 0, rawPublicKeys: false } as never],
    records: [],
    bits: [],
  }
})

const open = (now = () => new Date(NOW * 1000)) => {
  const ledger = new PaperFleet(PAPER_DEPLOYMENT, stateView(paperState(facts)))
  return { ledger, verifier: new Verifier({ ledger, now }) }
}

describe("Verifier.checkStream", () => {
  it("answers in order, from a source of any kind, what is no certificate too", async () => {
    const { verifier } = open()
    async function* source() {
      for (const { der } of devices) yield der
      yield "no certificate"
    }
    const statuses: string[] = []
    for await (const { status, reason } of verifier.checkStream(source(), { receipts })) statuses.push(reason ?? status)
    expect(statuses).toEqual([...devices.map(() => "good"), "malformed"])
  })

  it("does not wait for the next certificate to answer the last", async () => {
    const { verifier } = open()
    const stream = verifier.checkStream(
      (async function* () {
        yield devices[0]?.der as Uint8Array
        await new Promise(() => {})
      })(),
      { receipts },
    )
    expect(((await stream.next()).value as ManyVerdict).status).toBe("good")
  })

  it("sees a revocation that came while it ran, a second later at the latest", async () => {
    let now = NOW * 1000
    const { ledger, verifier } = open(() => new Date(now))
    const stream = verifier.checkStream(
      Array.from({ length: 3 }, () => devices[4]?.der as Uint8Array),
      { receipts, inFlight: 1 },
    )
    const status = async () => ((await stream.next()).value as ManyVerdict).status
    expect(await status()).toBe("good")
    const bits = [{ manufacturerId: 1, series: 1, index: 4, revokedAt: NOW, reason: 1 }]
    ledger.head = stateView(paperState({ ...facts, bits, block: { ...facts.block, number: 10 } }))
    now += 1_000
    expect(await status()).toBe("revoked")
    expect(await status()).toBe("revoked")
    expect(ledger.asked).toBe(2)
  })

  it("asks for the newest blocks again after 256 certificates", async () => {
    const { ledger, verifier } = open()
    let count = 0
    const many = Array.from({ length: 600 }, () => "no certificate").concat(Array.from({ length: 257 }, () => "x"))
    for await (const { status } of verifier.checkStream(many)) if (status === "unknown") count++
    expect(count).toBe(857)
    expect(ledger.asked).toBe(4)
  })

  it("ends with the ledger's error, after the answers before it", async () => {
    let now = NOW * 1000
    const { verifier } = open(() => new Date(now))
    const taken: string[] = []
    const taking = (async () => {
      for await (const { status } of verifier.checkStream([devices[0]?.der, devices[1]?.der] as Uint8Array[], {
        receipts,
        inFlight: 1,
      })) {
        taken.push(status)
        // The head is too old from now on.
        now += 600_000
      }
    })()
    await expect(taking).rejects.toThrow("s old")
    expect(taken).toEqual(["good"])
  })

  it("refuses a bound that is none", () => {
    const { verifier } = open()
    for (const inFlight of [0, -1, 1.5, Number.NaN, 65_537]) {
      expect(() => verifier.checkStream([], { inFlight })).toThrow(NumberOutOfRangeError)
    }
  })
})
