import { statSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BatchIndex, encodeManifestHeader, MerkleTreeBuilder, toHex } from "../../client/index.ts"
import type { Batch, Deployment, ManifestSource } from "../../client/index.ts"
import { BatchIndexFile, buildBatchIndexFile } from "../../client/node/index.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured, Row } from "../row.ts"

const BYTES = 16
const PER_SECOND = 2_000_000
const HEADER = 128
const ZERO = `0x${"00".repeat(32)}` as const

const DEPLOYMENT: Deployment = {
  version: 1,
  chainId: 31_337,
  block: { number: 1, hash: ZERO },
  contracts: {
    access: { address: `0x${"40".repeat(20)}`, codeHash: ZERO },
    manufacturers: { address: `0x${"41".repeat(20)}`, codeHash: ZERO },
    devices: { address: `0x${"42".repeat(20)}`, codeHash: ZERO },
  },
}

/** Memory and speed of the index of credentials; its manifests are made up as they are read, so that they take no memory. */
export async function indexes({ quick }: GroupOptions): Promise<Measured> {
  const rows: Row[] = []
  for (const size of quick ? [200_000] : [1_000_000, 10_000_000]) rows.push(...(await measure(size, quick)))
  rows.push(...(await measureFile(quick ? 200_000 : 1_000_000, quick)))
  return rows
}

async function measure(size: number, quick: boolean): Promise<Row[]> {
  const { batch, source } = madeUp(size)
  const index = new BatchIndex({ deployment: DEPLOYMENT })
  const started = performance.now()
  await index.add(source, batch)
  const seconds = (performance.now() - started) / 1000

  const rate = lookupsPerSecond(index, { size, count: 100_000, rounds: quick ? 5 : 15 })
  // Past a million it is the memory's speed that is measured.
  const promise = size > 1_000_000 ? {} : { atLeast: PER_SECOND }
  const what = `index of ${size.toLocaleString("en-US")} credentials`
  return [
    row(`${what}: memory a device`, index.bytes / size, "bytes", { atMost: BYTES }),
    row(`${what}: look-ups by credential hash`, rate, "1/s", promise),
    row(`${what}: reading and checking its manifest`, seconds, "s"),
  ]
}

/** The same on disk: what lies there is in the system's cache. */
async function measureFile(size: number, quick: boolean): Promise<Row[]> {
  const path = join(tmpdir(), `fleetroot-bench-${process.pid}.index`)
  try {
    await buildBatchIndexFile({ path, deployment: DEPLOYMENT, batches: [madeUp(size)] })
    using file = BatchIndexFile.open(path, DEPLOYMENT)
    const rate = lookupsPerSecond(file, { size, count: 5_000, rounds: quick ? 3 : 9 })
    const what = `index file of ${size.toLocaleString("en-US")} credentials`
    return [
      row(`${what}: disk a device`, statSync(path).size / size, "bytes", { atMost: BYTES }),
      row(`${what}: look-ups by credential hash`, rate, "1/s"),
    ]
  } finally {
    await rm(path, { force: true })
  }
}

function lookupsPerSecond(
  index: Pick<BatchIndex, "lookup">,
  { size, count, rounds }: { size: number; count: number; rounds: number },
): number {
  const asked = Array.from({ length: count }, () => Math.floor(Math.random() * size))
  const questions = asked.map((device) => {
    const hash = new Uint8Array(32)
    fill(hash, 0, device)
    return hash
  })
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const used = process.threadCpuUsage()
    for (let i = 0; i < count; i++) {
      if (index.lookup(questions[i] as Uint8Array) !== asked[i]) throw new Error("found at another place")
    }
    const { user, system } = process.threadCpuUsage(used)
    rates.push(count / ((user + system) / 1e6))
  }
  return median(rates)
}

function madeUp(size: number): { batch: Batch; source: ManifestSource } {
  const slice = (from: number, count: number): Uint8Array => {
    const bytes = new Uint8Array(32 * count)
    for (let i = 0; i < count; i++) fill(bytes, 32 * i, from + i)
    return bytes
  }
  const tree = new MerkleTreeBuilder()
  for (let from = 0; from < size; from += 32_768) tree.appendMany(slice(from, Math.min(32_768, size - from)))
  const root = toHex(tree.root())
  const place = { manufacturerId: 1, series: 1 }
  const registry = DEPLOYMENT.contracts.devices.address
  const kind = "x509" as const
  const notAfter = 2_000_000_000
  const header = encodeManifestHeader({
    kind,
    chainId: 31_337n,
    registry,
    ...place,
    size,
    notAfter,
    root,
    issuerKeyId: ZERO,
  })
  const batch: Batch = {
    ...place,
    root,
    size,
    keyIndex: 1,
    registeredAt: 1,
    notAfter,
    mark: "none",
    byKey: false,
    rawPublicKeys: false,
    revokedCount: 0,
    changedAt: 0,
    reason: 0,
  }
  const read = async (offset: number, length: number): Promise<Uint8Array> =>
    offset < HEADER ? header.subarray(offset, offset + length) : slice((offset - HEADER) / 32, length / 32)
  return { batch, source: { size: HEADER + 32 * size, read } }
}

/** A credential hash that looks random and depends on the device alone. */
function fill(bytes: Uint8Array, offset: number, device: number): void {
  let state = (device + 1) | 0
  for (let at = offset; at < offset + 32; at += 4) {
    state = (Math.imul(state ^ (state >>> 16), 0x85ebca6b) + 0x9e3779b9) | 0
    const mixed = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
    const word = mixed ^ (mixed >>> 16)
    bytes[at] = word
    bytes[at + 1] = word >>> 8
    bytes[at + 2] = word >>> 16
    bytes[at + 3] = word >>> 24
  }
}
