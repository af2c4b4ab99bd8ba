import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterAll, describe, expect, it } from "vitest"
import { formatDeployment } from "../../client/index.ts"
import { deploymentName } from "../../client/node/index.ts"
import { readGatewayConfig, readSettingsFile } from "../../gateway/config.ts"
import { GatewayConfigError } from "../../gateway/errors/gateway.ts"
import { openReplica } from "../../gateway/openReplica.ts"
import { DEPLOYMENT } from "./fakeFleet.ts"

const folder = mkdtempSync(join(tmpdir(), "fleetroot-config-"))
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const LEAST = { deployment: "net.json", state: "gw" }
const ISSUER = { certificate: "ca.pem", key: "ca.key" }

function refusal(settings: unknown): GatewayConfigError {
  try {
    readGatewayConfig(settings, "/etc/fleetroot")
  } catch (error) {
    if (error instanceof GatewayConfigError) return error
    throw error
  }
  throw new Error("it was taken")
}

describe("readGatewayConfig", () => {
  it("needs little, and gives safe defaults", () => {
    expect(readGatewayConfig(LEAST, "/etc/fleetroot")).toEqual({
      deployment: "/etc/fleetroot/net.json",
      rpc: [],
      quorum: undefined,
      proof: false,
      pollSeconds: 1,
      timeoutSeconds: 10,
      state: "/etc/fleetroot/gw",
      listen: undefined,
      tls: undefined,
      publicUrl: undefined,
      database: undefined,
      issuers: [],
      manifests: [],
      limits: {},
      trustedProxies: [],
      logLevel: "info",
      maxAgeSeconds: 120,
      ocsp: {},
      crl: {},
      est: { devices: {}, shared: {}, label: {} },
      sequencer: {},
      account: undefined,
    })
  })

  it("reads where manifests are", () => {
    const read = (manifests: unknown): unknown => readGatewayConfig({ ...LEAST, manifests }, "/etc/fleetroot").manifests
    expect(read(["batches", "https://mirror.example/b"])).toEqual([
      "/etc/fleetroot/batches",
      "https://mirror.example/b",
    ])
    expect(read("one.manifest")).toEqual(["/etc/fleetroot/one.manifest"])
    expect(refusal({ ...LEAST, manifests: [7] }).field).toBe("manifests")
  })

  it("reads where a mosquitto broker is, strictly", () => {
    const dynamicSecurity = { url: "mqtts://broker:8883", username: "gateway", passwordFile: "pw" }
    const mosquitto = { crlFile: "crl.pem", pidFile: "/run/m.pid", certificates: "certs", dynamicSecurity }
    const all = { ...LEAST, issuers: [ISSUER], mosquitto }
    expect(readGatewayConfig(all, "/etc/fleetroot").mosquitto).toEqual({
      crlFile: "/etc/fleetroot/crl.pem",
      pidFile: "/run/m.pid",
      certificates: ["/etc/fleetroot/certs"],
      dynamicSecurity: { ...dynamicSecurity, passwordFile: "/etc/fleetroot/pw" },
    })
    const refused = (change: object): string => refusal({ ...all, mosquitto: { ...mosquitto, ...change } }).field
    expect(refused({ crlFile: undefined })).toBe("mosquitto.crlFile")
    expect(refused({ certificates: undefined })).toBe("mosquitto.certificates")
    expect(refused({ dynamicSecurity: undefined })).toBe("mosquitto.certificates")
    expect(refused({ other: 1 })).toBe("mosquitto.other")
    const broker = (change: object): string => refused({ dynamicSecurity: { ...dynamicSecurity, ...change } })
    expect(broker({ url: undefined })).toBe("mosquitto.dynamicSecurity.url")
    expect(broker({ url: "http://broker" })).toBe("mosquitto.dynamicSecurity.url")
    expect(broker({ url: "mqtt://name:secret@broker" })).toBe("mosquitto.dynamicSecurity.url")
    expect(broker({ certificate: "c.pem" })).toBe("mosquitto.dynamicSecurity.key")
    expect(refusal({ ...all, issuers: [] }).field).toBe("mosquitto")
  })

  it("reads all of it, with paths from the file's folder", () => {
    const config = readGatewayConfig(
      {
        ...LEAST,
        rpc: ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"],
        quorum: 2,
        listen: "[::1]:8080",
        tlsListen: "gateway.example:8443",
        tlsCertificate: "tls.pem",
        tlsKey: "/secret/tls.key",
        publicUrl: "http://pki.example/",
        database: "postgres://u:p@db.example/fleet",
        issuers: [
          ISSUER,
          {
            certificate: "b.pem",
            key: { module: "lib.so", pinFile: "pin", tokenLabel: "t", keyLabel: "k" },
            label: "line-b",
            manufacturer: 3,
            responderCertificate: "r.pem",
            responderKey: "r.key",
          },
        ],
        limits: { inFlight: 10, clientRequestsPerSecond: 0 },
        crl: { folder: "www" },
        est: {
          manufacturers: [3, 4],
          purposes: "1.3.6.1.5.5.7.3.2",
          holdMs: 0,
          receipts: "receipts",
          manifests: ["a.manifest", "https://mirror.example/b"],
        },
        sequencer: { finality: "finalized" },
        account: { keystore: "k.json", passphraseFile: "k.pass" },
      },
      "/etc/fleetroot",
    )
    expect(config).toMatchObject({
      listen: { host: "::1", port: 8080 },
      tls: { host: "gateway.example", port: 8443, certificate: "/etc/fleetroot/tls.pem", key: "/secret/tls.key" },
      publicUrl: "http://pki.example",
      issuers: [
        {
          certificate: "/etc/fleetroot/ca.pem",
          key: { kind: "file", path: "/etc/fleetroot/ca.key" },
          label: undefined,
        },
        {
          key: { kind: "pkcs11", module: "/etc/fleetroot/lib.so", pinFile: "/etc/fleetroot/pin", keyLabel: "k" },
          responder: { certificate: "/etc/fleetroot/r.pem", key: { kind: "file", path: "/etc/fleetroot/r.key" } },
        },
      ],
      limits: { inFlight: 10, clientRequestsPerSecond: 0 },
      crl: { folder: "/etc/fleetroot/www" },
      est: {
        devices: {
          receipts: "/etc/fleetroot/receipts",
          manifests: ["/etc/fleetroot/a.manifest", "https://mirror.example/b"],
        },
        shared: { holdMs: 0 },
        label: { manufacturers: [3, 4], purposes: ["1.3.6.1.5.5.7.3.2"] },
      },
      account: { keystore: "/etc/fleetroot/k.json" },
    })
  })

  it.each([
    ["no object", [], "file"],
    ["nothing", null, "file"],
    ["no deployment", { state: "gw" }, "deployment"],
    ["an unknown setting", { ...LEAST, listenn: "x" }, "listenn"],
    ["an unknown setting in a part", { ...LEAST, ocsp: { lifetime: 5 } }, "ocsp.lifetime"],
    ["an unknown setting of an issuer", { ...LEAST, issuers: [{ ...ISSUER, keys: "x" }] }, "issuers[0].keys"],
    ["an unknown limit", { ...LEAST, limits: { memory: 5 } }, "limits.memory"],
    ["an inherited name", { ...LEAST, logLevel: "toString" }, "logLevel"],
    ["a text for a number", { ...LEAST, pollSeconds: "1" }, "pollSeconds"],
    ["a fraction for a count", { ...LEAST, maxAgeSeconds: 1.5 }, "maxAgeSeconds"],
    ["a limit of zero", { ...LEAST, limits: { inFlight: 0 } }, "limits.inFlight"],
    ["an address without a port", { ...LEAST, listen: "127.0.0.1" }, "listen"],
    ["a port beyond 65535", { ...LEAST, listen: "127.0.0.1:65536" }, "listen"],
    ["TLS without a key", { ...LEAST, tlsListen: "127.0.0.1:1", tlsCertificate: "a" }, "tlsKey"],
    ["a TLS key without an address", { ...LEAST, tlsKey: "a" }, "tlsListen"],
    ["an address of a node that is none", { ...LEAST, rpc: ["ws://x"] }, "rpc"],
    ["a node twice", { ...LEAST, rpc: ["http://x.example", "http://x.example"] }, "rpc"],
    ["a quorum of more nodes than there are", { ...LEAST, rpc: ["http://x.example"], quorum: 2 }, "quorum"],
    ["an issuer that cannot sign anything", { ...LEAST, issuers: [{ certificate: "a" }] }, "issuers[0].key"],
    ["half a responder", { ...LEAST, issuers: [{ ...ISSUER, responderKey: "a" }] }, "issuers[0].responderCertificate"],
    ["two issuers of one label", { ...LEAST, issuers: [ISSUER, ISSUER] }, "issuers[1].label"],
    ["a label that is EST's", { ...LEAST, issuers: [{ ...ISSUER, label: "cacerts" }] }, "issuers[0].label"],
    ["a label that EST does not take", { ...LEAST, issuers: [{ ...ISSUER, label: "line.b" }] }, "issuers[0].label"],
    ["a label with a slash", { ...LEAST, issuers: [{ ...ISSUER, label: "a/b" }] }, "issuers[0].label"],
    ["a public address with a query", { ...LEAST, publicUrl: "http://x.example/?a" }, "publicUrl"],
    ["another database", { ...LEAST, database: "mysql://u:hidden@h/d" }, "database"],
    ["half an account", { ...LEAST, account: { keystore: "hidden" } }, "account.passphraseFile"],
    ["a manufacturer that is none", { ...LEAST, est: { manufacturers: [0] } }, "est.manufacturers"],
  ])("refuses %s, naming it and no secret", (_what, settings, field) => {
    const error = refusal(settings)
    expect(error.field).toBe(field)
    expect(error.message).toContain(field)
    expect(error.message).not.toContain("hidden")
  })
})

describe("readSettingsFile", () => {
  it("refuses what is no JSON object, quoting none of it", async () => {
    const cases = { broken: '{"database": "hidden', list: "[]", text: '"hidden"' }
    for (const [name, text] of Object.entries(cases)) {
      writeFileSync(join(folder, name), text)
      const error = await readSettingsFile(join(folder, name)).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(GatewayConfigError)
      expect((error as Error).message).not.toContain("hidden")
    }
    await expect(readSettingsFile(join(folder, "nowhere"))).rejects.toThrow(/ENOENT/)
    await expect(readSettingsFile(folder)).rejects.toThrow(/EISDIR/)
  })
})

describe("openReplica", () => {
  const config = (more: object = {}): Parameters<typeof openReplica>[0] =>
    readGatewayConfig({ deployment: "net.json", state: "state", rpc: "http://127.0.0.1:1", ...more }, folder)

  it("puts a damaged replica aside, says so, and begins anew", async () => {
    writeFileSync(join(folder, "net.json"), formatDeployment(DEPLOYMENT))
    const logged: string[] = []
    const log = pino({}, { write: (line: string) => void logged.push(line) })
    const first = await openReplica(config(), log)
    await first.replica.close()
    const path = join(folder, "state", `replica-${deploymentName(DEPLOYMENT)}.sqlite`)
    writeFileSync(path, "this is no database any more, and was overwritten by something else".repeat(100))

    const second = await openReplica(config(), log)

    expect(second.replica.status.block).toBeUndefined()
    await second.replica.close()
    expect(logged.join("")).toContain("put aside")
    expect(readdirSync(join(folder, "state")).some((name) => name.endsWith(".damaged"))).toBe(true)
  })

  it("says when there is no deployment file, or no node to ask", async () => {
    const silent = pino({ level: "silent" })
    await expect(openReplica(config({ deployment: "nowhere.json" }), silent)).rejects.toMatchObject({
      field: "deployment",
    })
    await expect(openReplica({ ...config(), rpc: [] }, silent)).rejects.toMatchObject({ field: "rpc" })
  })
})
