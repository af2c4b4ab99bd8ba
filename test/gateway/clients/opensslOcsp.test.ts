import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { decodePem, encodePem, parseCertificate, signerFromPkcs8 } from "../../../client/index.ts"
import { openIssuer } from "../../../gateway/issuers/issuer.ts"
import { encodeCertId, encodeOcspRequest } from "../../../gateway/ocsp/codec.ts"
import { ocspRoutes } from "../../../gateway/ocsp/index.ts"
import { issuerHashes } from "../../../gateway/ocsp/responderBook.ts"
import { FakeFactory, MAKER, MemorySerials, SERIES } from "../fakeFactory.ts"
import { serveRoutes } from "../serveRoutes.ts"
import { KeyFiles } from "./keyFiles.ts"
import { run } from "./programs.ts"
import type { Ran } from "./programs.ts"

let factory: FakeFactory
let files: KeyFiles
let server: Awaited<ReturnType<typeof serveRoutes>>

beforeAll(async () => {
  factory = await FakeFactory.make()
  factory.fleet.mark(MAKER, SERIES, 1, { since: factory.now - 50, reason: 1 })
  factory.fleet.mark(MAKER, SERIES, 2, { since: factory.now - 50, reason: 6, mark: "held", subject: "0xab" })
  files = new KeyFiles(factory)
  for (const [index, name] of ["good", "revoked", "held"].entries()) await files.device(factory, name, index)
  await files.device(factory, "stray", 0, { serial: Uint8Array.of(0x2a, 1, 2, 3) })
  const imported = await files.device(factory, "imported", 3, { serial: Uint8Array.of(0x2b, 1, 2, 3) })
  const serials = new MemorySerials()
  await serials.put([factory.entryOf(imported, { manufacturerId: MAKER, series: SERIES, index: 3 })])
  server = await serveRoutes(ocspRoutes({ replica: factory.source, issuers: [factory.issuer], serials }))
})

afterAll(async () => {
  await server.close()
  files.remove()
})

const EXPECTED = [
  ["good", "good", undefined],
  ["revoked", "revoked", "keyCompromise"],
  ["held", "revoked", "certificateHold"],
  ["stray", "unknown", undefined],
  ["imported", "good", undefined],
] as const

async function openssl(name: string, ...options: string[]): Promise<Ran> {
  const asked = ["-issuer", files.at("ca.pem"), ...options, "-cert", files.at(`${name}.pem`)]
  return run("openssl", "ocsp", "-CAfile", files.at("ca.pem"), ...asked, "-url", `${server.url}/ocsp`)
}

describe("openssl ocsp", () => {
  const ways = [[], ["-no_nonce"], ["-sha256"], ["-sha256", "-no_nonce"], ["-sha384"], ["-sha512"]]

  describe.each(ways.map((options) => [options.join(" ") || "as it comes", options] as const))(
    "%s",
    (_how, options) => {
      it.each(EXPECTED)("is told of the %s device that it is %s", async (name, status, reason) => {
        const { code, all } = await openssl(name, ...options)
        expect(all).toContain("Response verify OK")
        expect(all).toContain(`${files.at(`${name}.pem`)}: ${status}`)
        if (reason !== undefined) expect(all).toContain(`Reason: ${reason}`)
        if (!options.includes("-no_nonce")) expect(all).not.toContain("no nonce")
        expect(code).toBe(0)
      })
    },
  )

  it("asks about several at once", async () => {
    const others = ["revoked", "held", "stray"].flatMap((name) => ["-cert", files.at(`${name}.pem`)])
    const { all } = await openssl("good", ...others)
    expect(all).toContain("Response verify OK")
    for (const [name, status] of EXPECTED.slice(0, 4)) expect(all).toContain(`${files.at(`${name}.pem`)}: ${status}`)
  })

  it("is not answered about another issuer", async () => {
    const other = await FakeFactory.make(1, factory.now, "Other CA")
    const theirs = await other.certificate(0)
    const issuer = files.write("other.pem", encodePem("CERTIFICATE", other.issuer.certificate.der))
    const certificate = files.write("theirs.pem", encodePem("CERTIFICATE", theirs.der))
    const { all } = await run("openssl", "ocsp", "-issuer", issuer, "-cert", certificate, "-url", `${server.url}/ocsp`)
    expect(all).toContain("unauthorized (6)")
  })

  it("is told to try later by a stale replica", async () => {
    const { timestamp } = factory.fleet
    factory.fleet.timestamp -= 1_000
    const { all } = await openssl("good")
    factory.fleet.timestamp = timestamp
    expect(all).toContain("trylater (3)")
  })

  it("trusts RSA, P-384 and Ed25519 issuers alike", async () => {
    const algorithms = [
      ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
      ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
      ["-algorithm", "ED25519"],
    ]
    for (const algorithm of algorithms) {
      const [key, pem, device] = [files.at("other.key"), files.at("other.pem"), files.at("other-device.pem")]
      await run("openssl", "genpkey", ...algorithm, "-out", key)
      const subject = ["-subj", "/CN=Another CA", "-days", "30"]
      await run("openssl", "req", "-x509", "-new", "-key", key, ...subject, "-out", pem)
      const signer = await signerFromPkcs8(readFileSync(key, "utf8"))
      const issuer = await openIssuer({ certificate: readFileSync(pem, "utf8"), signer })
      const request = files.at("other.req")
      const small = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        files.at("unused.key"),
      ]
      await run("openssl", "req", "-new", ...small, "-subj", "/CN=device", "-out", request)
      await run("openssl", "x509", "-req", "-in", request, "-CA", pem, "-CAkey", key, "-days", "9", "-out", device)
      const certificate = parseCertificate(decodePem(readFileSync(device, "utf8"), "CERTIFICATE")[0]!.der)
      const serials = new MemorySerials()
      factory.fleet.addKey(MAKER, signer)
      const { index } = factory.fleet.keyById(signer.keyId)!
      factory.fleet.addBatch(MAKER, SERIES + index, 1, { keyIndex: index })
      const place = { manufacturerId: MAKER, series: SERIES + index, index: 0 }
      await serials.put([{ ...factory.entryOf(certificate, place), issuerKeyId: signer.keyId }])

      const other = await serveRoutes(ocspRoutes({ replica: factory.source, issuers: [issuer], serials }))
      const { all } = await run("openssl", [
        "ocsp",
        "-issuer",
        pem,
        "-CAfile",
        pem,
        "-cert",
        device,
        "-url",
        `${other.url}/ocsp`,
      ])
      await other.close()
      expect(all).toContain("Response verify OK")
      expect(all).toContain(`${device}: good`)
    }
  })
})

describe("curl", () => {
  it("fetches by GET what openssl reads", async () => {
    const serial = factory.serial(1)
    const hash = "sha1"
    const request = encodeOcspRequest([encodeCertId({ hash, ...issuerHashes(factory.issuer, hash), serial })])
    const base64 = Buffer.from(request).toString("base64")
    for (const path of [encodeURIComponent(base64), base64, `/${base64}`]) {
      const response = files.at("response.der")
      const fetched = await run("curl", "-sS", "--fail", "-o", response, "-D", "-", `${server.url}/ocsp/${path}`)
      expect(fetched.code).toBe(0)
      expect(fetched.stdout).toMatch(/Cache-Control: max-age=\d+, public, no-transform, must-revalidate/)
      const { all } = await run(
        "openssl",
        ["ocsp", "-respin", response, "-issuer", files.at("ca.pem"), "-CAfile", files.at("ca.pem")],
        ["-cert", files.at("revoked.pem")],
      )
      expect(all).toContain("Response verify OK")
      expect(all).toContain("revoked.pem: revoked")
    }
  })
})

describe("GnuTLS ocsptool", () => {
  it.each(EXPECTED)("is told of the %s device that it is %s", async (name, status) => {
    const { all } = await run(
      "ocsptool",
      [`--ask=${server.url}/ocsp`, "--load-cert", files.at(`${name}.pem`)],
      ["--load-issuer", files.at("ca.pem"), "--load-trust", files.at("ca.pem")],
    )
    expect(all).toContain("Verifying OCSP Response: Success")
    expect(all).toMatch(new RegExp(`Certificate Status: ${status}`))
  })
})
