import { describe, expect, it } from "vitest"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { ecdsaDerToRaw, ecdsaRawToDer, P256_ORDER } from "../../../client/crypto/ecdsa.ts"
import { concatBytes, fromHex, toHex } from "../../../client/crypto/hex.ts"
import { nativeCrypto } from "../../../client/crypto/nativeCrypto.ts"
import { findNodeCrypto } from "../../../client/crypto/nodeCrypto.ts"
import { nobleCrypto } from "../../../client/crypto/nobleCrypto.ts"
import { generateP256Key } from "../../../client/crypto/signer.ts"
import type { CryptoBackend, SignatureAlgorithm } from "../../../client/crypto/types.ts"
import { makeWebCrypto, subtleOf, webCrypto } from "../../../client/crypto/webCrypto.ts"
import {
  AlgorithmKeyMismatchError,
  AlgorithmUnsupportedError,
  PublicKeyInvalidError,
  SignatureMalformedError,
} from "../../../client/errors/crypto.ts"
import { readWycheproof } from "./wycheproof.ts"
import type { Vector } from "./wycheproof.ts"

const backends = [nativeCrypto, webCrypto, nobleCrypto].filter((backend) => backend !== undefined)

type Verdict = "valid" | "invalid" | "keyRefused"

async function verdict(backend: CryptoBackend, algorithm: SignatureAlgorithm, vector: Vector): Promise<Verdict> {
  try {
    return (await backend.verify({ algorithm, ...vector })) ? "valid" : "invalid"
  } catch (error) {
    if (error instanceof PublicKeyInvalidError) return "keyRefused"
    throw error
  }
}

/** Our one answer to each vector: "acceptable" ones (a missing NULL in PKCS#1) are refused, as is RSA with exponent 3. */
function expected(vector: Vector): Verdict {
  const exponent3 = vector.spki.length > 200 && Buffer.from(vector.spki).toString("hex").endsWith("020103")
  if (exponent3) return "keyRefused"
  return vector.result === "valid" ? "valid" : "invalid"
}

describe("the back ends", () => {
  it("are three here: native, web and noble", () => {
    expect(backends.map(({ name }) => name)).toEqual(["native", "web", "noble"])
    expect(defaultCrypto().name).toBe("native")
  })

  const files: [string, SignatureAlgorithm, number][] = [
    ["ecdsa_secp256r1_sha256_test", "ecdsa-p256-sha256", 484],
    ["ecdsa_secp384r1_sha384_test", "ecdsa-p384-sha384", 504],
    ["ed25519_test", "ed25519", 151],
    ["rsa_signature_2048_sha256_test", "rsa-pkcs1-sha256", 259],
  ]
  for (const [file, algorithm, count] of files) {
    for (const backend of backends) {
      it(`gives Wycheproof's verdict on all ${count} tests of ${file}: ${backend.name}`, async () => {
        const vectors = readWycheproof(file)
        expect(vectors).toHaveLength(count)

        const wrong: string[] = []
        for (const vector of vectors) {
          const found = await verdict(backend, algorithm, vector)
          if (found !== expected(vector)) wrong.push(`${vector.name}: ${found}, not ${expected(vector)}`)
        }

        expect(wrong).toEqual([])
      })
    }
  }

  for (const backend of backends) {
    it(`gives Wycheproof's verdict on all 262 tests of raw r || s, through DER: ${backend.name}`, async () => {
      const vectors = readWycheproof("ecdsa_secp256r1_sha256_p1363_test")
      const wrong: string[] = []
      for (const vector of vectors) {
        const found = await verifyRaw(backend, vector)
        if (found !== (vector.result === "valid")) wrong.push(`${vector.name}: ${found}`)
      }
      expect(vectors).toHaveLength(262)
      expect(wrong).toEqual([])
    })
  }

  async function verifyRaw(backend: CryptoBackend, vector: Vector): Promise<boolean> {
    // 96 octets are the other curve's form: right length, wrong curve.
    if (vector.signature.length !== 64) return false
    try {
      const signature = ecdsaRawToDer(vector.signature)
      return await backend.verify({ ...vector, algorithm: "ecdsa-p256-sha256", signature })
    } catch (error) {
      if (error instanceof SignatureMalformedError) return false
      throw error
    }
  }

  it("accept both twins of a signature, low s and high s, as X.509 does", async () => {
    const valid = readWycheproof("ecdsa_secp256r1_sha256_test").filter(({ result }) => result === "valid")
    const sample = valid.filter((_, i) => i % 4 === 0)
    expect(sample.length).toBeGreaterThan(40)
    for (const vector of sample) {
      const raw = ecdsaDerToRaw(vector.signature, 32)
      const twinS = P256_ORDER - BigInt(toHex(raw.subarray(32)))
      const twin = concatBytes(raw.subarray(0, 32), fromHex(`0x${twinS.toString(16).padStart(64, "0")}`))
      for (const backend of backends) {
        expect(await verdict(backend, "ecdsa-p256-sha256", { ...vector, signature: ecdsaRawToDer(twin) })).toBe("valid")
      }
    }
  })

  it("refuse, by name, a key of another kind than the algorithm", async () => {
    const signer = await generateP256Key()
    const { spki } = signer
    const message = Uint8Array.of(1)
    const signature = ecdsaRawToDer(await signer.sign(message))
    for (const backend of backends) {
      for (const algorithm of ["ed25519", "rsa-pss-sha256", "ecdsa-p384-sha384"] as const) {
        const answer = backend.verify({ algorithm, spki, message, signature })
        await expect(answer).rejects.toThrow(AlgorithmKeyMismatchError)
      }
      const unknown = backend.verify({ algorithm: "ecdsa-p256-sha1" as SignatureAlgorithm, spki, message, signature })
      await expect(unknown).rejects.toThrow(AlgorithmUnsupportedError)
      const inherited = backend.verify({ algorithm: "toString" as SignatureAlgorithm, spki, message, signature })
      await expect(inherited).rejects.toThrow(AlgorithmUnsupportedError)
    }
  })

  it("check every pairing of curve and hash alike", async () => {
    const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, true, [
      "sign",
    ])
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey))
    const message = new TextEncoder().encode("any message")
    for (const hash of ["sha256", "sha384", "sha512"] as const) {
      const name = `SHA-${hash.slice(3)}`
      const raw = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: name }, privateKey, message))
      const signature = ecdsaRawToDer(raw)
      for (const backend of backends) {
        for (const asked of ["sha256", "sha384", "sha512"] as const) {
          const algorithm = `ecdsa-p384-${asked}` as const
          expect(await backend.verify({ algorithm, spki, message, signature })).toBe(asked === hash)
        }
      }
    }
  })

  it("demand in RSA-PSS a salt as long as the hash", async () => {
    const parameters = { name: "RSA-PSS", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" }
    const { privateKey, publicKey } = await crypto.subtle.generateKey(parameters, true, ["sign", "verify"])
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey))
    const message = Uint8Array.of(1, 2, 3)
    for (const [saltLength, good] of [
      [32, true],
      [20, false],
      [222, false],
      [0, false],
    ] as const) {
      const signature = new Uint8Array(await crypto.subtle.sign({ name: "RSA-PSS", saltLength }, privateKey, message))
      for (const backend of backends) {
        expect(await backend.verify({ algorithm: "rsa-pss-sha256", spki, message, signature })).toBe(good)
        const longer = new Uint8Array([0, ...signature])
        expect(await backend.verify({ algorithm: "rsa-pss-sha256", spki, message, signature: longer })).toBe(false)
      }
    }
  })

  it("agree on Ed25519 signatures that differ by a point of small order: all refuse", async () => {
    // A signer who adds a point of order 8 to R makes signatures that only the cofactored check accepts.
    const { ed25519 } = await import("@noble/curves/ed25519.js")
    const { sha512 } = await import("@noble/hashes/sha2.js")
    const { Point } = ed25519
    const torsion = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
    const secret = 12345678901234567890n
    const key = Point.BASE.multiply(secret).toBytes()
    const message = Uint8Array.of(9)
    const nonce = 998877665544332211n
    const encodedR = Point.BASE.multiply(nonce).add(torsion).toBytes()
    const littleEndian = (octets: Uint8Array) => BigInt(`0x${Buffer.from(octets).reverse().toString("hex")}`)
    const k = littleEndian(sha512(new Uint8Array([...encodedR, ...key, ...message]))) % Point.Fn.ORDER
    const s = (nonce + k * secret) % Point.Fn.ORDER
    const sBytes = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse()
    const signature = new Uint8Array([...encodedR, ...sBytes])
    expect(ed25519.verify(signature, message, key), "the library alone takes it").toBe(true)

    const spki = new Uint8Array([...fromHex("0x302a300506032b6570032100"), ...key])
    for (const backend of backends) {
      expect(await backend.verify({ algorithm: "ed25519", spki, message, signature })).toBe(false)
    }
  })
})

describe("where a platform lacks something", () => {
  it("a Node imitation without one-shot hashes counts as having no native crypto", () => {
    expect(findNodeCrypto({})).toBeUndefined()
    expect(findNodeCrypto({ process: {} })).toBeUndefined()
    expect(findNodeCrypto({ process: { getBuiltinModule: () => undefined } })).toBeUndefined()
    expect(findNodeCrypto({ process: { getBuiltinModule: () => ({}) } })).toBeUndefined()
  })

  it("WebCrypto without Ed25519 is said by name", async () => {
    const subtle = {
      importKey: () => Promise.reject(new DOMException("no such curve", "NotSupportedError")),
    } as unknown as SubtleCrypto
    const backend = makeWebCrypto(subtle)
    const [vector] = readWycheproof("ed25519_test") as [Vector]

    await expect(backend.verify({ algorithm: "ed25519", ...vector })).rejects.toThrow(AlgorithmUnsupportedError)
    await expect(backend.verify({ algorithm: "ed25519", ...vector }), "asked again").rejects.toThrow("WebCrypto")
  })

  it("a page without WebCrypto has no web back end", () => {
    expect(subtleOf({})).toBeUndefined()
    expect(subtleOf({ crypto: {} })).toBeUndefined()
  })
})
