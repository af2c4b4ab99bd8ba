import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { readGatewayConfig } from "../../gateway/config.ts"
import { GatewayConfigError } from "../../gateway/errors/gateway.ts"

const LEAST = { deployment: "net.json", state: "gw" }
const UNKNOWN = { nobodyKnowsThis: 1 }
const ISSUER = { certificate: "ca.pem", key: "ca.key" }
const TOKEN = { module: "lib.so", pinFile: "pin" }
const BROKER = { crlFile: "crl.pem", certificates: "certs" }

/** Each part of the settings with something in it that is no setting, by the row of the table that tells of it. */
const PARTS: readonly (readonly [row: string, settings: object])[] = [
  ["", UNKNOWN],
  ["issuers[]", { issuers: [{ ...ISSUER, ...UNKNOWN }] }],
  ["issuers[]", { issuers: [{ ...ISSUER, key: { ...TOKEN, ...UNKNOWN } }] }],
  ["ocsp", { ocsp: UNKNOWN }],
  ["crl", { crl: UNKNOWN }],
  ["mosquitto", { mosquitto: { crlFile: "crl.pem", ...UNKNOWN } }],
  ["mosquitto", { mosquitto: { ...BROKER, dynamicSecurity: { url: "mqtt://127.0.0.1:1", ...UNKNOWN } } }],
  ["est", { est: UNKNOWN }],
  ["sequencer", { sequencer: UNKNOWN }],
  ["account", { account: { keystore: "k", passphraseFile: "p", ...UNKNOWN } }],
  ["limits", { limits: UNKNOWN }],
]

/** The settings that a part knows, as the refusal of another one names them. */
function knownIn(part: object): string[] {
  try {
    readGatewayConfig({ ...LEAST, ...part }, "/etc/fleetroot")
  } catch (error) {
    if (!(error instanceof GatewayConfigError)) throw error
    const [, list = ""] = /\(known: ([^)]*)\)/.exec(error.message) ?? []
    return list.split(", ")
  }
  throw new Error("it was taken")
}

const page = readFileSync(new URL("../../docs/deployment.md", import.meta.url), "utf8")
const rows = page.split("\n").filter((line) => line.startsWith("| `"))

it.each(PARTS)("the table of settings names every setting of %j", (row, part) => {
  const known = knownIn(part)
  expect(known.length).toBeGreaterThan(1)
  const text =
    row === "" ? rows.map((line) => line.split("|")[1]).join() : rows.find((line) => line.startsWith(`| \`${row}\``))
  expect(
    known.filter((name) => text?.includes(`\`${name}\``) !== true && text?.includes(`\`${name}[]\``) !== true),
  ).toEqual([])
})
