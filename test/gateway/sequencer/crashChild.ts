import { readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { privateKeyToAccount } from "viem/accounts"
import {
  buildCertificate,
  httpRpc,
  LedgerWriter,
  ManufacturerClient,
  RpcLedger,
  signerFromPkcs8,
} from "../../../client/index.ts"
import type { Deployment, Hex, JsonRpc } from "../../../client/index.ts"
import { openJournal } from "../../../client/node/index.ts"
import { Sequencer } from "../../../gateway/sequencer/sequencer.ts"
import { openSqliteEnrolmentStore } from "../../../gateway/store/enrolmentSqlite.ts"

/** What a gateway process that is going to be killed is told. */
export type ChildOrders = {
  readonly url: string
  readonly deployment: Deployment
  readonly folder: string
  readonly manufacturerId: number
  /** Base64 of the issuer's PKCS #8. */
  readonly issuer: string
  readonly payer: Hex
  /** Requests 0 to `requests` - 1 are asked for. */
  readonly requests: number
  /** Dies at the `count`th time that it comes to this step. */
  readonly dieAt?: { readonly step: string; readonly count: number }
}

/** The id of the request with this number. */
export function requestId(number: number): Hex {
  return `0x${number.toString(16).padStart(64, "0")}`
}

async function main(orders: ChildOrders): Promise<void> {
  const { deployment, folder, manufacturerId, dieAt } = orders
  let passed = 0
  const come = (step: string): void => {
    if (step !== dieAt?.step) return
    passed += 1
    if (passed === dieAt.count) process.kill(process.pid, "SIGKILL")
  }

  const node = httpRpc(orders.url)
  const rpc: JsonRpc = {
    endpoint: node.endpoint,
    request: async (call) => {
      const sends = call.method === "eth_sendRawTransaction"
      if (sends) come("signed transaction journalled")
      const reply = await node.request(call)
      if (sends) come("transaction sent")
      return reply
    },
    requestMany: (calls) => node.requestMany(calls),
  }
  const payer = privateKeyToAccount(orders.payer)
  const account = payer.address.toLowerCase() as Hex
  const journal = await openJournal({ folder, deployment, account, purpose: "gateway" })
  const ledger = new RpcLedger({ deployment, rpc })
  const writer = new LedgerWriter({ deployment, rpc, payer, journal })
  const store = await openSqliteEnrolmentStore(join(folder, "enrolments.sqlite"), { deployment })
  const signer = await signerFromPkcs8(new Uint8Array(Buffer.from(orders.issuer, "base64")))
  const sequencer = await Sequencer.open({
    store,
    ledger,
    clients: [new ManufacturerClient({ ledger, rpc, writer, manufacturerId })],
    manufacturerId,
    signer,
    windowMs: 15,
    watchMs: 100,
    report: (event) => {
      if (event.kind === "step") come(event.step)
    },
  })
  say("ready")

  const now = Math.floor(Date.now() / 1000)
  const enrol = async (number: number): Promise<void> => {
    const id = requestId(number)
    for (;;) {
      const known = await store.byRequest(id)
      if (known !== undefined && sequencer.isAnchored(known)) return say(`got ${number} ${known.fingerprint}`)
      const outcome = await sequencer.enrol({
        requestId: id,
        names: [],
        ownsNames: true,
        make: (serial) =>
          buildCertificate({
            subject: { commonName: `device ${number}` },
            issuer: { commonName: "CA" },
            spki: signer.spki,
            signer,
            serial,
            notBefore: now - 60,
            notAfter: now + 86_400,
          }),
      })
      if (outcome.state === "anchored") return say(`got ${number} ${outcome.fingerprint}`)
      // An earlier run sealed it: it is being anchored.
      await new Promise((resolve) => {
        setTimeout(resolve, 20)
      })
    }
  }
  const all: Promise<void>[] = []
  for (let number = 0; number < orders.requests; number++) {
    all.push(enrol(number))
    if (number % 4 !== 3) continue
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
  await Promise.all(all)
  // The one step that comes after everything was handed out.
  if (dieAt?.step === "final") {
    await new Promise((resolve) => {
      setTimeout(resolve, 5_000)
    })
  }
  await sequencer.close()
  await store.close()
  journal.close()
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

if (process.argv[2] !== undefined) await main(JSON.parse(readFileSync(process.argv[2], "utf8")) as ChildOrders)
