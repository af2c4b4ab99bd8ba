import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  decodeRawPublicKey,
  DeviceClient,
  generateP256Key,
  GovernanceClient,
  LedgerWriter,
  ManufacturerClient,
  memoryJournal,
  RpcLedger,
  toHex,
} from "../../../client/index.ts"
import type { Hex, Journal, JsonRpc, KeySigner, Receipt } from "../../../client/index.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { freshLedger, payer, TEST_ACCOUNTS } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { Killed, MortalRpc } from "../../helpers/mortalRpc.ts"
import type { Death } from "../../helpers/mortalRpc.ts"

const FAR = 4_000_000_000
const OPERATOR = TEST_ACCOUNTS[3]?.address as Hex

let net: TestLedger
let manufacturerId: number
let issuer: KeySigner
let spare: KeySigner
let newKey: KeySigner
let openIndex: number
let own: Device
let raw: { object: Uint8Array; client: DeviceClient; receipt: Receipt }

beforeAll(async () => {
  net = await freshLedger()
  const maker = await net.admit("Acme Works")
  manufacturerId = maker.manufacturerId
  const open = await generateP256Key()
  issuer = await generateP256Key()
  spare = await generateP256Key()
  newKey = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  await maker.addKey({ purpose: "issuer", signer: spare })
  openIndex = (await maker.addKey({ purpose: "openIssuer", signer: open })).key.index
  own = await makeDevice({ issuer: open })
  await maker.registerBatch({ root: subject(7), size: 600, notAfter: FAR, issuerKeyId: issuer.keyId, series: 7 })
  await maker.registerBatch({ root: subject(8), size: 600, notAfter: FAR, issuerKeyId: issuer.keyId, series: 8 })
  await maker.holdBatch(8)
  await maker.hold([{ subject: subject(1) }])
  await maker.setOperator(OPERATOR, ["register"], new Date(FAR * 1000))

  const client = await DeviceClient.generate()
  const deviceId = new Uint8Array(16).fill(5)
  const object = await client.rawPublicKey({ notBefore: 0, notAfter: FAR, deviceId })
  const tree = makeTree(net.deployment, manufacturerId, 0x8000_0001, [decodeRawPublicKey(object).credentialHash])
  const batch = { root: tree.root, size: 1, notAfter: FAR, issuerKeyId: issuer.keyId, issuer }
  await maker.registerBatch({ ...batch, series: 0x8000_0001, kind: "rawPublicKey" })
  raw = { object, client, receipt: tree.receipt(0) }
  await net.pass(10)
})
afterAll(() => net.close())

/** Some hash. */
function subject(number: number): Hex {
  return toHex(new Uint8Array(32).fill(number))
}

type Clients = { maker: ManufacturerClient; governance: GovernanceClient; ledger: RpcLedger; writer: LedgerWriter }
type Deed = {
  what: string
  account?: number
  transactions?: number
  /** Not every call needs its death where they are many and slow. */
  stride?: number
  run: (clients: Clients) => Promise<unknown>
}

const lone = Array.from({ length: 513 }, (_, i) => {
  const hash = new Uint8Array(32).fill(9)
  new DataView(hash.buffer).setUint32(0, i)
  return toHex(hash)
})

const DEEDS: Deed[] = [
  { what: "adding a key", run: ({ maker }) => maker.addKey({ purpose: "openIssuer", signer: newKey }) },
  { what: "retiring a key", run: ({ maker }) => maker.revokeKey(2) },
  {
    what: "declaring a compromise",
    run: async ({ maker }) => maker.declareCompromise(2, new Date((await net.now()) * 1000 - 3000)),
  },
  { what: "naming an operator", run: ({ maker }) => maker.setOperator(OPERATOR, ["revoke"], new Date(FAR * 1000)) },
  { what: "dismissing an operator", run: ({ maker }) => maker.removeOperator(OPERATOR) },
  {
    what: "registering a batch, series found",
    run: ({ maker }) => maker.registerBatch({ root: subject(20), size: 5, notAfter: FAR, issuerKeyId: issuer.keyId }),
  },
  {
    what: "registering a batch on the issuer key's word",
    account: 2,
    run: ({ maker }) =>
      maker.registerBatch({
        root: subject(21),
        size: 5,
        notAfter: FAR,
        issuerKeyId: issuer.keyId,
        issuer,
        series: 0x8000_0009,
      }),
  },
  {
    what: "registering more credentials than one transaction holds",
    transactions: 2,
    stride: 5,
    run: ({ maker }) =>
      maker.registerCredentials(
        openIndex,
        lone.map((credentialHash) => ({ credentialHash })),
      ),
  },
  {
    what: "revoking",
    run: ({ maker }) => maker.revoke([{ subject: subject(2) }, { subject: subject(3) }], { reason: 1 }),
  },
  { what: "holding", run: ({ maker }) => maker.hold([{ subject: subject(2) }]) },
  { what: "ending a hold", run: ({ maker }) => maker.unhold([{ subject: subject(1) }]) },
  { what: "revoking places", run: ({ maker }) => maker.revokePlaces(7, [0, 255, 256, 599], 1) },
  { what: "revoking a batch", run: ({ maker }) => maker.revokeBatch(7, 1) },
  { what: "holding a batch", run: ({ maker }) => maker.holdBatch(7) },
  { what: "ending the hold on a batch", run: ({ maker }) => maker.unholdBatch(8) },
  { what: "suspending", account: 0, run: ({ governance }) => governance.suspend(manufacturerId) },
  {
    what: "registering itself",
    account: 3,
    run: ({ ledger, writer }) => new DeviceClient(own).registerIssued(own.der, { ledger, writer }),
  },
  {
    what: "giving itself up",
    account: 3,
    run: ({ ledger, writer }) => raw.client.revokeSelf(raw.object, { ledger, writer, receipt: raw.receipt, reason: 1 }),
  },
]

const ADMISSION: Deed = {
  what: "admitting a manufacturer",
  account: 0,
  run: ({ governance }) => governance.admit({ controller: OPERATOR, name: "Bar Works" }),
}

/** The clients of one run of a program. */
function startRun(rpc: JsonRpc, journal: Journal, account = 1): Clients {
  const { deployment } = net
  const ledger = new RpcLedger({ deployment, rpc })
  const writer = new LedgerWriter({ deployment, rpc, payer: payer(account), journal, receiptLagSeconds: 0.05 })
  return {
    ledger,
    writer,
    maker: new ManufacturerClient({ ledger, rpc, writer, manufacturerId }),
    governance: new GovernanceClient({ ledger, rpc, writer }),
  }
}

/** Runs a deed once, dying if told to; whether it lived to the end. */
async function livesThrough(deed: Deed, rpc: MortalRpc, journal: Journal): Promise<boolean> {
  try {
    await deed.run(startRun(rpc, journal, deed.account))
    return true
  } catch (error) {
    if (error instanceof Killed || (error as Error).cause instanceof Killed) return false
    throw error
  }
}

const sentBy = async ({ account = 1 }: Deed): Promise<number> =>
  Number(await net.ask("eth_getTransactionCount", payer(account).address, "latest"))

const lastManufacturer = async (): Promise<number> => {
  const view = await net.freshView().at("latest")
  for (let id = 1; ; id++) if ((await view.manufacturer(id)) === undefined) return id - 1
}

/** Runs `work` and demands that it cost as many transactions as it should, all of them mined. */
async function countingTransactions(
  deed: Deed,
  journal: Journal,
  death: Death,
  work: () => Promise<void>,
): Promise<void> {
  const [before, manufacturers] = [await sentBy(deed), await lastManufacturer()]
  await work()
  const [sent, wanted] = [(await sentBy(deed)) - before, deed.transactions ?? 1]
  if (sent !== wanted) expect({ ...death, sent }).toEqual({ ...death, sent: wanted })
  if (deed === ADMISSION) expect(await lastManufacturer()).toBe(manufacturers + 1)
  for (const { hashes } of await journal.entries()) {
    const receipts = await Promise.all(hashes.map((hash) => net.ask("eth_getTransactionReceipt", hash)))
    expect(receipts.filter((receipt) => receipt !== null)).toHaveLength(1)
  }
}

describe("A run that is killed at any call and started again", () => {
  it.each([...DEEDS, ADMISSION])(
    "$what: ends in the same state and pays once, where blocks come at once",
    async (deed) => {
      for (const delivered of [false, true]) {
        for (let at = 0; ; at += deed.stride ?? 1) {
          const journal = memoryJournal()
          let lived = false
          await net.inScratch(() =>
            countingTransactions(deed, journal, { at, delivered }, async () => {
              lived = await livesThrough(deed, new MortalRpc(net.rpc, { at, delivered }), journal)
              // A run that lived has told its result: an admission in the same words is then another one.
              if (!lived) await deed.run(startRun(net.rpc, journal, deed.account))
              if (deed !== ADMISSION) await deed.run(startRun(net.rpc, journal, deed.account))
            }),
          )
          if (lived) break
        }
      }
    },
  )

  it.each(DEEDS.filter(({ transactions }) => transactions === undefined).concat(ADMISSION))(
    "$what: ends in the same state and pays once, where blocks are slow to come",
    async (deed) => {
      for (const delivered of [false, true]) {
        for (let at = 0; ; at++) {
          const journal = memoryJournal()
          let done = false
          await net.inScratch(async () => {
            await net.ask("evm_setAutomine", false)
            await countingTransactions(deed, journal, { at, delivered }, async () => {
              // In the first run no block comes: it waits for one until it is killed.
              expect(await livesThrough(deed, new MortalRpc(net.rpc, { at, delivered }), journal)).toBe(false)
              done = await inMempool(payer(deed.account ?? 1).address)
              // In the second one a block comes when it has asked for its transaction twice.
              await deed.run(startRun(miningLate(), journal, deed.account))
            })
          })
          if (done) break
        }
      }
    },
  )
})

async function inMempool(account: Hex): Promise<boolean> {
  const [mined, all] = await Promise.all(
    ["latest", "pending"].map((tag) => net.ask("eth_getTransactionCount", account, tag)),
  )
  return mined !== all
}

/** The node, where the second question for a receipt brings a block. */
function miningLate(): JsonRpc {
  let asked = 0
  const request: JsonRpc["request"] = async (call) => {
    if (call.method === "eth_getTransactionReceipt" && asked++ % 2 === 1) await net.ask("evm_mine")
    return net.rpc.request(call)
  }
  return { ...net.rpc, request }
}
