import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodePem, parseCertificate, readOneCertificate } from "../../../client/index.ts"
import type { Certificate } from "../../../client/index.ts"
import { makeToken } from "../../../gateway/est/index.ts"
import { EstBed } from "../est/estBed.ts"
import { run } from "./programs.ts"
import type { Ran } from "./programs.ts"

const CLASS_PATH = ["bcpkix", "bcprov", "bcutil"].map((name) => `/usr/share/java/${name}.jar`).join(":")

let bed: EstBed
let server: Awaited<ReturnType<EstBed["serve"]>>
let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  bed = await EstBed.start()
  server = await bed.serve()
  folder = mkdtempSync(join(tmpdir(), "fleetroot-est-clients-"))
  writeFileSync(at("server.pem"), server.root)
  writeFileSync(at("ca.pem"), encodePem("CERTIFICATE", bed.ca.certificate.der))
})
afterAll(async () => {
  await bed.close()
  rmSync(folder, { recursive: true, force: true })
})

const token = async (): Promise<string> => (await makeToken(bed.store, { now: () => bed.net.clock })).text
const certificateAt = (name: string): Certificate =>
  parseCertificate(readOneCertificate(readFileSync(at(name), "utf8")))

/** What a verifier says of a certificate with the receipt that the gateway gives for it. */
async function statusOf(certificate: Certificate): Promise<string> {
  const url = `${server.url}/receipts/${certificate.fingerprint.slice(2)}`
  const fetched = await curl("-o", at("receipt.cbor"), url)
  expect(fetched.code).toBe(0)
  await bed.net.syncClock()
  const receipt = new Uint8Array(readFileSync(at("receipt.cbor")))
  const verdict = await bed.net.verifier().checkCertificate(certificate.der, { receipt })
  return verdict.reason === null ? verdict.status : `${verdict.status} ${verdict.reason}`
}

function curl(...args: string[]): Promise<Ran> {
  return run("curl", "-sS", "--cacert", at("server.pem"), ...args)
}

describe("curl and openssl", () => {
  // A bash whose standard input is a socket takes itself for a remote one and reads its settings, unless told not to.
  const shell = (script: string): Promise<Ran> =>
    run("bash", "--norc", "-euo", "pipefail", "-c", `cd ${folder}; ${script}`)
  const est = (): string => `${server.url}/.well-known/est`
  const make = (name: string): string =>
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -subj '/O=Acme/CN=curl device' -outform DER -out ${name}.csr 2>/dev/null; openssl base64 -in ${name}.csr -out ${name}.b64`
  const post = (name: string, operation: string, more: string): string =>
    `curl -sS --fail-with-body --cacert server.pem ${more} --data-binary @${name}.b64 -H 'Content-Type: application/pkcs10' ${est()}/${operation} | base64 -d | openssl pkcs7 -inform DER -print_certs -out ${name}.pem`

  it("fetch the CA", async () => {
    const { code, stdout } = await shell(
      `curl -sS --fail --cacert server.pem ${est()}/cacerts | base64 -d | openssl pkcs7 -inform DER -print_certs`,
    )
    expect(code).toBe(0)
    expect(parseCertificate(readOneCertificate(stdout)).keyId).toBe(bed.ca.signer.keyId)
  })

  it("enrol with a token and renew with the certificate", async () => {
    const first = await shell(`${make("first")}; ${post("first", "simpleenroll", `-u device:${await token()}`)}`)
    expect(first).toMatchObject({ code: 0, stderr: "" })
    expect(await statusOf(certificateAt("first.pem"))).toBe("good")
    const verified = await run("openssl", "verify", "-CAfile", at("ca.pem"), at("first.pem"))
    expect(verified.stdout).toContain("OK")

    // Its own certificate counts as soon as the replica knows of it.
    await bed.catchUp()
    const second = await shell(
      `${make("second")}; ${post("second", "simplereenroll", "--cert first.pem --key first.key")}`,
    )
    expect(second).toMatchObject({ code: 0, stderr: "" })
    const renewed = certificateAt("second.pem")
    expect(renewed.subjectDer).toEqual(certificateAt("first.pem").subjectDer)
    expect(await statusOf(renewed)).toBe("good")
  })

  it("are asked for a password without one", async () => {
    const { stdout } = await shell(
      `${make("nobody")}; curl -sS -i --cacert server.pem --data-binary @nobody.b64 -H 'Content-Type: application/pkcs10' ${est()}/simpleenroll`,
    )
    expect(stdout).toMatch(/^HTTP\/1\.1 401 /)
    expect(stdout).toMatch(/www-authenticate: basic/i)
    expect(stdout).toMatch(/content-length: 0/i)
  })
})

describe("Bouncy Castle's EST client", () => {
  const tool = (...args: string[]): Promise<Ran> =>
    run("java", "-cp", `${CLASS_PATH}:${folder}`, "EstTool", `localhost:${server.port}`, at("server.pem"), ...args)

  beforeAll(async () => {
    const source = fileURLToPath(new URL("EstTool.java", import.meta.url))
    const compiled = await run("javac", "-cp", CLASS_PATH, "-d", folder, source)
    expect(compiled.all).not.toContain("error:")
  })

  it("fetches the CA and what requests should have", async () => {
    const fetched = await tool("cacerts", at("bc-ca.pem"))
    expect(fetched.all).toContain("trusted true")
    expect(certificateAt("bc-ca.pem").keyId).toBe(bed.ca.signer.keyId)
    expect((await tool("csrattrs")).stdout).toContain("requirements 2")
  })

  it("enrols with a token and renews with the certificate", async () => {
    const enrolled = await tool("enrol", "castle", await token(), at("castle"))
    expect(enrolled.all).toContain("enrolled")
    expect(await statusOf(certificateAt("castle.pem"))).toBe("good")
    await bed.catchUp()

    const renewed = await tool("reenrol", "castle", at("castle"), at("renewed"))
    expect(renewed.all).toContain("enrolled")
    expect(await statusOf(certificateAt("renewed.pem"))).toBe("good")
    await bed.catchUp()

    // The new one is used, and so the old one is superseded.
    const third = await tool("reenrol", "castle", at("renewed"), at("third"))
    expect(third.all).toContain("enrolled")
    await expect.poll(() => statusOf(certificateAt("castle.pem")), { timeout: 30_000 }).toBe("revoked superseded")
    expect(await statusOf(certificateAt("renewed.pem"))).toBe("good")
  })
})
