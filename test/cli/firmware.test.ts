import { execFileSync } from "node:child_process"
import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { signerFromPkcs8 } from "../../client/index.ts"
import { writeMcuboot } from "../helpers/mcuboot.ts"
import { writeSuit } from "../helpers/suit.ts"
import { Cli, startTestnet } from "./cli.ts"
import { tempFolder } from "./tempFolder.ts"

type Check = { name: string; ok: boolean; detail: string }
type Verdict = { installable: boolean; checks: Check[]; release: Record<string, unknown> | null } & Record<
  string,
  unknown
>

const KEYS = ["installable", "format", "imageDigest", "keyId", "checks", "release", "block"]
const PRODUCT = ["--manufacturer", "2", "--product", "acme-9271"]

describe.each([
  ["for people", false],
  ["with --json", true],
] as const)("the walk with a firmware release, %s", (_name, json) => {
  const folder = tempFolder()
  let net: Awaited<ReturnType<typeof startTestnet>>
  let cli: Cli

  /** Runs a step as this round runs them. */
  async function step(
    ...commandLine: string[]
  ): Promise<{ code: number | null; answer: Record<string, unknown>; text: string }> {
    if (!json) {
      const { code, stdout, stderr } = await cli.run(...commandLine)
      expect(stderr).toBe("")
      return { code, answer: {}, text: stdout }
    }
    const { code, answer } = await cli.json(...commandLine)
    return { code, answer, text: JSON.stringify(answer) }
  }

  /** The exit code of a verification, and the checks that fail. */
  async function verify(...commandLine: string[]): Promise<[number | null, ...string[]]> {
    const { code, answer, text } = await step("firmware", "verify", ...commandLine)
    if (!json) return [code, ...[...text.matchAll(/✗ (\w+):/g)].map(([, name]) => name as string)]
    const { checks, installable } = answer as Verdict
    expect(Object.keys(answer)).toEqual(expect.arrayContaining(KEYS))
    expect(installable).toBe(code === 0)
    return [code, ...checks.filter(({ ok }) => !ok).map(({ name }) => name)]
  }

  beforeAll(async () => {
    for (const name of ["key-a", "key-b"]) {
      makeKey(folder.path, name)
    }
    const signer = await signerFromPkcs8(readFileSync(`${folder.path}/key-a.pem`, "utf8"))
    const payload = new Uint8Array(5_000).fill(0x61)
    const write = (name: string, bytes: Uint8Array) => writeFileSync(`${folder.path}/${name}`, bytes)
    write("app-v1.3.9.bin", await writeMcuboot({ signer, payload, securityCounter: 6, version: [1, 3, 9, 6] }))
    write("app-v1.4.0.bin", await writeMcuboot({ signer, payload, securityCounter: 7, version: [1, 4, 0, 7] }))
    write("app-v1.5.0.bin", await writeMcuboot({ signer, payload, securityCounter: 8, version: [1, 5, 0, 8] }))
    write("app.bin", payload)
    execFileSync("openssl", ["dgst", "-sha256", "-sign", "key-a.pem", "-out", "app.bin.sig", "app.bin"], {
      cwd: folder.path,
    })
    write("suit.env", await writeSuit({ files: [payload], sequenceNumber: 9, signers: [signer] }))
    net = await startTestnet(new Cli(folder.path))
    cli = net.cli
    await cli.run("manufacturer", "add", "--name", "Bar Works")
  })
  afterAll(async () => {
    await net.stop()
    folder.remove()
  })

  it("adds the firmware keys", async () => {
    for (const name of ["key-a", "key-b"]) {
      const files = ["--pub", `${name}.pub.pem`, "--key", `${name}.pem`]
      expect((await step("key", "add", "--manufacturer", "2", ...files, "--purpose", "firmware")).code).toBe(0)
    }
  })

  it("prepares a release, lets two signers sign and publishes it", async () => {
    expect((await step("firmware", "threshold", "2", "--manufacturer", "2")).code).toBe(0)
    const image = ["--image", "app-v1.4.0.bin", "--security-version", "7", "--version", "1.4.0"]
    const prepared = await step("firmware", "prepare", ...PRODUCT, ...image, "--out", "release.json")
    expect(prepared.code).toBe(0)
    expect(prepared.text).toContain("acme-9271")
    expect((await step("firmware", "sign", "release.json", "--key", "key-a.pem")).code).toBe(0)
    expect((await cli.run("firmware", "publish", "release.json")).code).toBe(1)
    expect(
      (await step("firmware", "sign", "release.json", "--key", "key-b.pem", "--image", "app-v1.4.0.bin")).code,
    ).toBe(0)
    expect((await step("firmware", "publish", "release.json")).code).toBe(0)
    // Once more is as once.
    expect((await step("firmware", "publish", "release.json")).code).toBe(0)
  })

  it("verifies it, refuses a roll-back by name, and anything changed", async () => {
    expect(await verify("app-v1.4.0.bin", ...PRODUCT, "--installed", "6")).toEqual([0])
    expect(await verify("app-v1.4.0.bin", ...PRODUCT, "--installed", "8")).toEqual([1, "rollback"])
    expect(await verify("app-v1.5.0.bin", ...PRODUCT)).toEqual([1, "published"])
    expect(await verify("app-v1.4.0.bin", "--manufacturer", "2", "--product", "other")).toEqual([1, "published"])
    const bytes = readFileSync(`${folder.path}/app-v1.4.0.bin`)
    bytes[1_000] = (bytes[1_000] ?? 0) ^ 1
    writeFileSync(`${folder.path}/changed.bin`, bytes)
    expect(await verify("changed.bin", ...PRODUCT)).toEqual([1, "imageDigest"])
  })

  it("verifies a detached signature without a release, and says so", async () => {
    const ask = ["app.bin", "--signature", "app.bin.sig", ...PRODUCT]
    expect(await verify(...ask, "--unpublished")).toEqual([0])
    expect(await verify(...ask)).toEqual([1, "published"])
    const { stdout } = await cli.run("firmware", "verify", ...ask, "--unpublished")
    expect(stdout).toContain("although it is not released")
    copyFileSync(`${folder.path}/app-v1.4.0.bin`, `${folder.path}/other.bin`)
    expect(await verify("other.bin", "--signature", "app.bin.sig", ...PRODUCT, "--unpublished")).toEqual([
      1,
      "signature",
    ])
  })

  it("recalls it, for ever", async () => {
    const recall = ["firmware", "recall", ...PRODUCT, "--security-version", "7", "--reason", "bricks radio"]
    expect((await step(...recall)).code).toBe(0)
    expect(await verify("app-v1.4.0.bin", ...PRODUCT, "--installed", "6")).toEqual([1, "recall"])
    expect((await step(...recall)).code).toBe(0)
    const listed = await step("firmware", "list", "--manufacturer", "2", "--product", "acme-9271")
    expect(listed.text).toContain(json ? '"recalledAt":"' : "recalled")
  })

  it("releases a SUIT manifest with its file, and raises the minimum to it", async () => {
    const parts = ["--image", "app.bin", "--manifest", "suit.env"]
    await step("firmware", "prepare", ...PRODUCT, ...parts, "--version", "1.5.0", "--out", "suit.json")
    for (const name of ["key-a", "key-b"]) await step("firmware", "sign", "suit.json", "--key", `${name}.pem`)
    expect((await step("firmware", "publish", "suit.json")).code).toBe(0)
    expect(await verify("app.bin", "--manifest", "suit.env", ...PRODUCT)).toEqual([0])
    expect((await step("firmware", "minimum", "9", ...PRODUCT)).code).toBe(0)
    expect((await step("firmware", "minimum", ...PRODUCT)).text).toContain("9")
    expect(await verify("app-v1.5.0.bin", ...PRODUCT, "--unpublished")).toEqual([1, "minimum"])
  })

  // What is wrong is said in one way only, so one round is enough.
  if (json) {
    describe("bad input", () => {
      it.each<[string, string[], number]>([
        ["a missing image", ["verify", "nowhere.bin", ...PRODUCT], 2],
        ["no product", ["verify", "app.bin", "--manufacturer", "2"], 2],
        ["half an installed version", ["verify", "app.bin", ...PRODUCT, "--installed", "1.5"], 2],
        ["two files and a signature", ["verify", "app.bin", "other.bin", "--signature", "app.bin.sig", ...PRODUCT], 2],
        ["a release file that is none", ["publish", "app.bin.sig"], 2],
        ["a version with a line break", prepare("--version", "1\n2"), 2],
        ["a URI with a control character", prepare("--version", "1", "--uri", "https://a/\u0007"), 2],
        ["another security version than the image's", prepare("--version", "1", "--security-version", "4"), 2],
        [
          "an image that is none",
          ["prepare", ...PRODUCT, "--image", "cut.bin", "--version", "1", "--out", "x.json"],
          1,
        ],
        ["a recall of nothing", ["recall", ...PRODUCT, "--security-version", "99", "--reason", "x"], 1],
        ["a minimum above the latest", ["minimum", "99", ...PRODUCT], 1],
        ["a signature for another image", ["sign", "suit.json", "--key", "key-a.pem", "--image", "app-v1.5.0.bin"], 1],
        ["two keys to sign with", ["sign", "suit.json", "--key", "key-a.pem", "--pkcs11-module", "/x.so"], 2],
      ])("names what is wrong with %s", async (_what, commandLine, expected) => {
        writeFileSync(`${folder.path}/cut.bin`, readFileSync(`${folder.path}/app-v1.4.0.bin`).subarray(0, 100))
        const { code, answer } = await cli.json("firmware", ...commandLine)
        expect([code, typeof answer["code"]]).toEqual([expected, "string"])
        expect(answer["code"]).not.toBe("UNEXPECTED")
      })
    })
  }
})

function prepare(...more: string[]): string[] {
  return ["prepare", ...PRODUCT, "--image", "app-v1.5.0.bin", ...more, "--out", "x.json"]
}

function makeKey(cwd: string, name: string): void {
  execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.pem`], { cwd })
  execFileSync("openssl", ["pkey", "-in", `${name}.pem`, "-pubout", "-out", `${name}.pub.pem`], { cwd })
  execFileSync("chmod", ["600", `${name}.pem`], { cwd })
}
