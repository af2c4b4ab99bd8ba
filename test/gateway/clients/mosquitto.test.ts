import { setTimeout } from "node:timers/promises"
import { readFileSync } from "node:fs"
import { connect } from "mqtt"
import type { MqttClient } from "mqtt"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { CrlBook } from "../../../gateway/crl/index.ts"
import { hangUp, MosquittoBridge } from "../../../gateway/mqtt/mosquittoBridge.ts"
import { usernamesFromCertificates } from "../../../gateway/mqtt/usernames.ts"
import { LiveFactory } from "../liveFactory.ts"
import { isOpen } from "./isOpen.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run, Running, until } from "./programs.ts"

const PLUGIN = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/mosquitto_dynamic_security.so`
const PASSWORD = "only-for-this-test"

let factory: LiveFactory
let files: KeyFiles
let book: CrlBook
let mosquitto: Running
let port: number
let admin: MqttClient
let stopBridge: () => Promise<void>

beforeAll(async () => {
  factory = await LiveFactory.make(["server", "first", "second", "third"])
  files = new KeyFiles(factory)
  for (const { name, certificate, key } of factory.devices) await files.pair(name, certificate, key)
  // The ledger of this test makes blocks only for its transactions.
  const context = { replica: factory.replica, issuers: [factory.issuer], maxAgeSeconds: 1_000 }
  book = new CrlBook({ ...context, publicUrl: "http://gateway.example" })
  const bridge = new MosquittoBridge({
    replica: factory.replica,
    book,
    crlFile: files.at("crl.pem"),
    reload: () => {
      if (mosquitto !== undefined) hangUp(mosquitto.child.pid!)
    },
    publish: async (topic, payload) => {
      await admin?.publishAsync(topic, payload, { qos: 1 })
    },
    usernamesOf: usernamesFromCertificates(
      factory.devices.map(({ certificate }) => certificate),
      () => factory.issuer.keyId,
    ),
  })
  await bridge.refresh()

  port = await freePort()
  const adminPort = await freePort()
  const at = (name: string): string => files.at(name)
  await run("mosquitto_ctrl", ["dynsec", "init", at("dynsec.json"), "admin", PASSWORD])
  const configuration = files.write(
    "mosquitto.conf",
    `per_listener_settings false
user root
log_type all
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
  mosquitto = new Running("mosquitto", ["-c", configuration])
  await until(async () => (await isOpen(port)) && (await isOpen(adminPort)), Boolean)
  admin = connect({ host: "127.0.0.1", port: adminPort, username: "admin", password: PASSWORD })
  await connected(admin)
  const commands = factory.devices.map(({ name }) => ({ command: "createClient", username: name }))
  await admin.publishAsync("$CONTROL/dynamic-security/v1", JSON.stringify({ commands }), { qos: 1 })
  stopBridge = await bridge.start()
})

afterAll(async () => {
  await stopBridge?.()
  book?.close()
  await admin?.endAsync(true)
  await mosquitto?.stop()
  await factory?.close()
  files?.remove()
})

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    client.once("connect", () => {
      resolve()
    })
  })
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
  client.on("error", () => undefined)
  const cut = new Promise<number>((resolve) => {
    client.once("close", () => {
      resolve(Date.now())
    })
  })
  const inside = await Promise.race([connected(client).then(() => true), cut.then(() => false)])
  return { client, inside, cut }
}

async function mayEnter(name: string): Promise<boolean> {
  const { client, inside } = await enter(name)
  await client.endAsync(true)
  return inside
}

describe("mosquitto with the gateway's CRL", () => {
  it("lets good devices in", async () => {
    expect(await mayEnter("first")).toBe(true)
    expect(await mayEnter("second")).toBe(true)
  })

  it("cuts off a connected device within two seconds of its revocation, and does not let it in again", async () => {
    const device = await enter("first")
    const other = await enter("second")
    expect([device.inside, other.inside]).toEqual([true, true])
    await factory.maker.revokePlaces(factory.series, [1], 1)
    const revokedAt = Date.now()

    const cutAt = await Promise.race([device.cut, setTimeout(60_000, Infinity)])
    // Two seconds on an idle machine; the tests' may be several times slower.
    expect(cutAt - revokedAt).toBeLessThan(10_000)
    expect(await mayEnter("first")).toBe(false)
    expect(other.client.connected).toBe(true)
    await other.client.endAsync(true)
    await device.client.endAsync(true)
  })

  it("keeps a device on hold out until the hold ends", async () => {
    const subject = { subject: factory.devices[2]!.certificate.credentialHash, series: factory.series, index: 2 }
    await factory.maker.hold([subject])
    expect(
      await until(
        () => mayEnter("second"),
        (inside) => !inside,
      ),
    ).toBe(false)
    await factory.maker.unhold([subject])
    expect(await until(() => mayEnter("second"), Boolean)).toBe(true)
    expect(await mayEnter("third")).toBe(true)
  })
})
