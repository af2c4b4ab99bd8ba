import { chmodSync } from "node:fs"
import { encryptKeystoreJsonSync } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  AccountKeyInvalidError,
  KeystoreMalformedError,
  PassphraseWrongError,
  SecretFileUnreadableError,
} from "../../../client/index.ts"
import { payerFromKeystore, payerFromPrivateKey, readPassphraseFile } from "../../../client/node/index.ts"
import { TempFolder } from "./tempFolder.ts"

// From the Web3 Secret Storage definition (ethereum.org), version 3: its test vector; the passphrase is "testpassword".
const SECRET_KEY = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
const PBKDF2 = {
  crypto: {
    cipher: "aes-128-ctr",
    cipherparams: { iv: "6087dab2f9fdbbfaddc31a909735c1e6" },
    ciphertext: "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    kdf: "pbkdf2",
    kdfparams: {
      c: 262144,
      dklen: 32,
      prf: "hmac-sha256",
      salt: "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
    },
    mac: "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
  },
  id: "3198bc9c-6672-5ab3-d995-4942343ae5b6",
  version: 3,
}
/** As the definition's other vector has it, but with r = 8: its r = 1 allows no such n (RFC 7914, 2). */
const SCRYPT_PARAMETERS = { dklen: 32, n: 262144, p: 1, r: 8, salt: PBKDF2.crypto.kdfparams.salt }

let home: TempFolder
beforeAll(() => {
  home = new TempFolder()
})
afterAll(() => {
  home[Symbol.dispose]()
})

function secret(name: string, content: unknown): string {
  home.write(name, typeof content === "string" ? content : JSON.stringify(content))
  chmodSync(home.at(name), 0o600)
  return home.at(name)
}

describe("payerFromKeystore", () => {
  it.each([
    ["PBKDF2", PBKDF2],
    ["an early geth's", { Crypto: PBKDF2.crypto, version: 3 }],
  ])("opens the definition's own example: %s", async (_name, keystore) => {
    const payer = await payerFromKeystore(secret("key.json", keystore), "testpassword")

    expect(payer.address).toBe((await payerFromPrivateKey(SECRET_KEY, "the example")).address)
  })

  it("opens what ethers wrote, with a passphrase in any spelling of its accents", async () => {
    const { address } = await payerFromPrivateKey(SECRET_KEY, "the example")
    const account = { address, privateKey: SECRET_KEY }
    const text = encryptKeystoreJsonSync(account, "caf\u00e9 \u{1f511}", { scrypt: { N: 1024 } })

    expect((await payerFromKeystore(secret("ethers.json", text), "cafe\u0301 \u{1f511}")).address).toBe(address)
  })

  it("does not open with another passphrase, or when a byte was changed", async () => {
    const changed = { ...PBKDF2, crypto: { ...PBKDF2.crypto, ciphertext: `00${PBKDF2.crypto.ciphertext.slice(2)}` } }

    await expect(payerFromKeystore(secret("a.json", PBKDF2), "testpasswort")).rejects.toThrow(PassphraseWrongError)
    await expect(payerFromKeystore(secret("b.json", changed), "testpassword")).rejects.toThrow(PassphraseWrongError)
  })

  it.each<[string, unknown]>([
    ["no JSON", "{"],
    ["an array", "[]"],
    ["null", "null"],
    ["version 1", { ...PBKDF2, version: 1 }],
    ["no crypto", { version: 3 }],
    ["crypto of the prototype", '{"version":3,"__proto__":{"crypto":{}}}'],
    ["another cipher", edit({ cipher: "aes-256-cbc" })],
    ["a short IV", edit({ cipherparams: { iv: "00" } })],
    ["a long text", edit({ ciphertext: "00".repeat(33) })],
    ["a text that is no hex", edit({ ciphertext: "zz".repeat(32) })],
    ["another derivation", edit({ kdf: "argon2id" })],
    ["another hash", edit({ kdfparams: { ...PBKDF2.crypto.kdfparams, prf: "hmac-md5" } })],
    ["work for days", edit({ kdfparams: { ...PBKDF2.crypto.kdfparams, c: 10_000_000_000 } })],
    ["a key of another length", edit({ kdfparams: { ...PBKDF2.crypto.kdfparams, dklen: 16 } })],
    ["memory without end", edit({ kdf: "scrypt", kdfparams: { ...SCRYPT_PARAMETERS, n: 2 ** 24, r: 8 } })],
    ["a cost that r does not allow", edit({ kdf: "scrypt", kdfparams: { ...SCRYPT_PARAMETERS, r: 1, p: 8 } })],
    ["an odd cost", edit({ kdf: "scrypt", kdfparams: { ...SCRYPT_PARAMETERS, n: 1000 } })],
  ])("refuses by name what is no keystore: %s", async (_name, content) => {
    await expect(payerFromKeystore(secret("bad.json", content), "x")).rejects.toThrow(KeystoreMalformedError)
  })
})

function edit(change: object): object {
  return { ...PBKDF2, crypto: { ...PBKDF2.crypto, ...change } }
}

describe("payerFromPrivateKey", () => {
  it.each([
    "",
    "0x",
    SECRET_KEY.slice(2),
    `${SECRET_KEY}00`,
    ` ${SECRET_KEY}`,
    `0x${"0".repeat(64)}`,
    `0x${"f".repeat(64)}`,
  ])("refuses what is no key, and does not repeat it: %j", async (text) => {
    const refused = payerFromPrivateKey(text, "HERE")
    await expect(refused).rejects.toThrow(AccountKeyInvalidError)
    await expect(refused).rejects.toMatchObject({ message: expect.not.stringContaining("7a28b5") })
  })
})

describe("readPassphraseFile", () => {
  it("takes one line, with or without its end", async () => {
    expect(await readPassphraseFile(secret("a", " two words \n"))).toBe(" two words ")
    expect(await readPassphraseFile(secret("b", "windows\r\n"))).toBe("windows")
    await expect(readPassphraseFile(secret("c", "one\ntwo\n"))).rejects.toThrow(SecretFileUnreadableError)
  })

  it("does not hang on a device", async () => {
    await expect(readPassphraseFile("/dev/zero")).rejects.toThrow(SecretFileUnreadableError)
  })
})
