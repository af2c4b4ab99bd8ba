import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { encodeCbor } from "../../../client/cose/cbor.ts"
import type { CborValue } from "../../../client/cose/cbor.ts"
import {
  decodeRawPublicKey,
  encodeRawPublicKey,
  encodeRawPublicKeyPayload,
  verifyRawPublicKey,
} from "../../../client/cose/rawPublicKey.ts"
import type { RawPublicKeyFields } from "../../../client/cose/rawPublicKey.ts"
import { decodeSign1, encodeSign1, signSign1 } from "../../../client/cose/sign1.ts"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { equalBytes, toHex } from "../../../client/crypto/hex.ts"
import { keyIdOf } from "../../../client/crypto/keyId.ts"
import { nobleCrypto } from "../../../client/crypto/nobleCrypto.ts"
import { sha256 } from "../../../client/crypto/sha256.ts"
import { generateP256Key, signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import {
  CoseError,
  RawPublicKeyFieldError,
  RawPublicKeyMalformedError,
  RawPublicKeySignatureError,
} from "../../../client/errors/cose.ts"
import { CryptoError, PublicKeyInvalidError } from "../../../client/errors/crypto.ts"

const crypto = defaultCrypto()
const deviceId = Uint8Array.from({ length: 16 }, (_, i) => 0xd0 + i)
let signer: KeySigner
let fields: RawPublicKeyFields
let bytes: Uint8Array

beforeAll(async () => {
  signer = await generateP256Key()
  fields = { spki: signer.spki, notBefore: 1_800_000_000, notAfter: 1_900_000_000, deviceId }
  bytes = await encodeRawPublicKey({ ...fields, signer })
})

/** A credential over another payload, rightly signed. */
async function signed(payload: Uint8Array): Promise<Uint8Array> {
  return signSign1({ payload, signer })
}

/** The payload with some entries set; `undefined` removes one. */
function payloadWith(...entries: [CborValue, CborValue][]): Uint8Array {
  const map = new Map<CborValue, CborValue>([
    [1, fields.spki],
    [2, fields.notBefore],
    [3, fields.notAfter],
    [4, fields.deviceId],
  ])
  for (const [key, value] of entries) {
    if (value === undefined) map.delete(key)
    else map.set(key, value)
  }
  return encodeCbor(map)
}

async function keyOf(algorithm: EcKeyGenParams | { name: string }): Promise<KeySigner> {
  const pair = (await globalThis.crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair
  return signerFromPkcs8(new Uint8Array(await globalThis.crypto.subtle.exportKey("pkcs8", pair.privateKey)))
}

describe("encodeRawPublicKey and decodeRawPublicKey", () => {
  it("give back every field, with the hashes by which the ledger knows it", async () => {
    const decoded = await verifyRawPublicKey(bytes, crypto)
    expect(decoded).toMatchObject({ ...fields, keyAlgorithm: "p256", keyId: keyIdOf(signer.spki) })
    expect(decoded.payload).toEqual(encodeRawPublicKeyPayload(fields))
    expect(decoded.credentialHash).toBe(toHex(sha256(decoded.payload)))
    await expect(verifyRawPublicKey(bytes, nobleCrypto)).resolves.toEqual(decoded)
  })

  it("begin the payload with a4 01 58 5b, so that the SubjectPublicKeyInfo is at offset 4", () => {
    const { payload } = decodeRawPublicKey(bytes)
    expect(toHex(payload.subarray(0, 4))).toBe("0xa401585b")
    expect(payload.subarray(4, 95)).toEqual(signer.spki)
  })

  it("work with P-384 and Ed25519 keys, and with device ids of up to 64 octets", async () => {
    for (const algorithm of [{ name: "ECDSA", namedCurve: "P-384" }, { name: "Ed25519" }]) {
      const key = await keyOf(algorithm)
      const long = new Uint8Array(64).fill(7)
      const credential = await encodeRawPublicKey({ ...fields, spki: key.spki, deviceId: long, signer: key })
      const decoded = await verifyRawPublicKey(credential, crypto)
      expect(decoded).toMatchObject({ keyAlgorithm: key.algorithm, keyId: key.keyId, deviceId: long })
      expect(decoded.payload[0]).toBe(0xa4)
    }
  })

  it("keep the credential hash when the signature is made anew or replaced by its twin", async () => {
    const again = decodeRawPublicKey(await encodeRawPublicKey({ ...fields, signer }))
    expect(again.credentialHash).toBe(decodeRawPublicKey(bytes).credentialHash)
  })

  it.each<[string, Partial<RawPublicKeyFields>]>([
    ["notBefore", { notBefore: -1 }],
    ["notBefore", { notBefore: 1.5 }],
    ["notBefore", { notBefore: NaN }],
    ["notAfter", { notAfter: 2 ** 40 }],
    ["notAfter", { notAfter: 1_799_999_999 }],
    ["deviceId", { deviceId: new Uint8Array(15) }],
    ["deviceId", { deviceId: new Uint8Array(65) }],
  ])("refuse to write or read a bad %s", async (field, bad) => {
    const error: unknown = expect.objectContaining({ name: "RawPublicKeyFieldError", field })
    await expect(encodeRawPublicKey({ ...fields, ...bad, signer })).rejects.toEqual(error)
    const { notBefore, notAfter, deviceId: id } = { ...fields, ...bad }
    if (!Number.isInteger(notBefore) || notBefore < 0) return
    const payload = payloadWith([2, notBefore], [3, notAfter], [4, id])
    await expect(verifyRawPublicKey(await signed(payload), crypto)).rejects.toEqual(error)
  })

  it("refuse to sign for another key than the one named", async () => {
    const other = await generateP256Key()
    await expect(encodeRawPublicKey({ ...fields, signer: other })).rejects.toThrow(RawPublicKeyFieldError)
  })

  it("refuse keys that are off the curve, compressed, cut, or RSA", async () => {
    const off = fields.spki.slice()
    off[90]! ^= 1
    const rsa = { name: "RSA-PSS", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" }
    const pair = await globalThis.crypto.subtle.generateKey(rsa, true, ["sign", "verify"])
    const rsaSpki = new Uint8Array(await globalThis.crypto.subtle.exportKey("spki", pair.publicKey))
    for (const spki of [off, fields.spki.subarray(0, 90), new Uint8Array(0), new Uint8Array(91)]) {
      expect(() => encodeRawPublicKeyPayload({ ...fields, spki })).toThrow(PublicKeyInvalidError)
      await expect(verifyRawPublicKey(await signed(payloadWith([1, spki])), crypto)).rejects.toThrow(
        PublicKeyInvalidError,
      )
    }
    expect(() => encodeRawPublicKeyPayload({ ...fields, spki: rsaSpki })).toThrow(RawPublicKeyFieldError)
  })
})

describe("verifyRawPublicKey", () => {
  it("refuses a credential signed by another key", async () => {
    const thief = await generateP256Key()
    const stolen = await signSign1({ payload: encodeRawPublicKeyPayload(fields), signer: thief })
    expect(decodeRawPublicKey(stolen).keyId).toBe(signer.keyId)
    await expect(verifyRawPublicKey(stolen, crypto)).rejects.toThrow(RawPublicKeySignatureError)
  })

  it.each<[string, () => Uint8Array]>([
    ["a fifth entry", () => payloadWith([5, 1])],
    ["a missing entry", () => payloadWith([4, undefined])],
    ["another key in place of one", () => payloadWith([4, undefined], [5, deviceId])],
    ["a key in text", () => payloadWith([1, "key"])],
    ["a time in text", () => payloadWith([2, "1800000000"])],
    ["a time beyond 53 bits", () => payloadWith([3, 2n ** 60n])],
    ["a device id in text", () => payloadWith([4, "0123456789abcdef"])],
    ["an array", () => encodeCbor([1, 2, 3, 4])],
    ["no CBOR", () => Uint8Array.of(0xff)],
    ["nothing", () => new Uint8Array(0)],
    ["a byte behind the map", () => new Uint8Array([...payloadWith(), 0])],
    ["a length that is not in its shortest form", () => spliced(payloadWith(), 1, 3, [0x01, 0x59, 0x00, 0x5b])],
    ["keys out of order", () => spliced(payloadWith(), 95, 12, [0x03, ...time(3), 0x02, ...time(2)])],
  ])("refuses a payload with %s, though rightly signed", async (_, payload) => {
    await expect(verifyRawPublicKey(await signed(payload()), crypto)).rejects.toThrow(RawPublicKeyMalformedError)
  })

  it("refuses every other encoding of the same message", async () => {
    const message = decodeSign1(bytes)
    const { payload, signature, protectedBytes, unprotectedHeaders } = message
    const others = [
      bytes.subarray(1), // without the tag
      encodeSign1({ ...message, unprotectedHeaders: new Map([[4, deviceId]]) }),
      encodeSign1({ ...message, protectedBytes: encodeCbor(new Map<CborValue, CborValue>([[1, -9]])) }),
      encodeSign1({
        ...message,
        protectedBytes: encodeCbor(
          new Map<CborValue, CborValue>([
            [1, -7],
            [3, 0],
          ]),
        ),
      }),
      encodeSign1({ ...message, signature: signature.subarray(1) }),
      encodeSign1({ ...message, payload: null }),
      encodeCbor([protectedBytes, unprotectedHeaders, payload, signature]),
      new Uint8Array([...bytes, 0]),
      new Uint8Array(2000),
    ]
    for (const other of others) expect(() => decodeRawPublicKey(other)).toThrow(RawPublicKeyMalformedError)
  })

  it("refuses every flip of one bit", async () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      await expect(verifyRawPublicKey(flipped, crypto).catch(refusal)).resolves.toBe("refused")
    }
  })

  it("refuses every cut", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeRawPublicKey(bytes.subarray(0, length))).toThrow(RawPublicKeyMalformedError)
    }
  })

  it("never crashes on noise, and what is read has no other encoding", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), fc.nat({ max: 250 }), async (noise, at) => {
        for (const input of [noise, spliced(bytes, at, noise.length, [...noise])]) {
          const verdict = await verifyRawPublicKey(input, crypto).catch(refusal)
          expect(verdict === "refused" || equalBytes(input, bytes)).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

/** Named errors are refusals; all others are defects. */
function refusal(error: unknown): "refused" {
  if (error instanceof CoseError || error instanceof CryptoError) return "refused"
  throw error
}

function spliced(input: Uint8Array, at: number, count: number, replacement: number[]): Uint8Array {
  return Uint8Array.from([...input].toSpliced(at, count, ...replacement))
}

/** The five bytes of the time under key 2 or 3. */
function time(key: 2 | 3): Uint8Array {
  return encodeCbor(key === 2 ? fields.notBefore : fields.notAfter)
}
