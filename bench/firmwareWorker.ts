// One check of one image by one key, timed, in a process of its own: see firmware.ts.
import { readFile } from "node:fs/promises"
import { decodePem, FirmwareVerifier } from "../client/index.ts"
import { fileImage } from "../client/node/index.ts"
import { PaperLedger } from "../test/client/firmware/paperLedger.ts"

const [, , path = "", keyPath = ""] = process.argv
const KIB_PER_MIB = 1024

const [block] = decodePem(await readFile(keyPath, "utf8"), "PUBLIC KEY")
if (block === undefined) throw new Error("no public key")
const ledger = new PaperLedger(block.der)
const verifier = new FirmwareVerifier({ ledger, now: ledger.now })
const ask = { manufacturerId: 2, product: "bench", unpublished: true }

// Everything is loaded and has run once before the base is taken: what comes on top is what the image costs.
await verifier.check({ ...ask, image: new Uint8Array(1_000), signature: new Uint8Array(64).fill(1) })
const before = process.resourceUsage().maxRSS

const image = await fileImage(path)
const started = performance.now()
const { installable } = await verifier.check({ ...ask, image })
const seconds = (performance.now() - started) / 1000
await image.close()
const memoryMiB = (process.resourceUsage().maxRSS - before) / KIB_PER_MIB
process.stdout.write(`${JSON.stringify({ seconds, memoryMiB, installable })}\n`)
