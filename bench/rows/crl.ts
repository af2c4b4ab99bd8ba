import { execFileSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildCertificate, encodePem, generateP256Key, httpRpc, memoryStore, Replica } from "../../client/index.ts"
import type { ExportableKeySigner, Hex } from "../../client/index.ts"
import { CrlBook } from "../../gateway/crl/index.ts"
import { readCrl } from "../../gateway/crl/crlReader.ts"
import { openIssuer } from "../../gateway/issuers/issuer.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { nowSeconds } from "../../test/helpers/fleet.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { randomHashes, randomPlaces } from "../worlds/fleet.ts"

const SERIES = 0x8000_0000
const SHARE = 100
const MIB = 2 ** 20
const YEAR = 365 * 86_400

/** The CRLs of a fleet of a million with one device in a hundred revoked at random, beside `openssl ca -gencrl` for the same. */
export async function crl({ quick }: GroupOptions): Promise<Measured> {
  const size = quick ? 100_000 : 1_000_000
  const revoked = size / SHARE
  const net = await anvilLedger()
  const maker = await net.admit("Acme Works")
  const signer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer })
  const [root] = [`0x${Buffer.from(randomHashes(1)).toString("hex")}`] as [Hex]
  const notAfter = nowSeconds() + YEAR
  await maker.registerBatch({ root, size, notAfter, issuerKeyId: signer.keyId, series: SERIES, issuer: signer })
  const places = randomPlaces(revoked + 10, size)
  await maker.revokePlaces(SERIES, places.slice(0, revoked), 1)
  const replica = await Replica.open({
    deployment: net.deployment,
    rpc: httpRpc(net.url),
    store: memoryStore(),
    now: () => net.clock,
  })
  await replica.sync()
  await net.syncClock()

  const certificate = await makeCa(signer)
  const context = {
    replica,
    issuers: [await openIssuer({ certificate, signer })],
    publicUrl: "http://gateway.example",
    now: () => net.clock,
  }
  const { keyId } = signer
  const makeAll = async (book: CrlBook): Promise<number> => {
    const started = performance.now()
    await book.complete(keyId)
    await book.delta(keyId)
    for (const name of await book.shardNames(keyId)) await book.shard(keyId, name)
    return (performance.now() - started) / 1000
  }

  // The first of all: its code is compiled on the way, and what it takes is what memory grows by.
  const held = (): number => {
    globalThis.gc?.()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return (heapUsed + arrayBuffers) / MIB
  }
  const before = held()
  const book = new CrlBook(context)
  const first = await makeAll(book)
  const taken = held() - before
  const times: number[] = []
  for (let round = 0; round < (quick ? 3 : 5); round++) {
    const other = new CrlBook(context)
    times.push(await makeAll(other))
    other.close()
  }

  const again: number[] = []
  for (const place of places.slice(revoked)) {
    await maker.revokePlaces(SERIES, [place], 1)
    await replica.sync()
    await net.syncClock()
    again.push(await makeAll(book))
  }
  const complete = await book.complete(keyId)
  const entries = [...readCrl(complete.der).entries()].length
  if (entries !== revoked + again.length) throw new Error(`${entries} entries`)
  let largest = 0
  for (const name of await book.shardNames(keyId)) {
    largest = Math.max(largest, (await book.shard(keyId, name)).der.length)
  }
  book.close()
  await replica.close()
  await net.close()

  const what = `${revoked.toLocaleString("en-US")} revoked of ${size.toLocaleString("en-US")}`
  const peer = opensslCrl(certificate, await signer.exportPkcs8(), size, quick ? 1 : 3)
  return [
    row(`CRLs of ${what}: complete, delta and all shards, from nothing`, median(times), "s", {
      atMost: 2,
      peers: [{ name: "openssl ca -gencrl, the complete one alone", value: peer.seconds }],
    }),
    row(`CRLs of ${what}: the same, the first of a process`, first, "s", { atMost: 2 }),
    row(`CRLs of ${what}: all that change with one more revocation`, median(again) * 1000, "ms"),
    row(`CRLs of ${what}: memory that they take`, Math.max(0, taken), "MiB", { atMost: 64 }),
    row(`CRLs of ${what}: the complete one`, complete.der.length / 1024, "KiB", {
      peers: [{ name: "openssl ca -gencrl", value: peer.bytes / 1024 }],
    }),
    row(`CRLs of ${what}: the largest shard`, largest / 1024, "KiB", { atMost: 1024 }),
  ]
}

function makeCa(signer: ExportableKeySigner): Promise<Uint8Array> {
  return buildCertificate({
    subject: { commonName: "Bench CA" },
    issuer: { commonName: "Bench CA" },
    spki: signer.spki,
    signer,
    serial: Uint8Array.of(1),
    notBefore: nowSeconds() - 3_600,
    notAfter: nowSeconds() + 10 * YEAR,
    ca: true,
  })
}

/** The same fleet in OpenSSL's own CA database. */
function opensslCrl(
  certificate: Uint8Array,
  pkcs8: Uint8Array,
  size: number,
  rounds: number,
): { seconds: number; bytes: number } {
  const folder = mkdtempSync(join(tmpdir(), "fleetroot-bench-"))
  const at = (name: string): string => join(folder, name)
  try {
    writeFileSync(at("ca.pem"), encodePem("CERTIFICATE", certificate))
    writeFileSync(at("ca.key"), encodePem("PRIVATE KEY", pkcs8), { mode: 0o600 })
    writeFileSync(at("crlnumber"), "01\n")
    writeFileSync(
      at("ca.conf"),
      `[ca]\ndefault_ca=it\n[it]\ndatabase=${at("index.txt")}\ncrlnumber=${at("crlnumber")}\ndefault_md=sha256\n` +
        `default_crl_hours=1\nunique_subject=no\n`,
    )
    const file = openSync(at("index.txt"), "w")
    for (let index = 0; index < size; index++) {
      const serial = `5F0000000180000000${index.toString(16).padStart(8, "0")}A1B2C3D4E5F607`.toUpperCase()
      const [status, revocation] = index % SHARE === 0 ? ["R", "261123000000Z,keyCompromise"] : ["V", ""]
      writeSync(file, `${status}\t271123000000Z\t${revocation}\t${serial}\tunknown\t/CN=device ${index}\n`)
    }
    closeSync(file)
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const started = performance.now()
      const files = ["-config", at("ca.conf"), "-cert", at("ca.pem"), "-keyfile", at("ca.key"), "-out", at("crl.pem")]
      execFileSync("openssl", ["ca", "-gencrl", ...files], { stdio: "pipe" })
      times.push((performance.now() - started) / 1000)
    }
    execFileSync("openssl", ["crl", "-in", at("crl.pem"), "-outform", "DER", "-out", at("crl.der")])
    return { seconds: median(times), bytes: statSync(at("crl.der")).size }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
