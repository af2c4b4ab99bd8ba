import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  generateP256Key,
  LedgerWriter,
  ManufacturerClient,
  memoryJournal,
  RpcLedger,
  toHex,
  TRANSACTION_GAS_CAP,
} from "../../../client/index.ts"
import type { Journal, JsonRpc } from "../../../client/index.ts"
import { freshLedger, payer } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const SIZE = 1_000_000
const SERIES = 1
/** So many random places need three transactions. */
const LOST = 1_600
const TRANSACTIONS = 3

let net: TestLedger
let manufacturerId: number
let lost: number[]

beforeAll(async () => {
  net = await freshLedger()
  const maker = await net.admit("Acme Works")
  manufacturerId = maker.manufacturerId
  const issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  const root = toHex(new Uint8Array(32).fill(7))
  await maker.registerBatch({ root, size: SIZE, notAfter: 4_000_000_000, issuerKeyId: issuer.keyId, series: SERIES })
  // Spread by a stride without a common factor with the size: as scattered as chance, and the same in each run.
  lost = Array.from({ length: LOST }, (_, i) => (i * 618_033) % SIZE)
})
afterAll(() => net.close())

/** A client that dies when it sends its transaction number `deathAt`, which the node gets or does not. */
function client(journal: Journal, deathAt = Number.POSITIVE_INFINITY, delivered = false): ManufacturerClient {
  let sent = 0
  let dead = false
  const request: JsonRpc["request"] = async (call) => {
    if (dead) throw new Error("this client is dead")
    if (call.method !== "eth_sendRawTransaction" || ++sent < deathAt) return net.rpc.request(call)
    dead = true
    if (delivered) await net.rpc.request(call)
    throw new Error("this client died")
  }
  const requestMany: JsonRpc["requestMany"] = (calls) =>
    dead ? Promise.reject(new Error("this client is dead")) : net.rpc.requestMany(calls)
  const rpc: JsonRpc = { endpoint: "a mortal client's node", request, requestMany }
  const { deployment } = net
  const writer = new LedgerWriter({ deployment, rpc, payer: payer(1), journal })
  return new ManufacturerClient({ ledger: new RpcLedger({ deployment, rpc }), rpc, writer, manufacturerId })
}

async function revokedPlaces(): Promise<Set<number>> {
  const view = await net.freshView().at("latest")
  const words = await view.words(manufacturerId, SERIES, 0, Math.ceil(SIZE / 256))
  const places = new Set<number>()
  for (const [w, word] of words.entries()) {
    for (let bit = 0, rest = word; rest !== 0n; bit++, rest >>= 1n) if ((rest & 1n) === 1n) places.add(w * 256 + bit)
  }
  return places
}

describe("revoking a lot that one transaction cannot hold", () => {
  it.each([
    { deathAt: 2, delivered: false, left: 2 },
    { deathAt: 2, delivered: true, left: 1 },
    { deathAt: 3, delivered: false, left: 1 },
  ])(
    "goes on where a client left it that died at transaction $deathAt (delivered: $delivered)",
    ({ deathAt, delivered, left }) =>
      net.inScratch(async () => {
        const journal = memoryJournal()
        await expect(client(journal, deathAt, delivered).revokePlaces(SERIES, lost, 1)).rejects.toThrow()

        const { transactions, alreadyDone } = await client(journal).revokePlaces(SERIES, lost, 1)

        // Whatever the journal sends again counts as done or as this one's: nothing is paid twice.
        expect(transactions.length).toBeLessThanOrEqual(TRANSACTIONS - deathAt + 1)
        expect(transactions.length).toBeGreaterThanOrEqual(left - 1)
        for (const { gasUsed } of transactions) expect(gasUsed).toBeLessThan(TRANSACTION_GAS_CAP)
        expect(alreadyDone).toBeGreaterThan(0)
        expect(await revokedPlaces()).toEqual(new Set(lost))
        const batch = await (await net.freshView().at("latest")).batch(manufacturerId, SERIES)
        expect(batch?.revokedCount).toBe(LOST)
      }),
  )

  it("has nothing to do a second time, and plans words in as few transactions as they need", () =>
    net.inScratch(async () => {
      const journal = memoryJournal()
      const { transactions } = await client(journal).revokePlaces(SERIES, lost, 1)
      expect(transactions).toHaveLength(TRANSACTIONS)
      for (const { gasUsed } of transactions) expect(gasUsed).toBeLessThan(TRANSACTION_GAS_CAP)
      expect(await client(journal).revokePlaces(SERIES, lost, 1)).toEqual({ transactions: [], alreadyDone: LOST })
    }))
})
