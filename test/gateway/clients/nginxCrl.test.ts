import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { buildCertificate, encodePem, generateP256Key, parseCertificate } from "../../../client/index.ts"
import { CrlBook } from "../../../gateway/crl/index.ts"
import { writeCrl } from "../../../gateway/crl/crlWriter.ts"
import { openIssuer } from "../../../gateway/issuers/issuer.ts"
import { FakeFactory, MAKER, SERIES } from "../fakeFactory.ts"
import { isOpen } from "./isOpen.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run, Running, until } from "./programs.ts"

const YEAR = 365 * 86_400
let factory: FakeFactory
let files: KeyFiles
let nginx: Running
let book: CrlBook
let rootCrl: string
let port: number

beforeAll(async () => {
  factory = await FakeFactory.make(10)
  const { now, signer } = factory
  // The factory's CA again, now below a root that is on no ledger.
  const root = await generateP256Key()
  const rootName = { commonName: "Root" }
  const shared = { signer: root, serial: Uint8Array.of(2), notBefore: now - YEAR, notAfter: now + YEAR, ca: true }
  const rootDer = await buildCertificate({ ...shared, subject: rootName, issuer: rootName, spki: root.spki })
  const rootCertificate = parseCertificate(rootDer)
  const subject = factory.issuer.certificate.subjectDer
  const caDer = await buildCertificate({ ...shared, subject, issuer: rootCertificate, spki: signer.spki })
  const issuer = await openIssuer({ certificate: caDer, signer })
  const rootCrlDer = await writeCrl({
    issuerDer: rootCertificate.subjectDer,
    signer: root,
    authorityKeyIdentifier: rootCertificate.subjectKeyIdentifier!,
    thisUpdate: now - 60,
    nextUpdate: now + YEAR,
    number: 1n,
    entries: [],
  })
  rootCrl = encodePem("X509 CRL", rootCrlDer)
  book = new CrlBook({ replica: factory.source, issuers: [issuer], publicUrl: "http://gateway.example" })

  files = new KeyFiles({ issuer })
  files.write("chain.pem", encodePem("CERTIFICATE", caDer) + encodePem("CERTIFICATE", rootDer))
  for (const [index, name] of ["server", "first", "second"].entries()) await files.device(factory, name, index)
  files.write("crls.pem", await ownCrl())
  port = await freePort()
  const at = (name: string): string => files.at(name)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${at(kind)};`)
  const configuration = files.write(
    "nginx.conf",
    `daemon off; pid ${at("nginx.pid")}; error_log stderr info; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; ${temporary.join(" ")}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${at("server.pem")}; ssl_certificate_key ${at("server.key")};
    ssl_client_certificate ${at("chain.pem")}; ssl_verify_client on; ssl_verify_depth 3;
    ssl_crl ${at("crls.pem")};
    location / { return 200 "hello $ssl_client_s_dn"; }
  }
}
`,
  )
  nginx = new Running("nginx", ["-c", configuration, "-p", files.folder, "-e", "stderr"])
  await until(async () => isOpen(port), Boolean)
})

afterAll(async () => {
  await nginx?.stop()
  book?.close()
  files?.remove()
})

async function ownCrl(): Promise<string> {
  return encodePem("X509 CRL", (await book.complete(factory.signer.keyId)).der)
}

async function ask(name: string): Promise<string> {
  const identity = ["--cert", files.at(`${name}.pem`), "--key", files.at(`${name}.key`)]
  const { all } = await run("curl", ["-sSk", "--max-time", "20", ...identity, `https://127.0.0.1:${port}/`])
  if (all.includes(`hello CN=${name}`)) return "passed"
  return all.includes("The SSL certificate error") ? "refused" : all
}

/** How many of nginx's workers have ended. */
function endedWorkers(): number {
  return nginx.output.split(/worker process \d+ exited with code 0/).length - 1
}

/** Gives nginx its CRLs and waits until nobody is left who goes by the old ones: old workers answer on for a moment. */
async function reload(crls: string): Promise<void> {
  const before = endedWorkers()
  files.write("crls.pem", crls)
  nginx.child.kill("SIGHUP")
  await until(
    async () => endedWorkers(),
    (ended) => ended > before,
  )
  expect(endedWorkers()).toBeGreaterThan(before)
}

describe("nginx with ssl_crl", () => {
  it("lets nobody in as long as one CA of the chain has no CRL", async () => {
    expect(await ask("first")).toBe("refused")
    expect(nginx.output).toContain("unable to get certificate CRL")
  })

  it("lets devices in with the CRLs of all CAs, and refuses who is revoked once it has read the new one", async () => {
    await reload((await ownCrl()) + rootCrl)
    expect(await ask("first")).toBe("passed")
    expect(await ask("second")).toBe("passed")
    factory.fleet.mine().mark(MAKER, SERIES, 1)
    factory.source.changed({ kind: "places", manufacturerId: MAKER, series: SERIES, first: 1, last: 1 })
    await reload((await ownCrl()) + rootCrl)
    expect(await ask("first")).toBe("refused")
    expect(await ask("second")).toBe("passed")
  })
})
