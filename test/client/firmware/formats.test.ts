import { readFileSync } from "node:fs"
import { p256 } from "@noble/curves/nist.js"
import { describe, expect, it } from "vitest"
import {
  formatReleaseFile,
  fromHex,
  isSignedBy,
  parseReleaseFile,
  productId,
  releaseStatement,
  sha256,
  toHex,
} from "../../../client/index.ts"
import { inspect, vector } from "./inspect.ts"

const page = readFileSync(new URL("../../../docs/formats.md", import.meta.url), "utf8")

/** The text of an example on the page. */
function example(name: string): string {
  const [, behind = "", ...more] = page.split(`<!-- example: ${name} -->`)
  const found = /^\s*```\w+\n(.*?)\n```/s.exec(behind)?.[1]
  if (found === undefined || more.length > 0) throw new Error(`there should be one example ${name}`)
  return found
}

/** Its bytes: everything but remarks and white space is hex. */
function bytesOf(name: string): Uint8Array {
  const digits = example(name)
    .split("\n")
    .map((line) => line.split(";")[0])
    .join("")
  return fromHex(`0x${digits.replaceAll(/\s/g, "")}`)
}

/** RFC 6979, A.2.5. */
const PRIVATE_KEY = fromHex("0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")

describe("docs/formats.md about firmware", () => {
  const file = parseReleaseFile(example("release-file"))

  it("shows a release file that is written the same again", () => {
    expect(formatReleaseFile(file)).toBe(`${example("release-file")}\n`)
  })

  it("shows the release of a vector", async () => {
    const { imageDigest, securityVersion } = await inspect(vector("mcuboot/p256-a-v1.4.0.bin"))
    expect(file).toMatchObject({
      imageDigest,
      securityVersion,
      manufacturerId: 2,
      product: productId("acme-9271"),
      version: "1.4.0",
      uri: "https://updates.example/app-v1.4.0.bin",
      registry: "0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9",
    })
  })

  it("shows its statement and signature", () => {
    const statement = releaseStatement(file)
    expect(toHex(statement)).toBe(toHex(bytesOf("release")))
    const signature = p256.sign(sha256(statement), PRIVATE_KEY, { prehash: false, lowS: true })
    expect(toHex(signature)).toBe(toHex(bytesOf("release-signature")))
    const [one] = file.signatures
    expect(one).toEqual({
      keyId: toHex(bytesOf("issuer-key-id")),
      r: toHex(signature.slice(0, 32)),
      s: toHex(signature.slice(32)),
    })
    expect(one !== undefined && isSignedBy(file, one, bytesOf("issuer-spki"))).toBe(true)
  })
})
