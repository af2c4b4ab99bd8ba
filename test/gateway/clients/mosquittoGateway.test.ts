import { chmodSync, mkdirSync, readFileSync, renameSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import { connect } from "mqtt"
import type { MqttClient } from "mqtt"
import { pino } from "pino"
import { afterAll, beforeAll, expect, it } from "vitest"
import { encodePem, formatDeployment } from "../../../client/index.ts"
import { readGatewayConfig, startGateway } from "../../../gateway/index.ts"
import type { Gateway } from "../../../gateway/index.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { LiveFactory } from "../liveFactory.ts"
import { isOpen } from "./isOpen.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run, Running, until } from "./programs.ts"

const PLUGIN = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/mosquitto_dynamic_security.so`
const PASSWORD = "only-for-this-test"

let factory: LiveFactory
let files: KeyFiles
let mosquitto: Running
let gateway: Gateway
let port: number
let configuration: string
const clients: MqttClient[] = []
const logged: string[] = []

beforeAll(async () => {
  const net = await anvilLedger()
  factory = await LiveFactory.make(["server", "first", "second"], net)
  files = new KeyFiles(factory)
  const at = (name: string): string => files.at(name)
  mkdirSync(at("certs"))
  for (const { name, certificate, key } of factory.devices) {
    await files.pair(name, certificate, key)
    files.write(`certs/${name}.pem`, encodePem("CERTIFICATE", certificate.der))
  }
  files.write("certs/readme.txt", "No certificate.")
  files.write("ca.key", encodePem("PRIVATE KEY", await caKey()))
  files.write("net.json", formatDeployment(factory.net.deployment))
  chmodSync(files.write("password", PASSWORD), 0o600)
  port = await freePort()
  const adminPort = await freePort()
  await run("mosquitto_ctrl", ["dynsec", "init", at("dynsec.json"), "admin", PASSWORD])
  configuration = files.write(
    "mosquitto.conf",
    `per_listener_settings false
user root
pid_file ${at("mosquitto.pid")}
allow_anonymous false
plugin ${PLUGIN}
plugin_opt_config_file ${at("dynsec.json")}
listener ${adminPort} 127.0.0.1
listener ${port} 127.0.0.1
cafile ${at("ca.pem")}
certfile ${at("server.pem")}
keyfile ${at("server.key")}
crlfile ${at("crl.pem")}
require_certificate true
use_identity_as_username true
`,
  )
  const settings = {
    deployment: "net.json",
    rpc: net.url,
    state: "gw",
    listen: "127.0.0.1:0",
    pollSeconds: 0.1,
    // The ledger of this test makes blocks only for its transactions.
    maxAgeSeconds: 1_000,
    issuers: [{ certificate: "ca.pem", key: "ca.key" }],
    mosquitto: {
      crlFile: "crl.pem",
      pidFile: "mosquitto.pid",
      certificates: "certs",
      dynamicSecurity: { url: `mqtt://127.0.0.1:${adminPort}`, username: "admin", passwordFile: "password" },
    },
  }
  const log = pino({ level: "warn" }, { write: (line) => void logged.push(line) })
  gateway = await startGateway(readGatewayConfig(settings, files.folder), { log })
})

afterAll(async () => {
  for (const client of clients) await client.endAsync(true)
  await gateway?.close(0)
  await mosquitto?.stop()
  await factory?.close()
  files?.remove()
})

async function caKey(): Promise<Uint8Array> {
  const { signer } = factory.issuer
  if (signer === undefined || !("exportPkcs8" in signer)) throw new Error("the CA's key is made for the test")
  return (signer as typeof signer & { exportPkcs8(): Promise<Uint8Array> }).exportPkcs8()
}

async function fault(): Promise<string | undefined> {
  const text = await (await fetch(`${gateway.plainUrl}/metrics`)).text()
  return /^fleetroot_mosquitto_fault (\d)$/m.exec(text)?.[1]
}

/** A device at the broker: whether it got in, and when it was cut off. */
async function enter(name: string): Promise<{ client: MqttClient; inside: boolean; cut: Promise<number> }> {
  const client = connect({
    protocol: "mqtts",
    host: "127.0.0.1",
    port,
    ca: readFileSync(files.at("ca.pem")),
    cert: readFileSync(files.at(`${name}.pem`)),
    key: readFileSync(files.at(`${name}.key`)),
    // The server's certificate names no host; whose it is, is not what is tested.
    rejectUnauthorized: false,
    reconnectPeriod: 0,
    connectTimeout: 20_000,
  })
  clients.push(client)
  client.on("error", () => undefined)
  const { promise: cut, resolve } = Promise.withResolvers<number>()
  client.once("close", () => {
    resolve(Date.now())
  })
  const { promise: connected, resolve: enterNow } = Promise.withResolvers<boolean>()
  client.once("connect", () => {
    enterNow(true)
  })
  const inside = await Promise.race([connected, cut.then(() => false)])
  return { client, inside, cut }
}

it("answers while its broker is away, and says so", async () => {
  expect(await until(fault, (value) => value === "1")).toBe("1")
  const written = async (): Promise<boolean> => logged.some((line) => line.includes("MosquittoReloadError"))
  expect(await until(written, Boolean)).toBe(true)
  const ready = async (): Promise<number> => (await fetch(`${gateway.plainUrl}/readyz`)).status
  expect(await until(ready, (status) => status === 200)).toBe(200)
  expect((await fetch(`${gateway.plainUrl}/crl/${factory.issuer.keyId.slice(2)}.crl`)).status).toBe(200)
  expect(readFileSync(files.at("crl.pem"), "utf8")).toContain("BEGIN X509 CRL")
})

it("finds the broker when it comes, and cuts off a connected device that is revoked", async () => {
  mosquitto = new Running("mosquitto", ["-c", configuration])
  await until(() => isOpen(port), Boolean)
  const words = ["-h", "127.0.0.1", "-p", new URL(brokerUrl()).port, "-u", "admin", "-P", PASSWORD, "dynsec"]
  for (const name of ["first", "second"]) {
    const made = await run("mosquitto_ctrl", words, ["createClient", name, "-p", "unused"])
    expect(made.code).toBe(0)
  }
  expect(await until(fault, (value) => value === "0")).toBe("0")
  const [first, second] = [await enter("first"), await enter("second")]
  expect([first.inside, second.inside]).toEqual([true, true])

  await factory.maker.revokePlaces(factory.series, [1], 1)
  const revokedAt = Date.now()
  const cutAt = await Promise.race([first.cut, setTimeout(60_000, Infinity)])
  expect(cutAt - revokedAt).toBeLessThan(30_000)
  expect((await enter("first")).inside).toBe(false)
  expect(second.client.connected).toBe(true)
})

it("tells a wrong password from a broker that listens", async () => {
  renameSync(files.at("password"), files.at("right"))
  chmodSync(files.write("password", "wrong"), 0o600)
  await factory.maker.revokePlaces(factory.series, [2], 1)
  const told = async (): Promise<boolean> => logged.some((line) => line.includes("MosquittoUnreachableError"))
  expect(await until(told, Boolean)).toBe(true)
  expect(await fault()).toBe("1")
  renameSync(files.at("right"), files.at("password"))
  expect(await until(fault, (value) => value === "0")).toBe("0")
  expect((await enter("second")).inside).toBe(false)
})

function brokerUrl(): string {
  const [, adminPort] = /^listener (\d+) 127/m.exec(readFileSync(configuration, "utf8")) ?? []
  return `mqtt://127.0.0.1:${adminPort}`
}
