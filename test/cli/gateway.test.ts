import { execFile } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { parseCertificate, readOneCertificate, toHex } from "../../client/index.ts"
import { freePort } from "../helpers/freePort.ts"
import { TestPostgres } from "../helpers/postgres.ts"
import { Cli, startTestnet } from "./cli.ts"
import type { Ended } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

const run = promisify(execFile)
const folder = tempFolder()
let net: Awaited<ReturnType<typeof startTestnet>>
let cli: Cli
let port: number
const running: { child: ChildProcess; ended: Promise<Ended> }[] = []

/** A command line's words. */
function words(text: string): string[] {
  return text.split(" ")
}

/** Starts `fleetroot gateway`, and waits until it answers from the ledger. */
async function startGateway(
  ...options: string[]
): Promise<{ child: ChildProcess; ended: Promise<Ended>; url: string }> {
  const started = cli.start("gateway", "--state", "gw", ...options)
  running.push(started)
  let early: Ended | undefined
  started.ended.then(
    (end) => (early = end),
    () => undefined,
  )
  const url = `http://127.0.0.1:${port}`
  for (;;) {
    if (early !== undefined) throw new Error(`the gateway ended: ${early.stdout}${early.stderr}`)
    const ready = await fetch(`${url}/readyz`).catch(() => undefined)
    if (ready?.status === 200) return { ...started, url }
    await sleep(50)
  }
}

const serve = (): Promise<{ child: ChildProcess; ended: Promise<Ended>; url: string }> =>
  startGateway(
    ...words(`--listen 127.0.0.1:${port} --issuer-cert fleet/ca.pem --issuer-key fleet/ca.key`),
    ...words("--manufacturer 2 --log-level debug"),
  )

/** What `openssl ocsp` says of a certificate: its exit code tells nothing of it. */
async function opensslOcsp(
  certificate: string,
  issuer = "fleet/ca.pem",
  url = `http://127.0.0.1:${port}/ocsp`,
): Promise<string> {
  const asked = words(`ocsp -issuer ${issuer} -cert ${certificate} -CAfile ${issuer} -url ${url}`)
  const { stdout, stderr } = await run("openssl", asked, { cwd: folder.path })
  expect(stderr).toContain("Response verify OK")
  return stdout
}

beforeAll(async () => {
  port = await freePort()
  net = await startTestnet(new Cli(folder.path))
  cli = net.cli
  const fleet = [
    "fleet",
    "make",
    "fleet/",
    "--count",
    "5",
    "--manufacturer",
    "2",
    "--gateway",
    `http://127.0.0.1:${port}`,
  ]
  const steps = [
    ["manufacturer", "add", "--name", "Gateway Works"],
    fleet,
    ["key", "add", "--manufacturer", "2", "--cert", "fleet/ca.pem", "--key", "fleet/ca.key", "--purpose", "issuer"],
    [
      ...words("batch register --manufacturer 2 --issuer fleet/ca.pem --issuer-key fleet/ca.key"),
      ...words("fleet/certs/ --manifest fleet.manifest --receipts receipts/"),
    ],
  ]
  for (const step of steps) {
    const { code, stderr } = await cli.run(...step)
    if (code !== 0) throw new Error(`${step.join(" ")}: ${stderr}`)
  }
})
afterAll(async () => {
  await net.stop()
  folder.remove()
})
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill("SIGKILL")
    await ended
  }
})

describe("fleet make --gateway", () => {
  it("writes certificates that name the gateway's OCSP responder, CRL and delta CRL", async () => {
    const { stdout } = await run("openssl", ["x509", "-in", cli.at("fleet/certs/0.pem"), "-noout", "-text"])
    const keyId = parseCertificate(readOneCertificate(cli.text("fleet/ca.pem"))).keyId.slice(2)
    expect(stdout).toContain(`OCSP - URI:http://127.0.0.1:${port}/ocsp`)
    expect(stdout).toMatch(new RegExp(`CRL Distribution Points:[^]*URI:http://127.0.0.1:${port}/crl/${keyId}.crl`))
    expect(stdout).toMatch(new RegExp(`Freshest CRL:[^]*URI:http://127.0.0.1:${port}/crl/${keyId}-delta.crl`))
  })

  it.each(["ftp://x", "http://x/?a", "gateway.test"])("refuses the address %s", async (url) => {
    const { code } = await cli.run("fleet", "make", "other/", "--count", "1", "--plain", "--gateway", url)
    expect(code).toBe(2)
    expect(existsSync(cli.at("other"))).toBe(false)
  })
})

describe("fleetroot gateway", () => {
  it("lets openssl see a good device, and its revocation within two seconds", async () => {
    const gateway = await serve()
    expect(await opensslOcsp("fleet/certs/0.pem")).toContain("fleet/certs/0.pem: good")

    expect(
      (await cli.run("revoke", "fleet/certs/0.pem", "--manufacturer", "2", "--reason", "keyCompromise")).code,
    ).toBe(0)
    const revokedAt = performance.now()
    let said = ""
    while (!said.includes("revoked") && performance.now() - revokedAt < 20_000) {
      said = await opensslOcsp("fleet/certs/0.pem")
      await sleep(20)
    }
    const seconds = (performance.now() - revokedAt) / 1000

    expect(said).toContain("Reason: keyCompromise")
    expect(await opensslOcsp("fleet/certs/1.pem")).toContain("fleet/certs/1.pem: good")
    // Two seconds on an idle machine; the tests' may be several times slower.
    expect(seconds).toBeLessThan(15)
    const { stdout } = await run("openssl", [
      ...words(`verify -crl_check -crl_download -CAfile ${cli.at("fleet/ca.pem")} ${cli.at("fleet/certs/1.pem")}`),
    ])
    expect(stdout).toContain("OK")
    await expect(
      run("openssl", [
        ...words(`verify -crl_check -crl_download -CAfile ${cli.at("fleet/ca.pem")} ${cli.at("fleet/certs/0.pem")}`),
      ]),
    ).rejects.toThrow(/certificate revoked/)

    gateway.child.kill("SIGTERM")
    const { code, stdout: out, stderr } = await gateway.ended
    expect(code).toBe(0)
    expect(out).toContain(`gateway listening on http://127.0.0.1:${port}`)
    expect(out).toContain("stopped by SIGTERM")
    for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("msg")
    // Nobody learns from it who asked about whom.
    expect(stderr).toContain('"route":"ocsp"')
    for (const name of ["0", "1"]) {
      const { serial, fingerprint } = parseCertificate(readOneCertificate(cli.text(`fleet/certs/${name}.pem`)))
      const texts = [toHex(serial).slice(2), fingerprint.slice(2), Buffer.from(serial).toString("base64").slice(2, -3)]
      for (const text of texts) expect(stderr.toLowerCase()).not.toContain(text.toLowerCase())
    }
  })

  it("goes on after kill -9, also while the ledger is away", async () => {
    expect((await cli.run("revoke", "fleet/certs/4.pem", "--manufacturer", "2")).code).toBe(0)
    const first = await serve()
    first.child.kill("SIGKILL")
    await first.ended

    const second = await serve()
    expect(await opensslOcsp("fleet/certs/4.pem")).toContain("revoked")
    second.child.kill("SIGTERM")
    expect((await second.ended).code).toBe(0)

    // With a node that is not there it starts from its folder, and answers of the block that it knows.
    const away = cli.start(
      ...words(`gateway --state gw --rpc http://127.0.0.1:1 --listen 127.0.0.1:${port}`),
      ...words("--issuer-cert fleet/ca.pem --issuer-key fleet/ca.key"),
    )
    running.push(away)
    const ready = await untilReady()
    expect(ready).toMatchObject({ ready: true, warnings: [expect.stringContaining("the last sync failed")] })
    expect(await opensslOcsp("fleet/certs/4.pem")).toContain("revoked")
  })

  async function untilReady(): Promise<unknown> {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined)
      const body = (await answer?.json()) as { warnings?: string[] } | undefined
      if (body?.warnings?.some((warning) => warning.includes("sync failed")) === true) return body
      await sleep(50)
    }
  }

  it("takes its settings from a file, with several issuers, TLS and files of CRLs, and its certificates anew on SIGHUP", async () => {
    const tls = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    const makeTls = (name: string): Promise<unknown> =>
      run("openssl", [
        ...tls,
        "-subj",
        `/CN=${name}`,
        "-keyout",
        cli.at("conf/tls.key"),
        "-out",
        cli.at("conf/tls.pem"),
      ])
    mkdirSync(cli.at("conf"), { recursive: true })
    await makeTls("first")
    const other = await cli.run("fleet", "make", "other-fleet/", "--count", "1", "--plain")
    expect(other.code).toBe(0)
    writeFileSync(cli.at("conf/responder.ext"), "extendedKeyUsage = OCSPSigning\n")
    const makeResponder = async (name: string): Promise<void> => {
      const key = words(`req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=${name}`)
      await run("openssl", [
        ...key,
        ...words(`-keyout ${cli.at("conf/responder.key")} -out ${cli.at("conf/responder.csr")}`),
      ])
      await run("openssl", [
        ...words(`x509 -req -in ${cli.at("conf/responder.csr")} -set_serial 77 -days 2`),
        ...words(`-CA ${cli.at("other-fleet/ca.pem")} -CAkey ${cli.at("other-fleet/ca.key")}`),
        ...words(`-extfile ${cli.at("conf/responder.ext")} -out ${cli.at("conf/responder.pem")}`),
      ])
    }
    await makeResponder("responder-one")
    const responder = async (): Promise<string> => {
      const asked = words("ocsp -issuer other-fleet/ca.pem -cert other-fleet/certs/0.pem -CAfile other-fleet/ca.pem")
      const { stdout, stderr } = await run(
        "openssl",
        [...asked, ...words(`-url http://127.0.0.1:${port}/ocsp -resp_text -no_nonce`)],
        { cwd: folder.path },
      )
      expect(stderr).toContain("Response verify OK")
      return stdout
    }
    const tlsPort = await freePort()
    const settings = {
      deployment: "../net.json",
      state: "../gw",
      listen: `127.0.0.1:${port}`,
      tlsListen: `127.0.0.1:${tlsPort}`,
      tlsCertificate: "tls.pem",
      tlsKey: "tls.key",
      issuers: [
        { certificate: "../fleet/ca.pem", key: "../fleet/ca.key", manufacturer: 2 },
        {
          certificate: "../other-fleet/ca.pem",
          key: "../other-fleet/ca.key",
          label: "other",
          responderCertificate: "responder.pem",
          responderKey: "responder.key",
        },
      ],
      crl: { folder: "www" },
      ocsp: { folder: "www", lifetimeSeconds: 30 },
      pollSeconds: 0.2,
    }
    writeFileSync(cli.at("conf/gateway.json"), JSON.stringify(settings))
    const gateway = await startGateway("--config", "conf/gateway.json", "--json")
    const subject = async (): Promise<string> => {
      const client = run("openssl", ["s_client", "-connect", `127.0.0.1:${tlsPort}`])
      client.child.stdin?.end()
      return (await client).stdout
    }

    expect(await subject()).toContain("CN = first")
    const ready = (await (await fetch(`${gateway.url}/readyz`)).json()) as { warnings: string[] }
    expect(ready.warnings).toEqual([expect.stringContaining("is no key on the ledger")])
    expect(await opensslOcsp("other-fleet/certs/0.pem", "other-fleet/ca.pem")).toContain("unknown")
    for (const kind of ["crl", "ocsp"]) {
      while (!existsSync(cli.at("conf/www", kind)) || readdirSync(cli.at("conf/www", kind)).length === 0)
        await sleep(50)
    }

    expect(await responder()).toMatch(/CN ?= ?responder-one/)
    await makeTls("second")
    await makeResponder("responder-two")
    gateway.child.kill("SIGHUP")
    while (!(await subject()).includes("CN = second")) await sleep(50)
    while (!/CN ?= ?responder-two/.test(await responder())) await sleep(50)

    gateway.child.kill("SIGINT")
    const { code, stdout } = await gateway.ended
    expect(code).toBe(0)
    expect(stdout).toContain('"listening": true')
    expect(stdout).toContain('"stopped": "SIGINT"')
  })

  it("lets a device enrol with a token, and hands out its receipt", async () => {
    const tlsPort = await freePort()
    await run("openssl", [
      ...words("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"),
      ...words(`-addext subjectAltName=DNS:localhost -keyout ${cli.at("est.key")} -out ${cli.at("est.pem")}`),
    ])
    const gateway = await startGateway(
      ...words(`--listen 127.0.0.1:${port} --tls-listen 127.0.0.1:${tlsPort} --tls-cert est.pem --tls-key est.key`),
      ...words("--issuer-cert fleet/ca.pem --issuer-key fleet/ca.key --manufacturer 2 --manifest fleet.manifest"),
    )
    const { answer: token } = await cli.json("gateway", "token", "--state", "gw", "--subject", "CN=device-7")
    const newKey = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=device-7 -outform DER"
    await run("openssl", words(`${newKey} -keyout ${cli.at("device.key")} -out ${cli.at("device.csr")}`))
    writeFileSync(cli.at("device.b64"), readFileSync(cli.at("device.csr")).toString("base64"))
    const post = async (request: string, ...proof: string[]): Promise<string> => {
      const { stdout } = await run("curl", [
        ...words(`--silent --show-error --fail --cacert ${cli.at("est.pem")} --data-binary @${cli.at(request)}`),
        "--header",
        "Content-Type: application/pkcs10",
        ...proof,
        `https://localhost:${tlsPort}/.well-known/est/simpleenroll`,
      ])
      return stdout
    }
    const enrol = (): Promise<string> => post("device.b64", "--user", `device:${token["token"] as string}`)
    // Until the ledger was asked about its series there is 503.
    let pkcs7 = ""
    while (pkcs7 === "") {
      pkcs7 = await enrol().catch(() => "")
      await sleep(50)
    }
    writeFileSync(cli.at("device.p7"), Buffer.from(pkcs7, "base64"))
    await run(
      "openssl",
      words(`pkcs7 -inform DER -in ${cli.at("device.p7")} -print_certs -out ${cli.at("device.pem")}`),
    )
    const enrolled = parseCertificate(readOneCertificate(cli.text("device.pem").replace(/^[^-]*/, "")))
    const { fingerprint } = enrolled
    const receipt = await fetch(`${gateway.url}/receipts/${fingerprint.slice(2)}`)
    writeFileSync(cli.at("device.receipt"), new Uint8Array(await receipt.arrayBuffer()))

    const status = await cli.run("status", "device.pem", "--receipt", "device.receipt")
    expect(status.stdout).toContain("device.pem: good")
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toMatch(
      /fleetroot_est_answers_total\{operation="simpleenroll",label="",status="200"\} 1/,
    )
    // Another comes with the certificate that its factory gave it, whose receipt the manifest holds.
    const anyKey = words(newKey.replace(" -subj /CN=device-7", ""))
    const files = words(`-keyout ${cli.at("idevid.key")} -out ${cli.at("idevid.csr")}`)
    await run("openssl", [...anyKey, "-subj", "/CN=device 3", ...files])
    writeFileSync(cli.at("idevid.b64"), readFileSync(cli.at("idevid.csr")).toString("base64"))
    const proof = (n: number): string[] =>
      words(`--cert ${cli.at(`fleet/certs/${n}.pem`)} --key ${cli.at(`fleet/keys/${n}.key`)}`)
    writeFileSync(cli.at("idevid.p7"), Buffer.from(await post("idevid.b64", ...proof(3)), "base64"))
    const issued = await run("openssl", words(`pkcs7 -inform DER -in ${cli.at("idevid.p7")} -print_certs`))
    expect(issued.stdout).toContain("BEGIN CERTIFICATE")
    // Nobody gets another's name.
    await expect(post("idevid.b64", ...proof(2))).rejects.toThrow()

    gateway.child.kill("SIGTERM")
    expect((await gateway.ended).code).toBe(0)

    // Its key is revoked by itself; what is published once knows whose certificate that was.
    const revoked = await cli.run(...words(`revoke --key-id ${enrolled.keyId} --manufacturer 2 --reason keyCompromise`))
    expect(revoked).toMatchObject({ code: 0 })
    const publish = words("gateway publish --out enrolled/ --public-url http://pki.test --state gw")
    const ca = words("--issuer-cert fleet/ca.pem --issuer-key fleet/ca.key")
    expect(await cli.json(...publish, ...ca)).toMatchObject({ code: 0, answer: { failed: [] } })
    const crls = readdirSync(cli.at("enrolled/crl")).filter((name) => /^[0-9a-f]{64}\.crl$/.test(name))
    const { stdout: listed } = await run("openssl", [
      ...words(`crl -inform DER -in ${cli.at(`enrolled/crl/${crls[0] ?? ""}`)} -noout -text`),
    ])
    expect(listed.toLowerCase()).toContain(toHex(enrolled.serial).slice(2))
  })

  it("checks certificates as `fleetroot status` does, and finds devices by their hashes", async () => {
    const gateway = await startGateway(
      ...words(
        `--listen 127.0.0.1:${port} --issuer-cert fleet/ca.pem --issuer-key fleet/ca.key --manifest fleet.manifest`,
      ),
    )
    const indexed = async (): Promise<boolean> =>
      /^fleetroot_manifests_devices 5$/m.test(await (await fetch(`${gateway.url}/metrics`)).text())
    while (!(await indexed())) await sleep(50)
    const post = async (body: string, type: string): Promise<Response> =>
      fetch(`${gateway.url}/v1/status`, { method: "POST", headers: { "Content-Type": type }, body })
    type Answer = Record<string, unknown>
    const { answer } = await cli.json<Answer[]>("status", "fleet/certs/1.pem", "--manifest", "fleet.manifest")
    const said = (await (await post(cli.text("fleet/certs/1.pem"), "application/x-pem-file")).json()) as Answer
    const facts = ({ file, block, staleSeconds, evidence, ...same }: Answer): Answer => ({
      ...same,
      block: Object.keys(block as object).sort(),
      evidence: (evidence as Answer[]).map((one) => Object.keys(one).sort()),
      kinds: [typeof file, typeof staleSeconds].at(-1),
    })
    expect(said["status"]).toBe("good")
    expect(facts(said)).toEqual(facts(answer[0]!))

    const bad = await post("garbage", "application/pkix-cert")
    expect([bad.status, bad.headers.get("content-type")]).toEqual([400, "application/problem+json"])
    expect((await post("x".repeat(140_000), "application/pkix-cert")).status).toBe(413)
    expect((await post(cli.text("fleet/certs/1.pem"), "text/plain")).status).toBe(415)
    expect((await fetch(`${gateway.url}/v1/status`)).status).toBe(405)

    const { credentialHash, keyId } = parseCertificate(readOneCertificate(cli.text("fleet/certs/1.pem")))
    const byHash = async (more = ""): Promise<unknown> =>
      (await fetch(`${gateway.url}/v1/status/${credentialHash}${more}`)).json()
    expect(await byHash()).toMatchObject({ status: "unknown", reason: "deviceKeyUnknown", place: { index: 1 } })
    expect(await byHash(`?deviceKey=${keyId}`)).toMatchObject({ status: "good", restsOn: { kind: "manifest" } })
    gateway.child.kill("SIGTERM")
    expect((await gateway.ended).code).toBe(0)
  })

  it.each([
    ["a setting that nobody knows", { listenn: "x" }, "listenn"],
    ["a wrong port", { listen: "127.0.0.1:99999" }, "listen"],
    ["an issuer without a key", { issuers: [{ certificate: "ca.pem" }] }, "issuers[0].key"],
    ["a lifetime that is no number", { ocsp: { lifetimeSeconds: "60" } }, "ocsp.lifetimeSeconds"],
    ["a database of another kind", { database: "mysql://u:hidden@h/d" }, "database"],
  ])("refuses %s, naming it", async (_what, settings, field) => {
    writeFileSync(cli.at("bad.json"), JSON.stringify(settings))
    const { code, answer, stderr } = await cli.json("gateway", "--config", "bad.json", "--state", "gw")
    expect(code).toBe(2)
    expect(answer).toMatchObject({ error: "GatewayConfigError" })
    expect(answer["message"]).toContain(field)
    expect(stderr).not.toContain("hidden")
  })

  it("says which file it cannot use", async () => {
    const foreign = ["--issuer-cert", "fleet/ca.pem", "--issuer-key", "fleet/keys/0.key"]
    const twoFiles = await cli.json("gateway", "--state", "gw", "--listen", "127.0.0.1:0", ...foreign)
    expect(twoFiles).toMatchObject({ code: 2, answer: { error: "IssuerUnfitError" } })
    const missing = await cli.json("gateway", "--config", "nowhere.json")
    expect(missing).toMatchObject({ code: 2, answer: { error: "GatewayConfigError" } })
    const alone = await cli.json("gateway", "--manufacturer", "2")
    expect(alone).toMatchObject({ code: 2, answer: { error: "UsageError" } })
    const occupied = createServer().listen(port, "127.0.0.1")
    await once(occupied, "listening")
    const taken = await cli.json("gateway", "--state", "gw", "--listen", `127.0.0.1:${port}`)
    occupied.close()
    expect(taken).toMatchObject({ code: 3, answer: { error: "ListenFailedError" } })
  })
})

/** A fleet of certificates whose serial numbers are no positions, registered once for all tests that want it. */
function oldFleet(): Promise<void> {
  made ??= makeOldFleet()
  return made
}
let made: Promise<void> | undefined

async function makeOldFleet(): Promise<void> {
  new OpensslCa(folder.path).issue(4)
  const steps = [
    ["key", "add", "--manufacturer", "2", "--cert", "ca.pem", "--key", "ca.key", "--purpose", "issuer"],
    [
      ...words("batch register --manufacturer 2 --issuer ca.pem certs/"),
      ...words("--manifest old.manifest --receipts old-receipts/"),
    ],
    ["revoke", "certs/2.pem", "--manufacturer", "2", "--receipts", "old-receipts/", "--reason", "superseded"],
  ]
  for (const step of steps) {
    const { code, stderr } = await cli.run(...step)
    if (code !== 0) throw new Error(`${step.join(" ")}: ${stderr}`)
  }
}

describe("fleetroot gateway import", () => {
  const ISSUER = ["--issuer", "ca.pem", "--state", "gw"]

  beforeAll(oldFleet)

  it("imports nothing when one is wrong, and says which", async () => {
    mkdirSync(cli.at("mixed"), { recursive: true })
    cpSync(cli.at("certs"), cli.at("mixed"), { recursive: true })
    cpSync(cli.at("fleet/certs/1.pem"), cli.at("mixed/foreign.pem"))
    writeFileSync(cli.at("mixed/broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    const { code, answer } = await cli.json("gateway", "import", "mixed/", ...ISSUER, "--manifest", "old.manifest")

    expect(code).toBe(1)
    expect(answer).toMatchObject({ error: "ImportRefusedError", badRows: 2 })
    const sources = (answer["findings"] as { source: string }[]).map(({ source }) => source)
    expect(sources.toSorted()).toEqual(["broken.pem", "foreign.pem"])
    const after = await cli.json("gateway", "import", "certs/", ...ISSUER)
    expect(after).toMatchObject({ code: 0, answer: { read: 4, added: 4, known: 0, placed: 0, notPlaced: 4 } })
  })

  it("fills in places by receipts or manifest, and needs no import of positions", async () => {
    const imported = await cli.json("gateway", "import", "certs/", ...ISSUER, "--manifest", "old.manifest")
    const again = await cli.json(
      "gateway",
      "import",
      "certs/",
      "--state",
      "gw",
      "--receipts",
      "old-receipts/",
      "--issuer",
      "ca.pem",
    )
    const positions = await cli.json("gateway", "import", "fleet/certs/", "--state", "gw")
    const wrong = await cli.json("gateway", "import", "fleet/certs/", ...ISSUER)

    expect(imported).toMatchObject({ code: 0, answer: { read: 4, added: 0, known: 4, placed: 4, notPlaced: 0 } })
    expect(again).toMatchObject({ code: 0, answer: { added: 0, placed: 4 } })
    expect(positions).toMatchObject({ code: 0, answer: { read: 5, added: 0, positions: 5 } })
    expect(wrong.code).toBe(1)
  })

  it("takes lists of serial numbers, and names a conflict", async () => {
    const header = "serial,credentialHash,deviceKeyId,notBefore,notAfter\n"
    const hash = (digit: string): string => digit.repeat(64)
    const line = (serial: string, credential: string): string =>
      `${serial},${credential},${hash("d")},2026-01-01T00:00:00Z,1900000000\n`
    writeFileSync(cli.at("list.csv"), header + line("0x0fed", hash("a")) + line("FE:DC", hash("b")))
    writeFileSync(cli.at("conflict.csv"), header + line("99", hash("e")) + line("0fed", hash("c")))
    writeFileSync(
      cli.at("list.ndjson"),
      `${JSON.stringify({ serial: "77", credentialHash: hash("f"), deviceKeyId: hash("d"), notBefore: 1, notAfter: 2 })}\n`,
    )
    writeFileSync(cli.at("bad.csv"), header + line("", hash("a")) + line("1", "short") + "1,2\n")

    const first = await cli.json("gateway", "import", "list.csv", ...ISSUER)
    const json = await cli.json("gateway", "import", "list.ndjson", ...ISSUER)
    const conflict = await cli.json("gateway", "import", "conflict.csv", ...ISSUER)
    const bad = await cli.json("gateway", "import", "bad.csv", ...ISSUER)
    const nameless = await cli.json("gateway", "import", "list.csv", "--state", "gw")

    expect(first).toMatchObject({ code: 0, answer: { read: 2, added: 2 } })
    expect(json).toMatchObject({ code: 0, answer: { read: 1, added: 1 } })
    expect(conflict).toMatchObject({ code: 1, answer: { error: "SerialConflictError" } })
    expect(conflict.answer["message"]).toContain("0x0fed")
    expect(bad).toMatchObject({ code: 1, answer: { error: "ImportRefusedError", badRows: 3 } })
    expect(nameless).toMatchObject({ code: 2, answer: { error: "UsageError" } })
  })

  it("makes OCSP and the JSON API answer for them, beside those that are positions", async () => {
    const gateway = await startGateway(...words(`--listen 127.0.0.1:${port} --issuer-cert ca.pem --issuer-key ca.key`))
    const fingerprint = (name: string): string => parseCertificate(readOneCertificate(cli.text(name))).fingerprint
    const status = async (hash: string): Promise<Record<string, unknown>> =>
      (await (await fetch(`${gateway.url}/v1/status/${hash}`)).json()) as Record<string, unknown>

    expect(await opensslOcsp("certs/1.pem", "ca.pem")).toContain("certs/1.pem: good")
    expect(await opensslOcsp("certs/2.pem", "ca.pem")).toContain("Reason: superseded")
    expect(await status(fingerprint("certs/1.pem"))).toMatchObject({
      status: "good",
      manufacturer: 2,
      place: { series: 1 },
      restsOn: { kind: "import" },
    })
    expect(await status(fingerprint("certs/2.pem"))).toMatchObject({ status: "revoked", reason: "superseded" })
    expect(await status(fingerprint("fleet/certs/1.pem"))).toMatchObject({ status: "unknown" })
    gateway.child.kill("SIGTERM")
    await gateway.ended
  })
})

describe("two gateways on one database", () => {
  beforeAll(oldFleet)

  it("answer for what was imported once, and for positions while the database is gone", async () => {
    const postgres = await TestPostgres.start()
    const shared = cli.with({ FLEETROOT_DATABASE: postgres.url })
    try {
      const imported = await shared.json(
        ...words("gateway import certs/ --issuer ca.pem --manifest old.manifest --state one"),
      )
      expect(imported).toMatchObject({ code: 0, answer: { added: 4, placed: 4 } })
      writeFileSync(
        cli.at("two.json"),
        JSON.stringify({
          issuers: [
            { certificate: "ca.pem", key: "ca.key" },
            { certificate: "fleet/ca.pem", key: "fleet/ca.key", label: "fleet" },
          ],
        }),
      )
      const ports = [port, await freePort()]
      for (const [i, port] of ports.entries()) {
        running.push(shared.start(...words(`gateway --config two.json --state gw-${i} --listen 127.0.0.1:${port}`)))
        while ((await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status !== 200) await sleep(50)
      }
      const urls = ports.map((port) => `http://127.0.0.1:${port}/ocsp`)
      for (const url of urls) {
        expect(await opensslOcsp("certs/1.pem", "ca.pem", url)).toContain("certs/1.pem: good")
        expect(await opensslOcsp("certs/2.pem", "ca.pem", url)).toContain("Reason: superseded")
      }

      await postgres.down()
      for (const url of urls) expect(await opensslOcsp("fleet/certs/1.pem", "fleet/ca.pem", url)).toContain(": good")
    } finally {
      for (const { child } of running) child.kill("SIGKILL")
      await postgres.remove()
    }
  })
})

describe("fleetroot gateway publish", () => {
  it("writes CRLs that openssl takes, once", async () => {
    const ca = words("--issuer-cert static/ca.pem --issuer-key static/ca.key")
    const steps = [
      "fleet make static/ --count 4 --manufacturer 2",
      "key add --manufacturer 2 --cert static/ca.pem --key static/ca.key --purpose issuer",
      "batch register --manufacturer 2 --issuer static/ca.pem --issuer-key static/ca.key static/certs/",
      "revoke static/certs/0.pem --manufacturer 2 --reason keyCompromise",
    ]
    for (const step of steps) expect(await cli.run(...words(step))).toMatchObject({ code: 0 })
    const publish = ["gateway", "publish", "--out", "www/", "--public-url", "http://pki.test", "--ocsp", ...ca]
    const { code, answer } = await cli.json(...publish, "--state", "publish-state")
    const again = await cli.json(...publish, "--state", "publish-state")
    const keyId = parseCertificate(readOneCertificate(cli.text("static/ca.pem"))).keyId.slice(2)

    expect(code).toBe(0)
    // The complete CRL, its delta, and three shards: of index 0, of index 1, and of indexes 2 and 3.
    expect(answer).toMatchObject({ written: 5, left: 0, removed: 0, answers: 4, failed: [] })
    const files = readdirSync(cli.at("www"), { recursive: true, withFileTypes: true })
    expect(Number(answer["written"]) + Number(answer["answers"])).toBe(files.filter((file) => file.isFile()).length)
    expect(new Date(answer["nextUpdate"] as string).getTime()).toBeGreaterThan(Date.now())
    expect(again.code).toBe(0)
    const { stdout } = await run("openssl", [
      ...words(`crl -inform DER -in ${cli.at(`www/crl/${keyId}.crl`)} -noout -text -CAfile ${cli.at("static/ca.pem")}`),
    ])
    expect(stdout).toContain("Key Compromise")
    expect(stdout).toContain(`http://pki.test/crl/${keyId}-delta.crl`)
    rmSync(cli.at("www"), { recursive: true })
  })

  it("needs to know its address and an issuer", async () => {
    expect((await cli.run("gateway", "publish", "--out", "www/")).code).toBe(2)
    expect((await cli.run("gateway", "publish", "--out", "www/", "--public-url", "http://x")).code).toBe(2)
  })
})
