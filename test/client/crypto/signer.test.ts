import { createPublicKey, verify as nativeVerify } from "node:crypto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { fromHex, toHex } from "../../../client/crypto/hex.ts"
import { keyIdOf } from "../../../client/crypto/keyId.ts"
import { encodePem } from "../../../client/crypto/pem.ts"
import { parsePublicKey } from "../../../client/crypto/publicKey.ts"
import { generateP256Key, signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { FleetrootError } from "../../../client/errors/base.ts"
import { PrivateKeyEncryptedError, PrivateKeyInvalidError } from "../../../client/errors/crypto.ts"
import { OpensslFolder } from "../x509/openssl.ts"

const folder = new OpensslFolder()
afterAll(() => folder[Symbol.dispose]())

const MESSAGE = new TextEncoder().encode("a statement")

/** Whether OpenSSL takes the signer's signature, told nothing but the public key that the signer names. */
async function opensslAccepts(signer: KeySigner, spki: Uint8Array = signer.spki): Promise<boolean> {
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" })
  const hash = { p256: "sha256", p384: "sha384", rsa: "sha256", ed25519: null }[signer.algorithm]
  const signature = await signer.sign(MESSAGE)
  expect(signature.constructor).toBe(Uint8Array)
  return nativeVerify(hash, MESSAGE, { key, dsaEncoding: "ieee-p1363" }, signature)
}

describe("generateP256Key", () => {
  it("makes keys that sign, that differ and that come back from PKCS#8", async () => {
    const signer = await generateP256Key()
    expect(parsePublicKey(signer.spki).algorithm).toBe("p256")
    expect(signer.keyId).toBe(keyIdOf(signer.spki))
    expect(await opensslAccepts(signer)).toBe(true)
    expect((await signer.sign(MESSAGE)).length).toBe(64)
    expect((await generateP256Key()).keyId).not.toBe(signer.keyId)

    const again = await signerFromPkcs8(await signer.exportPkcs8())
    expect(again.keyId).toBe(signer.keyId)
    expect(await opensslAccepts(again, signer.spki)).toBe(true)
  })
})

describe("signerFromPkcs8", () => {
  const kinds: [string, string, string[][]][] = [
    [
      "SEC1 P-256, as ecparam -genkey writes it",
      "p256",
      [["ecparam", "-name", "prime256v1", "-genkey", "-out", "k.pem"]],
    ],
    ["SEC1 P-384", "p384", [["ecparam", "-name", "secp384r1", "-genkey", "-out", "k.pem"]]],
    [
      "SEC1 P-256 without the public half",
      "p256",
      [
        ["ecparam", "-name", "prime256v1", "-genkey", "-out", "k0.pem"],
        ["ec", "-in", "k0.pem", "-no_public", "-out", "k.pem"],
      ],
    ],
    ["PKCS#8 P-256", "p256", [["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "k.pem"]]],
    ["PKCS#8 P-384", "p384", [["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "k.pem"]]],
    ["PKCS#8 Ed25519", "ed25519", [["genpkey", "-algorithm", "ed25519", "-out", "k.pem"]]],
    ["PKCS#8 RSA", "rsa", [["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "k.pem"]]],
    ["PKCS#1 RSA, as genrsa -traditional writes it", "rsa", [["genrsa", "-traditional", "-out", "k.pem", "2048"]]],
  ]
  for (const [what, algorithm, commands] of kinds) {
    it(`reads ${what}, and names the public key that OpenSSL names`, async () => {
      for (const command of commands) folder.run(...command)
      folder.run("pkey", "-in", "k.pem", "-pubout", "-outform", "DER", "-out", "pub.der")

      const signer = await signerFromPkcs8(folder.text("k.pem"))

      expect(signer.algorithm).toBe(algorithm)
      expect(toHex(signer.spki)).toBe(toHex(folder.bytes("pub.der")))
      expect(await opensslAccepts(signer, folder.bytes("pub.der"))).toBe(true)
      const fromBytes = await signerFromPkcs8(folder.bytes("k.pem"))
      expect(fromBytes.keyId, "the file's bytes serve as well").toBe(signer.keyId)
    })
  }

  describe("refuses, by name and without repeating the key,", () => {
    let good = ""
    beforeAll(() => {
      folder.run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "good.pem")
      good = folder.text("good.pem")
    })

    const made: [string, string[]][] = [
      ["P-521", ["ecparam", "-name", "secp521r1", "-genkey", "-out", "bad.pem"]],
      ["secp256k1", ["ecparam", "-name", "secp256k1", "-genkey", "-out", "bad.pem"]],
      [
        "explicit curve parameters",
        ["ecparam", "-name", "prime256v1", "-param_enc", "explicit", "-genkey", "-out", "bad.pem"],
      ],
      ["RSA of 1024 bits", ["genrsa", "-out", "bad.pem", "1024"]],
      ["Ed448", ["genpkey", "-algorithm", "ed448", "-out", "bad.pem"]],
    ]
    for (const [what, command] of made) {
      it(what, async () => {
        folder.run(...command)
        await expect(signerFromPkcs8(folder.text("bad.pem"))).rejects.toThrow(PrivateKeyInvalidError)
      })
    }

    it("a passphrase, in both forms", async () => {
      folder.run("pkcs8", "-topk8", "-in", "good.pem", "-passout", "pass:x", "-out", "locked.pem")
      folder.run("ec", "-in", "good.pem", "-aes128", "-passout", "pass:x", "-out", "old.pem")
      await expect(signerFromPkcs8(folder.text("locked.pem"))).rejects.toThrow(PrivateKeyEncryptedError)
      await expect(signerFromPkcs8(folder.text("old.pem"))).rejects.toThrow(PrivateKeyEncryptedError)
    })

    it("two keys, no key, a certificate's label, other text", async () => {
      const inputs = [good + good, "", "hello", encodePem("CERTIFICATE", Uint8Array.of(1)), new Uint8Array(0)]
      for (const input of inputs) await expect(signerFromPkcs8(input)).rejects.toThrow(PrivateKeyInvalidError)
    })

    it("every cut and change of a key's bytes, unless it is still a sound key", async () => {
      const pkcs8 = await (await generateP256Key()).exportPkcs8()
      const inputs = Array.from(pkcs8, (_, at) => pkcs8.slice(0, at))
      for (let at = 0; at < pkcs8.length; at++) {
        const other = pkcs8.slice()
        other[at] = (other[at] as number) ^ 0x10
        inputs.push(other)
      }
      const secret = Buffer.from(pkcs8.subarray(40, 60)).toString("hex")
      for (const input of inputs) {
        try {
          await signerFromPkcs8(input)
        } catch (error) {
          expect(error).toBeInstanceOf(FleetrootError)
          expect(String(error)).not.toContain(secret)
        }
      }
    })

    it("a public half of another key", async () => {
      const [one, two] = await Promise.all([generateP256Key(), generateP256Key()])
      const pkcs8 = await one.exportPkcs8()
      const mixed = new Uint8Array([...pkcs8.slice(0, -64), ...two.spki.slice(-64)])
      await expect(signerFromPkcs8(mixed)).rejects.toThrow(PrivateKeyInvalidError)
    })

    it("SEC1 in DER without its PEM label, and a label that lies", async () => {
      folder.run("ec", "-in", "good.pem", "-outform", "DER", "-out", "sec1.der")
      const sec1 = folder.bytes("sec1.der")
      await expect(signerFromPkcs8(sec1)).rejects.toThrow(PrivateKeyInvalidError)
      await expect(signerFromPkcs8(encodePem("PRIVATE KEY", sec1))).rejects.toThrow(PrivateKeyInvalidError)
      await expect(signerFromPkcs8(encodePem("RSA PRIVATE KEY", sec1))).rejects.toThrow(PrivateKeyInvalidError)
    })

    it("a private number of zero or of the order", async () => {
      const signer = await generateP256Key()
      const pkcs8 = toHex(await signer.exportPkcs8())
      const at = pkcs8.indexOf("0420") + 4
      for (const number of ["00".repeat(32), "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"]) {
        const other = fromHex(pkcs8.slice(0, at) + number + pkcs8.slice(at + 64))
        await expect(signerFromPkcs8(other)).rejects.toThrow(PrivateKeyInvalidError)
      }
    })
  })
})
