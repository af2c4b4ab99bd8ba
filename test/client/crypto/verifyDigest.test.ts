import { createHash, generateKeyPairSync, constants, sign } from "node:crypto"
import { describe, expect, it } from "vitest"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { ed25519EquationHolds } from "../../../client/crypto/ed25519Equation.ts"
import { ecdsaRawToDer } from "../../../client/crypto/ecdsa.ts"
import { parsePublicKey } from "../../../client/crypto/publicKey.ts"
import { portableHash, streamingHash } from "../../../client/crypto/streamingHash.ts"
import type { HashAlgorithm } from "../../../client/crypto/types.ts"
import { verifyDigest } from "../../../client/crypto/verifyDigest.ts"
import { FleetrootError } from "../../../client/errors/base.ts"
import { readWycheproof } from "./wycheproof.ts"

const FILES = [
  ["ecdsa_secp256r1_sha256_test", "ecdsa-p256-sha256", "sha256"],
  ["ecdsa_secp384r1_sha384_test", "ecdsa-p384-sha384", "sha384"],
  ["rsa_signature_2048_sha256_test", "rsa-pkcs1-sha256", "sha256"],
] as const

describe("verifyDigest", () => {
  it.each(FILES)("gives the verdict of the back end on every test of %s", async (file, algorithm, hash) => {
    const backend = defaultCrypto()
    const wrong: string[] = []
    let valid = 0
    for (const { name, spki, message, signature, result } of readWycheproof(file)) {
      const digest = new Uint8Array(createHash(hash).update(message).digest())
      const expected = await quietly(() => backend.verify({ algorithm, spki, message, signature }))
      const found = await quietly(() => verifyDigest({ algorithm, spki, digest, signature }))
      if (found !== expected || (found && result === "invalid")) wrong.push(name)
      if (found) valid++
    }
    expect(wrong).toEqual([])
    expect(valid).toBeGreaterThan(5)
  })

  it("takes r || s of Wycheproof as DER", async () => {
    const wrong: string[] = []
    for (const { name, spki, message, signature, result } of readWycheproof("ecdsa_secp256r1_sha256_p1363_test")) {
      const digest = new Uint8Array(createHash("sha256").update(message).digest())
      const found = await quietly(() =>
        verifyDigest({ algorithm: "ecdsa-p256-sha256", spki, digest, signature: ecdsaRawToDer(signature) }),
      )
      if (found !== (result === "valid")) wrong.push(name)
    }
    expect(wrong).toEqual([])
  })

  it.each([2048, 2049, 2056, 3072])("checks RSA-PSS of %i bits as Node's crypto does", (modulusLength) => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength })
    const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }))
    for (const hash of ["sha256", "sha384", "sha512"] as const) {
      for (const saltLength of [0, 20, createHash(hash).update("").digest().length, 100]) {
        const message = Buffer.from(`${hash} ${saltLength}`)
        const padding = constants.RSA_PKCS1_PSS_PADDING
        const signature = new Uint8Array(sign(hash, message, { key: privateKey, padding, saltLength }))
        const digest = new Uint8Array(createHash(hash).update(message).digest())
        const ask = (pssSalt: "any" | "digest", changed = signature): boolean =>
          verifyDigest({ algorithm: `rsa-pss-${hash}`, spki, digest, signature: changed, pssSalt })
        expect(ask("any")).toBe(true)
        expect(ask("digest")).toBe(saltLength === digest.length)
        for (const at of [0, 1, 128, signature.length - 1]) {
          const changed = signature.slice()
          changed[at] = (changed[at] as number) ^ 1
          expect(ask("any", changed)).toBe(false)
        }
        const other = digest.slice()
        other[0] = (other[0] as number) ^ 1
        expect(verifyDigest({ algorithm: `rsa-pss-${hash}`, spki, digest: other, signature, pssSalt: "any" })).toBe(
          false,
        )
      }
    }
  })

  it("refuses a digest of another length, and an algorithm that hashes by itself", () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }))
    const signature = new Uint8Array(256)
    expect(verifyDigest({ algorithm: "rsa-pkcs1-sha256", spki, digest: new Uint8Array(31), signature })).toBe(false)
    expect(() => verifyDigest({ algorithm: "ecdsa-p256-sha256", spki, digest: new Uint8Array(32), signature })).toThrow(
      expect.objectContaining({ code: "ALGORITHM_KEY_MISMATCH" }),
    )
  })
})

describe("ed25519EquationHolds", () => {
  it("gives Wycheproof's verdict from a hash that was fed piece by piece", () => {
    const wrong: string[] = []
    for (const { name, spki, message, signature, result } of readWycheproof("ed25519_test")) {
      const key = parsePublicKey(spki)
      if (key.algorithm !== "ed25519") throw new Error(name)
      const hash = streamingHash("sha512")
      hash.update(signature.subarray(0, 32))
      hash.update(key.key)
      for (const byte of message) hash.update(Uint8Array.of(byte))
      if (ed25519EquationHolds(key.key, hash.digest(), signature) !== (result === "valid")) wrong.push(name)
    }
    expect(wrong).toEqual([])
  })
})

describe("streamingHash", () => {
  it.each(["sha256", "sha384", "sha512"] satisfies HashAlgorithm[])("%s: native and portable agree", (algorithm) => {
    const [native, portable] = [streamingHash(algorithm), portableHash(algorithm)]
    for (let length = 0; length < 300; length += 7) {
      const part = new Uint8Array(length).fill(length)
      native.update(part)
      portable.update(part)
    }
    expect(portable.digest()).toEqual(native.digest())
  })
})

/** A refusal by error counts as no. */
async function quietly(ask: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof FleetrootError) return false
    throw error
  }
}
