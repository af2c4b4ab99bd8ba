import { generateKeyPairSync } from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { p256 as nistP256 } from "@noble/curves/nist.js"
import { describe, expect, it } from "vitest"
import { derBitString, derSequence, derUnsigned } from "../../../client/crypto/derWriter.ts"
import { concatBytes, fromHex } from "../../../client/crypto/hex.ts"
import { KeyCache } from "../../../client/crypto/keyCache.ts"
import { nativeCrypto } from "../../../client/crypto/nativeCrypto.ts"
import { nobleCrypto } from "../../../client/crypto/nobleCrypto.ts"
import {
  encodePublicKey,
  KEY_ALGORITHM_IDENTIFIERS,
  keyAlgorithmOf,
  parsePublicKey,
} from "../../../client/crypto/publicKey.ts"
import { webCrypto } from "../../../client/crypto/webCrypto.ts"
import { PublicKeyInvalidError } from "../../../client/errors/crypto.ts"

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const G =
  "0x046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
const coordinate = (value: bigint) => value.toString(16).padStart(64, "0")
const p256 = (hex: string) => encodePublicKey("p256", fromHex(hex))
const rsa = (modulus: Uint8Array, exponent: Uint8Array) =>
  encodePublicKey("rsa", derSequence(derUnsigned(modulus), derUnsigned(exponent)))
const modulusOf = (bits: number) => {
  const octets = new Uint8Array(bits / 8).fill(0xa5)
  octets[0] = 0x80
  return octets
}
const F4 = Uint8Array.of(1, 0, 1)

describe("parsePublicKey", () => {
  it("takes apart what OpenSSL makes of each kind", () => {
    const make: [string, Uint8Array][] = [
      ["p256", generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "der" })],
      ["p384", generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ type: "spki", format: "der" })],
      ["ed25519", generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" })],
      ["rsa", generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "der" })],
      ["rsa", generateKeyPairSync("rsa", { modulusLength: 3072 }).publicKey.export({ type: "spki", format: "der" })],
    ]
    for (const [algorithm, spki] of make) {
      expect(parsePublicKey(new Uint8Array(spki)).algorithm).toBe(algorithm)
      expect(keyAlgorithmOf(spki)).toBe(algorithm)
    }
  })

  const identity = "0x0100000000000000000000000000000000000000000000000000000000000000"
  const refused: [string, Uint8Array][] = [
    ["nothing", new Uint8Array(0)],
    ["a compressed point", p256(`0x03${G.slice(4, 68)}`)],
    ["a hybrid point", p256(`0x06${G.slice(4)}`)],
    ["the point at infinity", p256("0x00")],
    ["(0, 0)", p256(`0x04${"00".repeat(64)}`)],
    ["a point off the curve", p256(`${G.slice(0, -1)}4`)],
    ["x + p: a point of the curve spelt another way", p256(overlongPoint())],
    ["x = p", p256(`0x04${coordinate(P)}${G.slice(68)}`)],
    ["a point cut by an octet", p256(G.slice(0, -2))],
    ["a byte behind", concatBytes(p256(G), Uint8Array.of(0))],
    ["a P-384 name over a P-256 point", encodePublicKey("p384", fromHex(G))],
    ["a length in long form", concatBytes(fromHex("0x308159"), p256(G).subarray(2))],
    ["unused bits in the BIT STRING", fromHex(`0x${Buffer.from(p256(G)).toString("hex").replace("034200", "034201")}`)],
    [
      "explicit curve parameters",
      derSequence(
        derSequence(fromHex("0x06072a8648ce3d0201"), derSequence(derUnsigned(Uint8Array.of(1)))),
        derBitString(fromHex(G)),
      ),
    ],
    [
      "P-521",
      new Uint8Array(
        generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey.export({ type: "spki", format: "der" }),
      ),
    ],
    [
      "secp256k1",
      new Uint8Array(
        generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export({ type: "spki", format: "der" }),
      ),
    ],
    ["Ed25519 of 31 octets", encodePublicKey("ed25519", new Uint8Array(31).fill(7))],
    ["the neutral point of Ed25519", encodePublicKey("ed25519", fromHex(identity))],
    ["an Ed25519 y of p or more", encodePublicKey("ed25519", fromHex(`0xee${"ff".repeat(30)}7f`))],
    ["an Ed25519 value that is no point", encodePublicKey("ed25519", notAPoint())],
    ["RSA of 1024 bits", rsa(modulusOf(1024), F4)],
    ["RSA of 2040 bits", rsa(modulusOf(2040), F4)],
    ["RSA of 8200 bits", rsa(modulusOf(8200), F4)],
    ["an even modulus", rsa(concatBytes(modulusOf(2048).subarray(0, 255), Uint8Array.of(2)), F4)],
    ["exponent 1", rsa(modulusOf(2048), Uint8Array.of(1))],
    ["exponent 3", rsa(modulusOf(2048), Uint8Array.of(3))],
    ["exponent 65535", rsa(modulusOf(2048), Uint8Array.of(0xff, 0xff))],
    ["an even exponent", rsa(modulusOf(2048), Uint8Array.of(1, 0, 2))],
    ["an exponent of 65 bits", rsa(modulusOf(2048), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1))],
    [
      "a modulus that is negative",
      encodePublicKey("rsa", derSequence(concatBytes(fromHex("0x02820100"), modulusOf(2048)), derUnsigned(F4))),
    ],
    [
      "three RSA numbers",
      encodePublicKey("rsa", derSequence(derUnsigned(modulusOf(2048)), derUnsigned(F4), derUnsigned(F4))),
    ],
    ["RSA numbers that are no DER", encodePublicKey("rsa", Uint8Array.of(0x30, 0x80))],
    [
      "RSA parameters left out",
      derSequence(
        derSequence(KEY_ALGORITHM_IDENTIFIERS.rsa.subarray(2, 13)),
        derBitString(derSequence(derUnsigned(modulusOf(2048)), derUnsigned(F4))),
      ),
    ],
  ]
  for (const [what, spki] of refused) {
    it(`refuses ${what}, and so does every back end`, async () => {
      expect(() => parsePublicKey(spki)).toThrow(PublicKeyInvalidError)
      for (const backend of [nativeCrypto, webCrypto, nobleCrypto]) {
        for (const algorithm of ["ecdsa-p256-sha256", "ed25519", "rsa-pkcs1-sha256"] as const) {
          const answer = backend?.verify({ algorithm, spki, message: new Uint8Array(1), signature: new Uint8Array(64) })
          await expect(answer).rejects.toThrow(PublicKeyInvalidError)
        }
      }
    })
  }

  it("refuses all eight points of small P of Ed25519", () => {
    const { Point } = ed25519
    const torsion = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
    let point = Point.ZERO
    const seen = new Set<string>()
    for (let i = 0; i < 8; i++) {
      seen.add(point.toHex())
      expect(() => parsePublicKey(encodePublicKey("ed25519", point.toBytes()))).toThrow(PublicKeyInvalidError)
      point = point.add(torsion)
    }
    expect(seen.size).toBe(8)
  })

  it("survives any change of one octet: a key or PublicKeyInvalidError", () => {
    for (const spki of [p256(G), rsa(modulusOf(2048), F4)]) {
      for (let at = 0; at < spki.length; at++) {
        for (const change of [0x01, 0x80, 0xff]) {
          const other = spki.slice()
          other[at] = (other[at] as number) ^ change
          try {
            parsePublicKey(other)
          } catch (error) {
            expect(error).toBeInstanceOf(PublicKeyInvalidError)
          }
        }
      }
    }
  })
})

describe("KeyCache", () => {
  it("goes by the key's bytes, not by the array that held them", () => {
    const cache = new KeyCache<string>()
    const array = Uint8Array.of(1, 2, 3)
    expect(cache.get(array, () => "first")).toBe("first")
    expect(cache.get(array.slice(), () => "again")).toBe("first")
    array[0] = 9
    expect(cache.get(array, () => "second")).toBe("second")
    expect(cache.get(Uint8Array.of(1, 2, 3), () => "again")).toBe("first")
  })

  it("keeps no more than its capacity, and nothing that failed, was forgotten or is huge", () => {
    const cache = new KeyCache<number>(2)
    const fail = () => {
      throw new RangeError("no")
    }
    expect(() => cache.get(Uint8Array.of(0), fail)).toThrow("no")
    for (const key of [0, 1, 2]) expect(cache.get(Uint8Array.of(key), () => key)).toBe(key)
    expect(
      cache.get(Uint8Array.of(0), () => 100),
      "the oldest went",
    ).toBe(100)
    cache.forget(Uint8Array.of(0))
    expect(cache.get(Uint8Array.of(0), () => 101)).toBe(101)
    expect(cache.get(new Uint8Array(5000), () => 1)).toBe(1)
    expect(cache.get(new Uint8Array(5000), () => 2)).toBe(2)
  })
})

// A point with an x so small that x + p still fits 32 octets.
function overlongPoint(): string {
  for (let x = 0n; ; x++) {
    try {
      const { y } = nistP256.Point.fromHex(`02${coordinate(x)}`).toAffine()
      return `0x04${coordinate(x + P)}${coordinate(y)}`
    } catch {
      continue
    }
  }
}

function notAPoint(): Uint8Array {
  for (let y = 2; ; y++) {
    const candidate = new Uint8Array(32)
    candidate[0] = y
    try {
      ed25519.Point.fromBytes(candidate)
    } catch {
      return candidate
    }
  }
}

describe("the quick look at a point", () => {
  it("accepts what the library accepts, and nothing else", () => {
    const prefix = fromHex("0x3059301306072a8648ce3d020106082a8648ce3d030107034200")
    const isSound = (point: Uint8Array): boolean => {
      try {
        parsePublicKey(concatBytes(prefix, point))
        return true
      } catch (error) {
        if (error instanceof PublicKeyInvalidError) return false
        throw error
      }
    }
    const isPoint = (point: Uint8Array): boolean => {
      try {
        nistP256.Point.fromBytes(point)
        return true
      } catch {
        return false
      }
    }
    const coordinates = (x: bigint, y: bigint): Uint8Array =>
      fromHex(`0x04${x.toString(16).padStart(64, "0")}${y.toString(16).padStart(64, "0")}`)
    let sound = 0
    for (let scalar = 1n; scalar <= 60n; scalar++) {
      const { x, y } = nistP256.Point.BASE.multiply(scalar * 0x1234_5678_9abcn).toAffine()
      const tries = [
        [x, y],
        [x, P - y],
        [x, y ^ 1n],
        [x ^ 1n, y],
        [y, x],
        [x, 0n],
        [0n, y],
        // The same residues, written with the prime added: not canonical.
        ...[x + P, P].filter((value) => value < 2n ** 256n).map((value) => [value, y]),
      ]
      for (const [first = 0n, second = 0n] of tries) {
        const point = coordinates(first, second)
        expect(isSound(point)).toBe(isPoint(point))
        if (isSound(point)) sound++
      }
    }
    expect(sound).toBeGreaterThanOrEqual(120)
  })
})
