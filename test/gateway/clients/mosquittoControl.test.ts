import { chmodSync } from "node:fs"
import { afterAll, beforeAll, expect, it } from "vitest"
import { encodePem, generateP256Key, buildCertificate } from "../../../client/index.ts"
import { dynamicSecurity } from "../../../gateway/mqtt/dynamicSecurity.ts"
import { FakeFactory } from "../fakeFactory.ts"
import { isOpen } from "./isOpen.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run, Running, until } from "./programs.ts"

const PLUGIN = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/mosquitto_dynamic_security.so`
const PASSWORD = "only-for-this-test"
const TOPIC = "$CONTROL/dynamic-security/v1"
let factory: FakeFactory
let files: KeyFiles
let mosquitto: Running
let url: string

beforeAll(async () => {
  factory = await FakeFactory.make(1)
  files = new KeyFiles(factory)
  const key = await generateP256Key()
  const der = await buildCertificate({
    subject: { commonName: "localhost" },
    issuer: factory.issuer.certificate,
    spki: key.spki,
    signer: factory.signer,
    serial: Uint8Array.of(7),
    notBefore: factory.now - 60,
    notAfter: factory.now + 86_400,
    // DNS:localhost.
    extensions: [
      { oid: "2.5.29.17", critical: false, value: new Uint8Array([0x30, 11, 0x82, 9, ...Buffer.from("localhost")]) },
    ],
  })
  files.write("server.pem", encodePem("CERTIFICATE", der))
  files.write("server.key", encodePem("PRIVATE KEY", await key.exportPkcs8()))
  chmodSync(files.write("password", PASSWORD), 0o600)
  await run("mosquitto_ctrl", ["dynsec", "init", files.at("dynsec.json"), "admin", PASSWORD])
  const port = await freePort()
  url = `mqtts://localhost:${port}`
  const configuration = files.write(
    "mosquitto.conf",
    `per_listener_settings false
user root
allow_anonymous false
plugin ${PLUGIN}
plugin_opt_config_file ${files.at("dynsec.json")}
listener ${port} 127.0.0.1
cafile ${files.at("ca.pem")}
certfile ${files.at("server.pem")}
keyfile ${files.at("server.key")}
`,
  )
  mosquitto = new Running("mosquitto", ["-c", configuration])
  await until(() => isOpen(port), Boolean)
})
afterAll(async () => {
  await mosquitto?.stop()
  files?.remove()
})

const send = (commands: unknown, more: { caFile?: string; username?: string } = {}): Promise<void> => {
  const shared = { url, username: "admin", passwordFile: files.at("password"), caFile: files.at("ca.pem") }
  return dynamicSecurity({ ...shared, ...more })(TOPIC, JSON.stringify({ commands }))
}

it("tells a broker over TLS whom to disable", async () => {
  await send([{ command: "createClient", username: "device" }])
  await send([{ command: "disableClient", username: "device" }])
  await send([{ command: "disableClient", username: "nobody" }])
})

it("says what the plugin did not do", async () => {
  const refused = send([{ command: "createClient", username: "device" }])
  await expect(refused).rejects.toMatchObject({ code: "MOSQUITTO_REFUSED", message: expect.stringContaining("exists") })
  await expect(send([{ command: "noSuchCommand" }])).rejects.toMatchObject({ code: "MOSQUITTO_REFUSED" })
})

it("does not talk to a broker whose certificate a stranger signed", async () => {
  const other = await FakeFactory.make(1, factory.now, "Other CA")
  const caFile = files.write("other.pem", encodePem("CERTIFICATE", other.issuer.certificate.der))
  const command = [{ command: "disableClient", username: "device" }]
  await expect(send(command, { caFile })).rejects.toMatchObject({ code: "MOSQUITTO_UNREACHABLE" })
})
