import { readFile } from "node:fs/promises"
import { httpRpc, LedgerWriter, ManufacturerClient, parseDeployment, RpcLedger, Verifier } from "../../client/index.ts"
import { payerFromPrivateKey, receiptsFromFolder } from "../../client/node/index.ts"

const deployment = parseDeployment(await readFile("net.json", "utf8"))
const rpc = httpRpc(deployment.rpc ?? "http://127.0.0.1:8545")
const ledger = new RpcLedger({ deployment, rpc })

// Anybody: does this certificate count?
const certificate = await readFile("certs/4.pem", "utf8")
const receipts = await receiptsFromFolder("receipts")
const check = () => new Verifier({ ledger }).checkCertificate(certificate, { receipts })
const { status, manufacturer, credentialHash } = await check()
console.log(status, manufacturer) // good { id: 2, name: 'Bar Works' }

// Its manufacturer: revoke it, for ever. Run it again, and nothing is sent.
const payer = await payerFromPrivateKey(process.env["FLEETROOT_PRIVATE_KEY"] ?? "", "FLEETROOT_PRIVATE_KEY")
const writer = new LedgerWriter({ deployment, rpc, payer })
const works = new ManufacturerClient({ ledger, rpc, writer, manufacturerId: 2 })
await works.revoke([{ subject: credentialHash }], { reason: 1 }) // keyCompromise
console.log((await check()).status) // revoked
