import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encryptKeystoreJson } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { FaultProxy } from "../helpers/faultProxy.ts"
import { Cli, startTestnet } from "./cli.ts"
import type { Ended } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

/** The testnet's second account, funded, and a stranger to every manufacturer. */
const KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
const ADDRESS = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
const PASSPHRASE = "correct horse battery staple"
/** Cheap to open; what others write by default takes a second. */
const QUICK = { scrypt: { N: 1024 } }

const folder = tempFolder()
let net: Awaited<ReturnType<typeof startTestnet>>
let cli: Cli

beforeAll(async () => {
  new OpensslCa(folder.path).issue(1)
  net = await startTestnet(new Cli(folder.path))
  cli = net.cli
  expect((await cli.run("manufacturer", "add", "--name", "Keeper", "--controller", ADDRESS)).code).toBe(0)
  writeSecret("key.json", await encryptKeystoreJson({ address: ADDRESS, privateKey: KEY }, PASSPHRASE, QUICK))
  writeSecret("passphrase", `${PASSPHRASE}\n`)
})
afterAll(async () => {
  await net.stop()
  folder.remove()
})

function writeSecret(name: string, text: string, mode = 0o600): string {
  writeFileSync(cli.at(name), text)
  chmodSync(cli.at(name), mode)
  return name
}

const ADD_KEY = ["key", "add", "--manufacturer", "2", "--key", "ca.key", "--purpose", "issuer"]
const KEYSTORE = ["--keystore", "key.json", "--passphrase-file", "passphrase"]

describe("who signs", () => {
  it("is not the testnet's account where that may not act", async () => {
    expect(await cli.json(...ADD_KEY)).toMatchObject({ code: 1, answer: { code: "CONTRACT_REVERTED" } })
  })

  it("is the account of a keystore that ethers wrote, with its passphrase in a file", async () => {
    expect(await cli.json(...ADD_KEY, ...KEYSTORE)).toMatchObject({ code: 0, answer: { manufacturer: 2 } })
  })

  it("is the account of the environment's key", async () => {
    expect(await cli.with({ FLEETROOT_PRIVATE_KEY: KEY }).json(...ADD_KEY)).toMatchObject({ code: 0 })
  })

  it("is the keystore's with the passphrase from the environment", async () => {
    const { code } = await cli.with({ FLEETROOT_PASSPHRASE: PASSPHRASE }).json(...ADD_KEY, "--keystore", "key.json")
    expect(code).toBe(0)
  })

  it("is nobody by default on a chain that is no testnet of one's own", async () => {
    // The chain id alone is not enough: the node must hold the account.
    const proxied = await withoutAccounts(net.url)
    const { code, answer } = await cli.json(...ADD_KEY, "--rpc", proxied.url)
    await proxied.close()

    expect({ code, answer }).toMatchObject({ code: 2, answer: { code: "SIGNER_MISSING" } })
  })
})

describe("secrets that are not kept", () => {
  it.each([0o644, 0o640, 0o604, 0o620])("refuses a keystore and a passphrase file of mode %o", async (mode) => {
    writeSecret("open.json", readFileSync(cli.at("key.json"), "utf8"), mode)
    writeSecret("open", PASSPHRASE, mode)

    const keystore = await cli.json(...ADD_KEY, "--keystore", "open.json", "--passphrase-file", "passphrase")
    const passphrase = await cli.json(...ADD_KEY, "--keystore", "key.json", "--passphrase-file", "open")

    for (const refused of [keystore, passphrase]) {
      expect(refused).toMatchObject({ code: 2, answer: { code: "SECRET_FILE_EXPOSED" } })
      expect(refused.stderr).toContain("chmod 600")
    }
  })

  it("warns of an issuer's key that others can read, and uses it", async () => {
    writeSecret("open.key", cli.text("ca.key"), 0o644)
    const { code, stderr } = await cli.run(
      "key",
      "add",
      "--manufacturer",
      "2",
      "--key",
      "open.key",
      "--purpose",
      "issuer",
      ...KEYSTORE,
    )

    expect(code).toBe(0)
    expect(stderr).toMatch(/^warning: .*open\.key.* has mode 0644/)
  })
})

describe("secrets that are wrong", () => {
  it.each<[string, string[], Record<string, string>, string]>([
    ["a wrong passphrase", ["--keystore", "key.json"], { FLEETROOT_PASSPHRASE: "wrong horse" }, "PASSPHRASE_WRONG"],
    ["no passphrase and no terminal", ["--keystore", "key.json"], {}, "USAGE"],
    [
      "a keystore that is none",
      ["--keystore", "passphrase", "--passphrase-file", "passphrase"],
      {},
      "KEYSTORE_MALFORMED",
    ],
    [
      "a keystore that is not there",
      ["--keystore", "gone.json", "--passphrase-file", "passphrase"],
      {},
      "SECRET_FILE_UNREADABLE",
    ],
    ["a folder for a keystore", ["--keystore", ".", "--passphrase-file", "passphrase"], {}, "SECRET_FILE_UNREADABLE"],
    ["a passphrase file without a keystore", ["--passphrase-file", "passphrase"], {}, "USAGE"],
    ["a key that is cut", [], { FLEETROOT_PRIVATE_KEY: KEY.slice(0, 60) }, "ACCOUNT_KEY_INVALID"],
    ["a key of zero", [], { FLEETROOT_PRIVATE_KEY: `0x${"0".repeat(64)}` }, "ACCOUNT_KEY_INVALID"],
    ["a key above the order", [], { FLEETROOT_PRIVATE_KEY: `0x${"f".repeat(64)}` }, "ACCOUNT_KEY_INVALID"],
  ])("are refused by name: %s", async (_name, options, env, code) => {
    expect(await cli.with(env).json(...ADD_KEY, ...options)).toMatchObject({ code: 2, answer: { code } })
  })

  it("no private key is taken from the command line", async () => {
    expect((await cli.run(...ADD_KEY, "--private-key", KEY)).code).toBe(2)
  })
})

describe("secrets and outputs", () => {
  it("never meet, whatever goes wrong", async () => {
    const secrets = [KEY.slice(2), PASSPHRASE, "cut-by-half-0x59c6995e"]
    const debug = cli.with({ FLEETROOT_DEBUG: "1" })
    const ends: Ended[] = [
      await debug.with({ FLEETROOT_PRIVATE_KEY: KEY }).run(...ADD_KEY, "--json"),
      await debug.with({ FLEETROOT_PRIVATE_KEY: `${KEY}00` }).run(...ADD_KEY, "--json"),
      await debug.with({ FLEETROOT_PRIVATE_KEY: KEY }).run(...ADD_KEY, "--rpc", "http://127.0.0.1:9"),
      await debug.with({ FLEETROOT_PASSPHRASE: PASSPHRASE }).run(...ADD_KEY, "--keystore", "key.json"),
      await debug.with({ FLEETROOT_PASSPHRASE: `${PASSPHRASE}!` }).run(...ADD_KEY, "--keystore", "key.json", "--json"),
      await debug.run(
        ...ADD_KEY,
        "--keystore",
        writeSecret("bad.json", `{"version":3,"crypto":"${KEY}"}`),
        "--passphrase-file",
        "passphrase",
      ),
      await debug.with({ FLEETROOT_PRIVATE_KEY: KEY }).run("revoke", "certs/1.pem", "--manufacturer", "2", "--json"),
      await debug.run("status", "certs/1.pem", "--rpc", `http://user:${KEY.slice(2)}@127.0.0.1:9`),
    ]
    const output = ends.map(({ stdout, stderr }) => stdout + stderr).join("\n")

    expect(ends.map(({ code }) => code)).toEqual([0, 2, 3, 0, 2, 2, 0, 3])
    for (const secret of secrets) expect(output.toLowerCase()).not.toContain(secret.toLowerCase())
    const pem = cli.text("ca.key").split("\n")[1]!
    expect(output).not.toContain(pem)
  })

  it("leave no secret in the state that is kept, which is this user's alone", () => {
    const state = cli.at("state")
    expect(statSync(state).mode & 0o077).toBe(0)
    for (const name of readdirSync(state)) {
      const bytes = readFileSync(join(state, name))
      expect(bytes.includes(Buffer.from(KEY.slice(2), "hex"))).toBe(false)
      expect(bytes.toString("latin1")).not.toContain(KEY.slice(2))
    }
  })
})

describe("an encrypted issuer key", () => {
  it("opens with its passphrase, and only with it", async () => {
    const ca = new OpensslCa(folder.path, "locked")
    ca.run(
      "pkcs8",
      "-topk8",
      "-in",
      "locked.key",
      "-out",
      "locked.enc",
      "-v2",
      "aes-256-cbc",
      "-passout",
      `pass:${PASSPHRASE}`,
    )
    const add = [
      "key",
      "add",
      "--manufacturer",
      "2",
      "--cert",
      "locked.pem",
      "--key",
      "locked.enc",
      "--purpose",
      "issuer",
      ...KEYSTORE,
    ]

    expect((await cli.json(...add)).code).toBe(2)
    expect((await cli.with({ FLEETROOT_KEY_PASSPHRASE: "wrong" }).json(...add)).code).toBe(2)
    expect((await cli.with({ FLEETROOT_KEY_PASSPHRASE: PASSPHRASE }).json(...add)).code).toBe(0)
  })
})

/** The node without its development accounts. */
async function withoutAccounts(upstream: string): Promise<{ url: string; close(): Promise<void> }> {
  const proxy = await FaultProxy.start(upstream)
  proxy.tamper = ({ method, reply }) => (method === "eth_accounts" ? { ...reply, result: [] } : undefined)
  return proxy
}
