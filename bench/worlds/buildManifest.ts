// Builds a manifest from a file of credential hashes, in a process of its own, so that its memory is nobody else's.
import { once } from "node:events"
import { createReadStream, createWriteStream, statSync } from "node:fs"
import { encodeManifestHeader, MerkleTreeBuilder, toHex } from "../../client/index.ts"
import { writeFileSync } from "node:fs"

const [, , input = "", output = ""] = process.argv
const PART = 32 * 16_384
const HEADER = 128

const started = performance.now()
const used = process.cpuUsage()
const tree = new MerkleTreeBuilder()
const manifest = createWriteStream(output, { highWaterMark: PART })
// The header holds the root, which is known last: its place is kept.
manifest.write(new Uint8Array(HEADER))
for await (const part of createReadStream(input, { highWaterMark: PART }) as AsyncIterable<Buffer>) {
  tree.appendMany(part)
  if (!manifest.write(part)) await once(manifest, "drain")
}
manifest.end()
await once(manifest, "finish")
const header = encodeManifestHeader({
  kind: "x509",
  chainId: 31_337n,
  registry: `0x${"11".repeat(20)}`,
  manufacturerId: 1,
  series: 1,
  size: tree.size,
  root: toHex(tree.root()),
  notAfter: 4_000_000_000,
  issuerKeyId: `0x${"22".repeat(32)}`,
})
writeFileSync(output, header, { flag: "r+" })
if (statSync(output).size !== HEADER + tree.size * 32) throw new Error("the manifest has a wrong length")
const { user, system } = process.cpuUsage(used)
const told = {
  seconds: (performance.now() - started) / 1000,
  cpuSeconds: (user + system) / 1e6,
  maxKiB: process.resourceUsage().maxRSS,
  size: tree.size,
}
process.stdout.write(JSON.stringify(told))
