/**
 * What a proof-backed check costs without a replica: round trips, bytes received and CPU, on Anvil over HTTP. Beside it the same
 * check by one believed node, and by a quorum of three.
 *
 *   node bench/proven.ts [--json]
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { generateP256Key, httpRpc, ProvenLedger, QuorumLedger, RpcLedger, Verifier } from "../client/index.ts"
import type { Hex, Ledger } from "../client/index.ts"
import { anvilLedger } from "../test/helpers/anvil.ts"
import { makeDevice, makeTree, nowSeconds } from "../test/helpers/fleet.ts"

const BATCHES = 20
const REVOKED = 400
const ROUNDS = 30

type Row = { name: string; value: number; unit: string; target?: number; holds?: boolean }

/** A way to the node that counts what comes back. */
async function countingProxy(upstream: string) {
  const count = { trips: 0, bodies: [] as Uint8Array[] }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const headers = { "content-type": "application/json" }
      fetch(upstream, { method: "POST", headers, body: Buffer.concat(chunks) })
        .then((answer) => answer.arrayBuffer())
        .then((body) => {
          count.trips += 1
          count.bodies.push(new Uint8Array(body))
          response.writeHead(200, headers).end(Buffer.from(body))
          return null
        })
        .catch(() => response.destroy())
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    count,
    close: (): void => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

const net = await anvilLedger()
const maker = await net.admit("Acme Works")
const issuer = await generateP256Key()
await maker.addKey({ purpose: "issuer", signer: issuer })
const device = await makeDevice({ issuer })
const others = (): Hex => `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex")}`
const trees = Array.from({ length: BATCHES }, (_, i) =>
  makeTree(net.deployment, maker.manufacturerId, i + 1, [
    ...(i === 0 ? [device.certificate.credentialHash] : []),
    ...Array.from({ length: 100 }, others),
  ]),
)
for (const [i, tree] of trees.entries()) {
  const { root, size } = tree
  await maker.registerBatch({ root, size, notAfter: nowSeconds() + 1e9, issuerKeyId: issuer.keyId, series: i + 1 })
}
await maker.revoke(
  Array.from({ length: REVOKED }, () => ({ subject: others() })),
  { reason: 1 },
)
await net.pass(10)
const [tree] = trees
if (tree === undefined) throw new Error("no batch")
const receipt = tree.receipt(0)

const proxies = await Promise.all([1, 2, 3].map(() => countingProxy(net.url)))
const endpoints = proxies.map(({ url }) => httpRpc(url))
const [own] = endpoints
if (own === undefined) throw new Error("no endpoint")
const { deployment } = net
const rows: Row[] = []

/** Checks with a fresh ledger each time: nothing is remembered but compiled code. */
async function measure(
  name: string,
  open: () => Ledger,
  targets: { trips?: number; bytes?: number; cpu?: number } = {},
) {
  const trips: number[] = []
  const bytes: number[] = []
  const gzipped: number[] = []
  const cpu: number[] = []
  const wall: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const verifier = new Verifier({ ledger: open(), now: () => net.clock })
    for (const { count } of proxies) Object.assign(count, { trips: 0, bodies: [] })
    const [before, started] = [process.threadCpuUsage(), performance.now()]
    const { status } = await verifier.checkCertificate(device.der, { receipt })
    wall.push(performance.now() - started)
    const used = process.threadCpuUsage(before)
    if (status !== "good") throw new Error(`the check by ${name} says ${status}`)
    trips.push(Math.max(...proxies.map(({ count }) => count.trips)))
    const bodies = proxies.flatMap(({ count }) => count.bodies)
    bytes.push(bodies.reduce((sum, body) => sum + body.byteLength, 0))
    gzipped.push(bodies.reduce((sum, body) => sum + gzipSync(body).byteLength, 0))
    cpu.push((used.user + used.system) / 1_000)
  }
  const row = (what: string, values: number[], unit: string, target: number | undefined): void => {
    const value = Math.round(median(values) * 100) / 100
    rows.push({
      name: `${name}: ${what}`,
      value,
      unit,
      ...(target === undefined ? {} : { target, holds: value <= target }),
    })
  }
  row("round trips", trips, "", targets.trips)
  row("received as Anvil sends it", bytes, "bytes", undefined)
  row("received as a node sends it that compresses (Geth does)", gzipped, "bytes", targets.bytes)
  row("CPU, proxies included", cpu, "ms", targets.cpu)
  row("time", wall, "ms", undefined)
}

await measure("one believed node", () => new RpcLedger({ deployment, rpc: own }))
await measure("state proofs", () => new ProvenLedger({ deployment, rpc: own }), { trips: 1, bytes: 20 * 1024, cpu: 15 })
await measure("quorum 2 of 3", () => new QuorumLedger({ deployment, endpoints, k: 2 }))
await measure("quorum 2 of 3, state proofs", () => QuorumLedger.proven({ deployment, endpoints, k: 2 }))

for (const proxy of proxies) proxy.close()
await net.close()
if (process.argv.includes("--json")) console.log(JSON.stringify({ rows }, null, 2))
else
  for (const { name, value, unit, holds } of rows)
    console.log(`${name}: ${value} ${unit}${holds === false ? " (misses its target)" : ""}`)
