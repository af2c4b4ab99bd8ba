import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { ecdsaRawToDer } from "../../../client/crypto/ecdsa.ts"
import { isSignedBy, keyIdOf, signRelease } from "../../../client/index.ts"
import type { ReleaseDraft } from "../../../client/index.ts"
import { openPkcs11Signer } from "../../../client/node/index.ts"

const MODULE = "/usr/lib/softhsm/libsofthsm2.so"
const ADDON = new URL("../../../node_modules/pkcs11js/build/Release/pkcs11.node", import.meta.url)
// CI installs SoftHSM and builds the package; there, a missing token is a fault and not a reason to look away.
const wanted = process.env["CI"] === "true" || (existsSync(MODULE) && existsSync(ADDON))

const DRAFT: ReleaseDraft = {
  chainId: 31_337,
  registry: `0x${"12".repeat(20)}`,
  manufacturerId: 2,
  product: `0x${"ab".repeat(32)}`,
  securityVersion: 7,
  imageDigest: `0x${"cd".repeat(32)}`,
  manifestDigest: undefined,
  version: "1.4.0",
  uri: "",
  signatures: [],
}

describe.runIf(wanted)("a key in SoftHSM", () => {
  const folder = mkdtempSync(join(tmpdir(), "fleetroot-softhsm-"))
  const before = process.env["SOFTHSM2_CONF"]

  beforeAll(() => {
    mkdirSync(join(folder, "tokens"))
    writeFileSync(join(folder, "softhsm2.conf"), `directories.tokendir = ${folder}/tokens\nlog.level = ERROR\n`)
    process.env["SOFTHSM2_CONF"] = join(folder, "softhsm2.conf")
    for (const label of ["maker", "empty", "crowded"]) {
      run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "5678")
    }
    importKey("maker", "firmware-a", "01", "EC", "P-256")
    importKey("maker", "p384", "02", "EC", "P-384")
    importKey("maker", "rsa", "03", "RSA")
    importKey("crowded", "twin", "01", "EC", "P-256")
    importKey("crowded", "twin", "02", "EC", "P-256")
  })
  afterAll(() => {
    if (before === undefined) delete process.env["SOFTHSM2_CONF"]
    else process.env["SOFTHSM2_CONF"] = before
    rmSync(folder, { recursive: true, force: true })
  })

  const open = (keyLabel: string, tokenLabel = "maker", pin = "1234") =>
    openPkcs11Signer({ module: MODULE, pin, tokenLabel, keyLabel })

  it("signs a release that verifies by its public half, and never leaves the token", async () => {
    const token = await open("firmware-a")
    try {
      const spki = publicKeyOf("firmware-a")
      expect(Buffer.from(token.signer.spki).equals(Buffer.from(spki))).toBe(true)
      expect([token.signer.algorithm, token.signer.keyId]).toEqual(["p256", keyIdOf(spki)])
      const signed = await signRelease(DRAFT, token.signer)
      const [signature] = signed.signatures
      expect(signature !== undefined && isSignedBy(DRAFT, signature, spki)).toBe(true)
    } finally {
      token.close()
    }
  })

  it("signs many times with low and high s, all of them good", async () => {
    const token = await open("firmware-a")
    try {
      for (let i = 0; i < 50; i++) {
        const message = Uint8Array.of(i)
        const signature = ecdsaRawToDer(await token.signer.sign(message))
        const { spki } = token.signer
        expect(await defaultCrypto().verify({ algorithm: "ecdsa-p256-sha256", spki, message, signature })).toBe(true)
      }
    } finally {
      token.close()
    }
  })

  it("may be open twice, and the one goes on when the other is closed", async () => {
    const [first, second] = [await open("firmware-a"), await open("rsa")]
    first.close()
    first.close()
    const third = await open("firmware-a")
    expect((await second.signer.sign(Uint8Array.of(1))).length).toBe(256)
    expect((await third.signer.sign(Uint8Array.of(1))).length).toBe(64)
    second.close()
    third.close()
  })

  it.each([
    ["p384", "ecdsa-p384-sha384"],
    ["rsa", "rsa-pkcs1-sha256"],
  ] as const)("signs with %s, as issuer keys do", async (label, algorithm) => {
    const token = await open(label)
    try {
      const { spki, algorithm: kind } = token.signer
      const message = new TextEncoder().encode("to be signed")
      const raw = await token.signer.sign(message)
      const signature = kind === "rsa" ? raw : ecdsaRawToDer(raw)
      expect(Buffer.from(spki).equals(Buffer.from(publicKeyOf(label)))).toBe(true)
      expect(await defaultCrypto().verify({ algorithm, spki, message, signature })).toBe(true)
    } finally {
      token.close()
    }
  })

  it.each([
    ["a wrong PIN", () => open("firmware-a", "maker", "9999"), "PKCS11_PIN"],
    ["a PIN that is too short", () => open("firmware-a", "maker", "1"), "PKCS11_PIN"],
    ["a token that is not there", () => open("firmware-a", "nobody"), "PKCS11_TOKEN"],
    [
      "no label, where there are several tokens",
      () => openPkcs11Signer({ module: MODULE, pin: "1234" }),
      "PKCS11_TOKEN",
    ],
    ["a key that is not there", () => open("nothing"), "PKCS11_KEY"],
    ["two keys of one label", () => open("twin", "crowded"), "PKCS11_KEY"],
    ["no keys", () => openPkcs11Signer({ module: MODULE, pin: "1234", tokenLabel: "empty" }), "PKCS11_KEY"],
    ["a library that is none", () => openPkcs11Signer({ module: "/etc/hostname", pin: "1234" }), "PKCS11_MODULE"],
    ["no library", () => openPkcs11Signer({ module: "/nowhere.so", pin: "1234" }), "PKCS11_MODULE"],
  ])("refuses %s by name, and goes on afterwards", async (_what, attempt, code) => {
    const error = await attempt().then(
      () => undefined,
      (refused: unknown) => refused,
    )
    expect(error).toMatchObject({ code })
    expect(JSON.stringify(error)).not.toContain("9999")
    const token = await open("firmware-a")
    token.close()
  })

  function importKey(token: string, label: string, id: string, kind: "EC" | "RSA", curve?: string): void {
    const file = join(folder, `${label}.pem`)
    const option = kind === "EC" ? `ec_paramgen_curve:${curve ?? ""}` : "rsa_keygen_bits:2048"
    run("openssl", "genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", file)
    const where = ["--token", token, "--label", label, "--id", id, "--pin", "1234"]
    run("softhsm2-util", "--import", file, ...where)
  }

  function publicKeyOf(label: string): Uint8Array {
    return execFileSync("openssl", ["pkey", "-in", join(folder, `${label}.pem`), "-pubout", "-outform", "DER"])
  }
})

const TPM_MODULE = "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so"
const hasTpm =
  existsSync(TPM_MODULE) &&
  existsSync(ADDON) &&
  ["swtpm", "swtpm_setup", "tpm2-abrmd", "tpm2_ptool", "tpm2_getrandom", "dbus-run-session"].every(isProgram)

describe.runIf(hasTpm)("a key in a TPM 2.0", () => {
  const folder = mkdtempSync(join(tmpdir(), "fleetroot-tpm-"))
  const script = new URL("tpmSign.ts", import.meta.url).pathname

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it("signs by the same code", () => {
    // The TPM's settings are read when its library is loaded, so it is used in a process of its own.
    const result = spawnSync(
      "bash",
      [new URL("withTpm.sh", import.meta.url).pathname, folder, process.execPath, script],
      {
        encoding: "utf8",
        timeout: 110_000,
      },
    )
    expect(result.stderr + result.stdout).toContain("signature good")
  })
})

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: "pipe" })
}

function isProgram(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0
}
