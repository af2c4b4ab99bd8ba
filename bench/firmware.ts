// How fast, and in how much memory, a large firmware image is checked, beside `openssl dgst -sha256` on the same file.
//
//   node bench/firmware.ts [--gib 1] [--rounds 5] [--json bench/results/firmware.json]
//
// The file is made anew in the temporary folder and read once before anything is timed, so both sides read from the page cache.
import { spawnSync } from "node:child_process"
import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto"
import { mkdtemp, open, rm, writeFile } from "node:fs/promises"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const GIB = 2 ** 30
const BLOCK = 2 ** 20
const HEADER = 32
const WORKER = fileURLToPath(new URL("firmwareWorker.ts", import.meta.url))
/** What issue and documentation promise. */
const TARGET = { ratio: 0.8, memoryMiB: 64 }

/** One check of the image. */
type Measured = { seconds: number; processSeconds: number; memoryMiB: number; installable: boolean }

const { values } = parseArgs({
  options: {
    gib: { type: "string", default: "1" },
    rounds: { type: "string", default: "5" },
    json: { type: "string" },
  },
})
const payloadBytes = Math.round(Number(values.gib) * GIB)
const rounds = Number(values.rounds)

const folder = await mkdtemp(join(tmpdir(), "fleetroot-bench-"))
try {
  const image = join(folder, "image.bin")
  const key = join(folder, "key.pub.pem")
  await makeImage(image, key)
  const openssl: number[] = []
  const checks: Measured[] = []
  timeOpenssl(image)
  for (let round = 0; round < rounds; round++) {
    openssl.push(timeOpenssl(image))
    checks.push(timeCheck(image, key))
  }
  await report(openssl, checks)
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** An MCUboot image of random bytes, as imgtool signs it with ECDSA P-256. */
async function makeImage(path: string, keyPath: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const hash = createHash("sha256")
  const signer = createSign("sha256")
  const file = await open(path, "w")
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes)
    signer.update(bytes)
    await file.write(bytes)
  }
  const header = Buffer.alloc(HEADER)
  header.writeUInt32LE(0x96f3b83d, 0)
  header.writeUInt16LE(HEADER, 8)
  header.writeUInt32LE(payloadBytes, 12)
  await write(header)
  const block = randomBytes(BLOCK)
  for (let written = 0; written < payloadBytes; written += BLOCK) {
    block.writeUInt32LE(written / BLOCK, 0)
    await write(block.subarray(0, Math.min(BLOCK, payloadBytes - written)))
  }
  const spki = publicKey.export({ format: "der", type: "spki" })
  const keyHash = createHash("sha256").update(spki).digest()
  const tlvs = Buffer.concat([tlv(0x10, hash.digest()), tlv(0x01, keyHash), tlv(0x22, signer.sign(privateKey))])
  const info = Buffer.alloc(4)
  info.writeUInt16LE(0x6907, 0)
  info.writeUInt16LE(tlvs.length + 4, 2)
  await file.write(Buffer.concat([info, tlvs]))
  await file.close()
  await writeFile(keyPath, publicKey.export({ format: "pem", type: "spki" }))
}

function tlv(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16LE(type, 0)
  head.writeUInt16LE(value.length, 2)
  return Buffer.concat([head, value])
}

function timeOpenssl(path: string): number {
  const started = performance.now()
  const { status, stderr } = spawnSync("openssl", ["dgst", "-sha256", path], { encoding: "utf8" })
  if (status !== 0) throw new Error(`openssl: ${stderr}`)
  return (performance.now() - started) / 1000
}

/** In a process of its own, so that its memory is nobody else's. */
function timeCheck(path: string, key: string): Measured {
  const started = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, [WORKER, path, key], { encoding: "utf8" })
  if (status !== 0) throw new Error(`the check failed: ${stderr}`)
  const answer = JSON.parse(stdout) as { seconds: number; memoryMiB: number; installable: boolean }
  return { ...answer, processSeconds: (performance.now() - started) / 1000 }
}

async function report(opensslSeconds: readonly number[], measured: readonly Measured[]): Promise<void> {
  const openssl = median(opensslSeconds)
  const check = median(measured.map(({ seconds }) => seconds))
  const result = {
    command: `node bench/firmware.ts --gib ${values.gib} --rounds ${rounds}`,
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version },
    image: { format: "mcuboot", bytes: payloadBytes },
    openssl: { seconds: round(openssl), mibPerSecond: speed(openssl) },
    check: { seconds: round(check), mibPerSecond: speed(check) },
    wholeProcessSeconds: round(median(measured.map(({ processSeconds }) => processSeconds))),
    ratio: round(openssl / check),
    memoryOverBaseMiB: round(Math.max(...measured.map(({ memoryMiB }) => memoryMiB))),
    target: TARGET,
  }
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`)
  const sound = measured.every(({ installable }) => installable)
  if (!sound) process.stderr.write("the image was refused\n")
  const met = result.ratio >= TARGET.ratio && result.memoryOverBaseMiB < TARGET.memoryMiB
  process.exitCode = sound && met ? 0 : 1
}

function speed(seconds: number): number {
  return Math.round(payloadBytes / BLOCK / seconds)
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
