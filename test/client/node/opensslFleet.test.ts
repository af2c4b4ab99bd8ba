import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { buildBatch } from "../../../client/batch/buildBatch.ts"
import type { BuildBatchParameters } from "../../../client/batch/buildBatch.ts"
import { fromHex } from "../../../client/crypto/hex.ts"
import { BatchRefusedError } from "../../../client/errors/batch.ts"
import { readManifest } from "../../../client/merkle/manifest.ts"
import { receiptsFromManifest } from "../../../client/merkle/manifestReceipts.ts"
import { verifyInclusion } from "../../../client/merkle/tree.ts"
import { certificatesFromPath } from "../../../client/node/certificatesFromPath.ts"
import { fileManifestSource } from "../../../client/node/fileManifestSource.ts"
import { receiptsFromFolder } from "../../../client/node/receiptFiles.ts"
import { writeFileAtomic } from "../../../client/node/writeFileAtomic.ts"
import { writeReceipts } from "../../../client/node/writeReceipts.ts"
import { parseCertificate } from "../../../client/x509/certificate.ts"
import { readOneCertificate } from "../../../client/x509/pem.ts"
import { OpensslFolder } from "../x509/openssl.ts"
import { TempFolder } from "./tempFolder.ts"

const PLACE = { chainId: 31337n, registry: `0x${"ab".repeat(20)}` as const, manufacturerId: 2, series: 1 }
const CAS: [name: string, devices: number, key: string[]][] = [
  ["P-256", 50, ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]],
  ["P-384", 10, ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]],
  ["RSA", 10, ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]],
  ["Ed25519", 10, ["-algorithm", "ed25519"]],
]

/** A CA and devices with P-256 keys, made by `openssl` alone as an existing factory does it. */
function makeFleet(folder: OpensslFolder, caKey: string[], count: number): void {
  folder.run("genpkey", ...caKey, "-out", "ca.key")
  folder.run(
    "req",
    "-x509",
    "-new",
    "-key",
    "ca.key",
    "-subj",
    "/O=Bar Works/CN=Bar CA",
    "-days",
    "3650",
    "-out",
    "ca.pem",
  )
  for (let i = 1; i <= count; i++) signDevice(folder, `${i}`)
}

function signDevice(folder: OpensslFolder, name: string, ...more: string[]): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`]
  folder.run("req", "-new", ...key, "-subj", `/CN=device ${name}`, "-out", `${name}.req`)
  const ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
  folder.run("x509", "-req", "-in", `${name}.req`, ...ca, "-days", "365", ...more, "-out", `${name}.pem`)
}

function issuerOf(folder: OpensslFolder, file = "ca.pem"): BuildBatchParameters["issuer"] {
  const { keyId, spki } = parseCertificate(readOneCertificate(folder.text(file)))
  return { keyId, spki }
}

describe.each(CAS)("a fleet that openssl made under a %s CA, %i devices", (_name, devices, caKey) => {
  let made: OpensslFolder
  let home: TempFolder

  beforeAll(() => {
    made = new OpensslFolder()
    home = new TempFolder()
    makeFleet(made, caKey, devices)
    home.folder("certs")
    for (let i = 1; i <= devices; i++) home.write(`certs/${i}.pem`, made.bytes(`${i}.pem`))
  })
  afterAll(() => {
    made[Symbol.dispose]()
    home[Symbol.dispose]()
  })

  it("becomes a batch, a manifest and receipts that agree", async () => {
    const rows = certificatesFromPath(home.at("certs"))
    const batch = await buildBatch({ rows, place: PLACE, issuer: issuerOf(made), now: new Date() })
    await writeFileAtomic(home.at("fleet.manifest"), batch.manifest())
    expect(await writeReceipts(home.at("receipts"), batch.receipts())).toBe(devices)

    await using source = await fileManifestSource(home.at("fleet.manifest"))
    const fromManifest = await receiptsFromManifest(await readManifest(source, { root: batch.root }))
    const fromFolder = await receiptsFromFolder(home.at("receipts"))
    expect(batch).toMatchObject({ size: devices, asserted: 0, badRows: 0 })
    for (let i = 1; i <= devices; i++) {
      const { credentialHash, tbs } = parseCertificate(readOneCertificate(home.bytes(`certs/${i}.pem`)))
      const receipt = (await fromFolder.receiptOf(credentialHash))!
      expect(await fromManifest.receiptOf(credentialHash)).toEqual(receipt)
      expect(receipt).toMatchObject({ ...PLACE, index: i - 1, size: devices })
      expect(verifyInclusion({ ...receipt, credentialHash: fromHex(credentialHash), root: fromHex(batch.root) })).toBe(
        true,
      )
      expect(tbs[0]).toBe(0x30)
    }
  })
})

describe("a fleet with one thing wrong", () => {
  let made: OpensslFolder
  let home: TempFolder

  beforeAll(() => {
    made = new OpensslFolder()
    makeFleet(made, CAS[0]![2], 6)
    for (const file of ["ca.pem", "ca.key"]) renameSync(join(made.path, file), join(made.path, `own-${file}`))
    makeFleet(made, CAS[0]![2], 0)
    signDevice(made, "foreign")
    for (const file of ["ca.pem", "ca.key"]) {
      renameSync(join(made.path, file), join(made.path, `foreign-${file}`))
      renameSync(join(made.path, `own-${file}`), join(made.path, file))
    }
    made.run("req", "-new", "-key", "1.key", "-subj", "/CN=device 1 renewed", "-out", "renewed.req")
    const ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-days", "365"]
    made.run("x509", "-req", "-in", "renewed.req", ...ca, "-out", "renewed.pem")
    made.write("sub.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign")
    signDevice(made, "sub", "-extfile", "sub.ext")
    made.write("odd.ext", "1.2.3.4=critical,ASN1:NULL")
    signDevice(made, "odd", "-extfile", "odd.ext")
    made.write("service.ext", "extendedKeyUsage=OCSPSigning")
    signDevice(made, "service", "-extfile", "service.ext")
  })
  afterAll(() => made[Symbol.dispose]())

  function layOut(): string {
    home = new TempFolder()
    for (let i = 1; i <= 6; i++) home.write(`${i}.pem`, made.bytes(`${i}.pem`))
    return home.path
  }

  const own = (name: string): Uint8Array => made.bytes(name)
  const text = (name: string): string => made.text(name)
  const edit = (name: string, change: (der: Uint8Array) => Uint8Array): Uint8Array =>
    change(readOneCertificate(text(name)))

  it.each<[string, () => [name: string, content: string | Uint8Array], code: string, other?: string]>([
    ["a bit of the signature flipped", () => ["3.pem", edit("3.pem", flipLast)], "wrongIssuer"],
    ["a bit of the key flipped", () => ["3.pem", edit("3.pem", flipMiddle)], "wrongIssuer"],
    ["the same file twice", () => ["3-copy.pem", own("3.pem")], "duplicateCredential", "3.pem"],
    ["a certificate in place of another", () => ["4.pem", own("3.pem")], "duplicateCredential", "3.pem"],
    ["the signature's twin beside it", () => ["3-twin.pem", edit("3.pem", twinOf)], "duplicateCredential", "3.pem"],
    ["two certificates for one key", () => ["7.pem", own("renewed.pem")], "duplicateKey", "1.pem"],
    ["a device of another CA", () => ["7.pem", own("foreign.pem")], "wrongIssuer"],
    ["its own CA certificate", () => ["ca.pem", own("ca.pem")], "caCertificate"],
    ["another CA's certificate", () => ["ca.pem", own("foreign-ca.pem")], "caCertificate"],
    ["a sub-CA", () => ["sub.pem", own("sub.pem")], "caCertificate"],
    ["an unknown critical extension", () => ["odd.pem", own("odd.pem")], "profileUnfit"],
    ["an OCSP signer", () => ["service.pem", own("service.pem")], "profileUnfit"],
    ["a file cut in the middle", () => ["3.pem", text("3.pem").slice(0, 300)], "malformed"],
    ["DER cut in the middle", () => ["3.pem", edit("3.pem", (der) => der.slice(0, 200))], "malformed"],
    [
      "DER with a byte behind it",
      () => ["3.pem", edit("3.pem", (der) => Buffer.concat([der, Buffer.of(0)]))],
      "malformed",
    ],
    ["two blocks in one file", () => ["3.pem", text("3.pem") + text("4.pem")], "pemBlocksMany"],
    ["an empty file", () => ["3.pem", ""], "fileUnfit"],
    ["a huge file", () => ["3.pem", new Uint8Array(20_000_000)], "fileUnfit"],
    [
      "binary junk",
      () => ["3.pem", Uint8Array.from({ length: 4000 }, (_, i) => (i * i * 31) % 256)],
      "pemBlockMissing",
    ],
    ["a request", () => ["3.pem", own("3.req")], "pemBlockMissing"],
    ["a private key", () => ["3.pem", own("3.key")], "pemBlockMissing"],
  ])("is refused, and the file named: %s", async (_what, make, code, other) => {
    const path = layOut()
    try {
      const [name, content] = make()
      writeFileSync(join(path, name), content)

      const built = buildBatch({
        rows: certificatesFromPath(path),
        place: PLACE,
        issuer: issuerOf(made),
        now: new Date(),
      })
      const refused = await built.then(
        () => undefined,
        (error: unknown) => error,
      )

      expect(refused).toBeInstanceOf(BatchRefusedError)
      const { findings, badRows } = refused as BatchRefusedError
      expect(badRows).toBe(1)
      // Of two that are the same, the second in the natural order is the bad one.
      const pair = [name, other].filter((file) => file !== undefined)
      expect(findings[0]!.code).toBe(code)
      expect(pair).toContain(findings[0]!.source)
      if (other !== undefined) expect(pair).toContain(findings[0]!.other)
    } finally {
      home[Symbol.dispose]()
    }
  })

  it("is refused once its certificates are expired", async () => {
    const path = layOut()
    try {
      const now = new Date(Date.now() + 366 * 86_400_000)
      const rows = certificatesFromPath(path)
      await expect(buildBatch({ rows, place: PLACE, issuer: issuerOf(made), now })).rejects.toMatchObject({
        badRowsByCode: { expired: 6 },
      })
    } finally {
      home[Symbol.dispose]()
    }
  })

  it("is refused whole under the wrong issuer", async () => {
    const path = layOut()
    try {
      const rows = certificatesFromPath(path)
      const issuer = issuerOf(made, "foreign-ca.pem")
      await expect(buildBatch({ rows, place: PLACE, issuer, now: new Date() })).rejects.toMatchObject({
        badRowsByCode: { wrongIssuer: 6 },
      })
    } finally {
      home[Symbol.dispose]()
    }
  })

  it("has the same root as a bundle of the same files", async () => {
    const path = layOut()
    try {
      const parts = Array.from({ length: 6 }, (_, i) => readFileSync(join(path, `${i + 1}.pem`), "utf8"))
      const bundle = join(path, ".bundle.pem")
      writeFileSync(bundle, parts.join(""))
      const settings = { place: PLACE, issuer: issuerOf(made), now: new Date() }
      const one = await buildBatch({ ...settings, rows: certificatesFromPath(path) })
      const two = await buildBatch({ ...settings, rows: certificatesFromPath(bundle) })
      expect(two.root).toBe(one.root)
    } finally {
      home[Symbol.dispose]()
    }
  })
})

function flipLast(der: Uint8Array): Uint8Array {
  const flipped = der.slice()
  flipped[flipped.length - 1]! ^= 1
  return flipped
}

/** Flips a bit of the subject's name. */
function flipMiddle(der: Uint8Array): Uint8Array {
  const flipped = der.slice()
  flipped[Buffer.from(der).indexOf("device ")]! ^= 1
  return flipped
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** The same certificate with the other valid signature, (r, n - s). */
function twinOf(der: Uint8Array): Uint8Array {
  const { signatureValue } = parseCertificate(der)
  const rLength = signatureValue[3]!
  const r = signatureValue.subarray(4, 4 + rLength)
  const s = BigInt(`0x${Buffer.from(signatureValue.subarray(6 + rLength)).toString("hex")}`)
  const integers = Buffer.concat([integer(r), integer(unsigned(ORDER - s))])
  const value = Buffer.concat([Buffer.of(0x30, integers.length), integers])
  const bits = Buffer.concat([Buffer.of(0x03, value.length + 1, 0), value])
  const head = der.subarray(4, der.length - signatureValue.length - 3)
  const length = head.length + bits.length
  return Buffer.concat([Buffer.of(0x30, 0x82, length >> 8, length & 0xff), head, bits])
}

function unsigned(value: bigint): Uint8Array {
  const bytes = Buffer.from(value.toString(16).padStart(64, "0"), "hex")
  const first = bytes.findIndex((byte) => byte !== 0)
  const minimal = bytes.subarray(first)
  return minimal[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), minimal]) : minimal
}

function integer(content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(0x02, content.length), content])
}
