import { open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  encodeManifestHeader,
  encodeReceipt,
  fromHex,
  MerkleTreeBuilder,
  readManifest,
  receiptsFromManifest,
  toHex,
  verifyInclusion,
} from "../../client/index.ts"
import { fileManifestSource } from "../../client/node/index.ts"
import { median, quantile, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { randomHashes } from "../worlds/fleet.ts"

const ROUNDS = 2_000

/** One receipt out of a manifest in a file, found by credential hash; the file was read once before, and upper levels were kept. */
export async function receipts({ quick }: GroupOptions): Promise<Measured> {
  const size = quick ? 100_000 : 1_000_000
  const hashes = randomHashes(size)
  const tree = new MerkleTreeBuilder()
  tree.appendMany(hashes)
  const root = tree.root()
  const header = encodeManifestHeader({
    kind: "x509",
    chainId: 31_337n,
    registry: `0x${"42".repeat(20)}`,
    manufacturerId: 1,
    series: 2 ** 31,
    size,
    root: toHex(root),
    notAfter: 2_000_000_000,
    issuerKeyId: `0x${"77".repeat(32)}`,
  })
  const path = join(tmpdir(), `fleetroot-bench-${process.pid}.manifest`)
  const file = await open(path, "w")
  await file.write(header)
  await file.write(hashes)
  await file.close()
  try {
    await using source = await fileManifestSource(path)
    const find = await receiptsFromManifest(await readManifest(source))
    const times: number[] = []
    let longest = 0
    for (let round = 0; round < (quick ? ROUNDS / 10 : ROUNDS); round++) {
      const index = Math.floor(Math.random() * size)
      const credentialHash = hashes.subarray(32 * index, 32 * index + 32)
      const started = performance.now()
      const receipt = await find.receiptOf(toHex(credentialHash))
      if (receipt === undefined) throw new Error(`no receipt for ${index}`)
      const bytes = encodeReceipt(receipt)
      times.push(performance.now() - started)
      longest = Math.max(longest, bytes.length)
      if (round < 20 && !verifyInclusion({ ...receipt, credentialHash, root: fromHex(toHex(root)) })) {
        throw new Error(`a wrong receipt for ${index}`)
      }
    }
    const what = `one receipt out of a manifest of ${size.toLocaleString("en-US")}`
    return [
      row(what, median(times), "ms", { atMost: 2 }),
      row(`${what}, p99`, quantile(times, 0.99), "ms"),
      row(`${what}: its length`, longest, "bytes", { atMost: 1024 }),
    ]
  } finally {
    await rm(path, { force: true })
  }
}
