// One thread of the bare verification in rows/certificates.ts: P-256 and nothing else.
import { createPublicKey, verify } from "node:crypto"
import { parentPort, workerData } from "node:worker_threads"

const { spki, items } = workerData as { spki: Uint8Array; items: readonly (readonly [Uint8Array, Uint8Array])[] }
const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" })

parentPort?.on("message", () => {
  for (const [message, signature] of items) {
    if (!verify("sha256", message, key, signature)) throw new Error("a wrong signature")
  }
  parentPort?.postMessage("done", [])
})
