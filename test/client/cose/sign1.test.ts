import { readFileSync } from "node:fs"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { CborTag, decodeCbor, encodeCbor } from "../../../client/cose/cbor.ts"
import type { CborValue } from "../../../client/cose/cbor.ts"
import { decodeSign1, encodeSign1, sign1ToBeSigned, signSign1, verifySign1 } from "../../../client/cose/sign1.ts"
import type { SignSign1Parameters, VerifySign1Parameters } from "../../../client/cose/sign1.ts"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { fromHex, toHex } from "../../../client/crypto/hex.ts"
import { nobleCrypto } from "../../../client/crypto/nobleCrypto.ts"
import { encodePublicKey } from "../../../client/crypto/publicKey.ts"
import { generateP256Key, signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import {
  CborError,
  CoseAlgorithmError,
  CoseCriticalHeaderError,
  CoseError,
  CoseMalformedError,
  CosePayloadError,
  CoseTagError,
} from "../../../client/errors/cose.ts"
import { CryptoError } from "../../../client/errors/crypto.ts"

type Vector = {
  file: string
  fail: boolean
  plaintext: string
  external: string
  alg: string
  toBeSigned: string
  cbor: string
  key: { crv: string; x?: string; y?: string; x_hex?: string }
}

const vectorsUrl = new URL("../../vectors/cose/sign1.json", import.meta.url)
const vectors = JSON.parse(readFileSync(vectorsUrl, "utf8")) as Vector[]
const text = (string: string): Uint8Array => new TextEncoder().encode(string)
const hex = (digits: string): Uint8Array => fromHex(`0x${digits}`)

function spkiOf({ key }: Vector): Uint8Array {
  if (key.crv === "Ed25519") return encodePublicKey("ed25519", hex(key.x_hex!))
  const part = (base64url: string): Uint8Array => new Uint8Array(Buffer.from(base64url, "base64url"))
  const point = new Uint8Array([4, ...part(key.x!), ...part(key.y!)])
  return encodePublicKey(key.crv === "P-256" ? "p256" : "p384", point)
}

/** Algorithms that are not read here: ES512 (twice) and Ed448. */
const UNSUPPORTED = new Set([
  "ecdsa-examples/ecdsa-sig-03.json",
  "ecdsa-examples/ecdsa-sig-04.json",
  "eddsa-examples/eddsa-sig-02.json",
])
/** Its algorithm is not protected, which RFC 9052, 3.1 forbids. */
const UNPROTECTED = "sign1-tests/sign-pass-01.json"

describe.each([defaultCrypto(), nobleCrypto])(
  "verifySign1 on the COSE working group's examples, with $name",
  (crypto) => {
    const good = vectors.filter(({ fail, file }) => !fail && !UNSUPPORTED.has(file) && file !== UNPROTECTED)

    it("has something to accept", () => {
      expect(vectors).toHaveLength(11)
      expect(good).toHaveLength(5)
    })

    it.each(good)("accepts $file", async (vector) => {
      const parameters = { spki: spkiOf(vector), crypto, externalAad: hex(vector.external) }
      await expect(verifySign1(hex(vector.cbor), parameters)).resolves.toBe(true)
      await expect(verifySign1(decodeSign1(hex(vector.cbor)), parameters)).resolves.toBe(true)
      await expect(verifySign1(hex(vector.cbor), { ...parameters, externalAad: text("other") })).resolves.toBe(false)
    })

    it("refuses a wrong tag by name, and a changed signature", async () => {
      const [wrongTag, changed] = vectors.filter(({ fail }) => fail) as [Vector, Vector]
      await expect(verifySign1(hex(wrongTag.cbor), { spki: spkiOf(wrongTag), crypto })).rejects.toThrow(CoseTagError)
      await expect(verifySign1(hex(changed.cbor), { spki: spkiOf(changed), crypto })).resolves.toBe(false)
    })

    it("refuses an algorithm that is only in the unprotected header", async () => {
      const vector = vectors.find(({ file }) => file === UNPROTECTED)!
      await expect(verifySign1(hex(vector.cbor), { spki: spkiOf(vector), crypto })).rejects.toThrow(CoseAlgorithmError)
    })

    it.each(vectors.filter(({ file }) => UNSUPPORTED.has(file)))(
      "refuses $file, $alg with $key.crv",
      async (vector) => {
        const spki = spkiOf(vectors[0]!)
        await expect(verifySign1(hex(vector.cbor), { spki, crypto })).rejects.toThrow(CoseAlgorithmError)
      },
    )
  },
)

describe("sign1ToBeSigned", () => {
  it.each(vectors.filter(({ fail }) => !fail))("is that of $file", (vector) => {
    const { protectedBytes, payload } = decodeSign1(hex(vector.cbor))
    const bytes = sign1ToBeSigned({ protectedBytes, payload: payload!, externalAad: hex(vector.external) })
    expect(toHex(bytes)).toBe(`0x${vector.toBeSigned.toLowerCase()}`)
  })
})

describe("signSign1 and verifySign1", () => {
  const crypto = defaultCrypto()
  const payload = text("reading 17")
  const signers: KeySigner[] = []
  let other: KeySigner

  beforeAll(async () => {
    const curves = [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", namedCurve: "P-384" }, { name: "Ed25519" }]
    for (const curve of curves) {
      const pair = (await globalThis.crypto.subtle.generateKey(curve, true, ["sign", "verify"])) as CryptoKeyPair
      const pkcs8 = await globalThis.crypto.subtle.exportKey("pkcs8", pair.privateKey)
      signers.push(await signerFromPkcs8(new Uint8Array(pkcs8)))
    }
    other = await generateP256Key()
  })

  const sign = (more: Partial<SignSign1Parameters> = {}): Promise<Uint8Array> =>
    signSign1({ payload, signer: signers[0]!, ...more })
  const verify = (message: Uint8Array, more: Partial<VerifySign1Parameters> = {}): Promise<boolean> =>
    verifySign1(message, { spki: signers[0]!.spki, crypto, ...more })

  it("work with P-256, P-384 and Ed25519 keys, and with no other key", async () => {
    expect(signers.map(({ algorithm }) => algorithm)).toEqual(["p256", "p384", "ed25519"])
    for (const [i, signer] of signers.entries()) {
      const message = await sign({ signer, kid: text("11") })
      expect(decodeSign1(message).protectedHeaders).toEqual(new Map([[1, [-7, -35, -8][i]]]))
      await expect(verify(message, { spki: signer.spki })).resolves.toBe(true)
      await expect(verify(message, { spki: signer.spki, crypto: nobleCrypto })).resolves.toBe(true)
      for (const stranger of signers.filter((one) => one !== signer)) {
        await expect(verify(message, { spki: stranger.spki })).rejects.toThrow(CoseAlgorithmError)
      }
    }
    await expect(verify(await sign(), { spki: other.spki })).resolves.toBe(false)
  })

  it("accept the fully specified algorithms of RFC 9864", async () => {
    for (const [i, id] of [-9, -51, -19].entries()) {
      const signer = signers[i]!
      const protectedBytes = encodeCbor(new Map([[1, id]]))
      const signature = await signer.sign(sign1ToBeSigned({ protectedBytes, payload }))
      const message = encodeSign1(plainMessage({ protectedBytes, signature }))
      await expect(verify(message, { spki: signer.spki })).resolves.toBe(true)
    }
  })

  it("verify PS256, and do not sign with RSA", async () => {
    const name = { name: "RSA-PSS", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" }
    const pair = await globalThis.crypto.subtle.generateKey(name, true, ["sign", "verify"])
    const spki = new Uint8Array(await globalThis.crypto.subtle.exportKey("spki", pair.publicKey))
    const protectedBytes = encodeCbor(new Map([[1, -37]]))
    const toBeSigned = new Uint8Array(sign1ToBeSigned({ protectedBytes, payload }))
    const pss = { name: "RSA-PSS", saltLength: 32 }
    const signature = new Uint8Array(await globalThis.crypto.subtle.sign(pss, pair.privateKey, toBeSigned))
    await expect(verify(encodeSign1(plainMessage({ protectedBytes, signature })), { spki })).resolves.toBe(true)

    const rsa = { ...signers[0]!, algorithm: "rsa" as const }
    await expect(sign({ signer: rsa })).rejects.toThrow(CoseAlgorithmError)
  })

  it("carry a payload outside the message", async () => {
    const message = await sign({ detached: true })
    expect(decodeSign1(message).payload).toBeNull()
    await expect(verify(message, { detachedPayload: payload })).resolves.toBe(true)
    await expect(verify(message, { detachedPayload: text("reading 18") })).resolves.toBe(false)
    await expect(verify(message)).rejects.toThrow(CosePayloadError)
    await expect(verify(await sign(), { detachedPayload: payload })).rejects.toThrow(CosePayloadError)
  })

  it("tell an empty payload from a detached one", async () => {
    const message = await sign({ payload: new Uint8Array(0) })
    await expect(verify(message)).resolves.toBe(true)
    expect(decodeSign1(message).payload).toEqual(new Uint8Array(0))
  })

  it("read large messages when told to", async () => {
    const message = await sign({ payload: new Uint8Array(100_000) })
    await expect(verify(message)).rejects.toThrow(CborError)
    await expect(verify(message, { maxBytes: 200_000 })).resolves.toBe(true)
  })

  it("accept both s and n - s, and refuse r or s of 0 and another length", async () => {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const message = decodeSign1(await sign())
    const s = BigInt(toHex(message.signature.subarray(32)))
    const twin = message.signature.slice()
    twin.set(fromHex(`0x${(order - s).toString(16).padStart(64, "0")}`), 32)
    await expect(verify(encodeSign1({ ...message, signature: twin }))).resolves.toBe(true)

    const zero = message.signature.slice()
    zero.fill(0, 0, 32)
    const bad = [
      zero,
      new Uint8Array(64),
      new Uint8Array(64).fill(255),
      new Uint8Array(0),
      twin.slice(1),
      new Uint8Array(96),
    ]
    for (const signature of bad) await expect(verify(encodeSign1({ ...message, signature }))).resolves.toBe(false)
  })

  it("refuse critical headers that are not understood, not protected or not a list", async () => {
    const critical = (value: CborValue, ...others: [CborValue, CborValue][]): Promise<Uint8Array> =>
      sign({ protectedHeaders: new Map<CborValue, CborValue>([[2, value], ...others]) })

    await expect(verify(await critical([99], [99, 1]))).rejects.toThrow(CoseCriticalHeaderError)
    await expect(verify(await critical(["x"], ["x", 1]))).rejects.toThrow(CoseCriticalHeaderError)
    await expect(verify(await critical([1, 99], [99, 1]))).rejects.toThrow(CoseCriticalHeaderError)
    await expect(verify(await critical([99]), { understood: [99] })).rejects.toThrow(CoseCriticalHeaderError)
    await expect(verify(await critical([]))).rejects.toThrow(CoseCriticalHeaderError)
    await expect(verify(await critical(1))).rejects.toThrow(CoseCriticalHeaderError)
    await expect(verify(await critical([99], [99, 1]), { understood: [99] })).resolves.toBe(true)
    await expect(verify(await critical([1]))).resolves.toBe(true)

    const message = decodeSign1(await sign())
    const unprotected = encodeSign1({ ...message, unprotectedHeaders: new Map([[2, [1]]]) })
    await expect(verify(unprotected)).rejects.toThrow(CoseCriticalHeaderError)
  })

  it("refuse algorithms that are absent, unknown, text, or symmetric", async () => {
    for (const headers of [new Map(), new Map([[1, -65_000]]), new Map([[1, "ES256"]]), new Map([[1, 5]])]) {
      const message = encodeSign1(plainMessage({ protectedBytes: encodeCbor(headers as Map<CborValue, CborValue>) }))
      await expect(verify(message)).rejects.toThrow(CoseAlgorithmError)
    }
    await expect(verify(encodeSign1(plainMessage({ protectedBytes: new Uint8Array(0) })))).rejects.toThrow(
      CoseAlgorithmError,
    )
  })

  it("judge a decoded message by the bytes that were signed, not by what the object says they mean", async () => {
    const message = decodeSign1(
      await sign({
        protectedHeaders: new Map<CborValue, CborValue>([
          [2, [99]],
          [99, 1],
        ]),
      }),
    )
    const lying = { ...message, protectedHeaders: new Map([[1, -7]]) }
    await expect(verifySign1(lying, { spki: signers[0]!.spki, crypto })).rejects.toThrow(CoseCriticalHeaderError)
  })

  it("refuse every flip of one bit, by a verdict or by name", async () => {
    const message = await sign({ kid: text("k") })
    const unprotectedFlips: number[] = []
    for (let bit = 0; bit < message.length * 8; bit++) {
      const flipped = message.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const verdict = await verify(flipped).catch(refusal)
      if (verdict) unprotectedFlips.push(bit >> 3)
    }
    // Only the unprotected header is not signed: label 4 and the byte string "k".
    const from = message.indexOf(0xa1, 3)
    const at = message.indexOf(0xa1, from + 1) + 1
    expect(unprotectedFlips.every((place) => place >= at && place < at + 3)).toBe(true)
  })

  it("never crash on noise inside a message", async () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.constantFrom<CborValue>(null, 1, "x", [], new Map(), true),
    )
    const parts = fc.array(part, { minLength: 3, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(parts, fc.boolean(), async (some: CborValue[], tagged) => {
        const message = encodeCbor(tagged ? new CborTag(18, some) : some)
        expect(await verify(message).catch(refusal)).toBe(false)
      }),
      { numRuns: 1000 },
    )
  })
})

describe("decodeSign1", () => {
  const parts = (...values: CborValue[]): Uint8Array => encodeCbor(new CborTag(18, values))
  const bytes = new Uint8Array(1)
  const none = new Uint8Array(0)

  it.each<[string, Uint8Array]>([
    ["a number", encodeCbor(1)],
    ["three parts", parts(none, new Map(), bytes)],
    ["five parts", parts(none, new Map(), bytes, bytes, bytes)],
    ["a protected header that is a map", parts(new Map(), new Map(), bytes, bytes)],
    ["a protected header that is no CBOR", parts(Uint8Array.of(0xff), new Map(), bytes, bytes)],
    ["a protected header with a byte behind", parts(hex("a1012600"), new Map(), bytes, bytes)],
    ["a protected header that is an array", parts(Uint8Array.of(0x80), new Map(), bytes, bytes)],
    ["a protected header with a key twice", parts(hex("a201260126"), new Map(), bytes, bytes)],
    ["an unprotected header that is a byte string", parts(none, bytes, bytes, bytes)],
    ["a label that is a byte string", parts(none, new Map([[bytes, 1]]), bytes, bytes)],
    ["a label in both headers", parts(hex("a10126"), new Map([[1, -7]]), bytes, bytes)],
    ["a payload in text", parts(none, new Map(), "x", bytes)],
    ["a signature of nil", parts(none, new Map(), bytes, null)],
  ])("refuses %s", (_, message) => {
    expect(() => decodeSign1(message)).toThrow(CoseMalformedError)
  })

  it("refuses a tag inside a tag, and other tags", () => {
    const good = [none, new Map(), bytes, bytes]
    expect(() => decodeSign1(encodeCbor(new CborTag(18, new CborTag(18, good))))).toThrow(CoseMalformedError)
    expect(() => decodeSign1(encodeCbor(new CborTag(98, good)))).toThrow(CoseTagError)
    expect(() => decodeSign1(encodeCbor(new CborTag(2n ** 60n, good)))).toThrow(CoseTagError)
    expect(decodeSign1(encodeCbor(good)).payload).toEqual(bytes)
  })

  it("refuses loose CBOR", () => {
    expect(() => decodeSign1(hex("d2 84 40 bf ff 41 00 41 00".replaceAll(" ", "")))).toThrow(CborError)
    expect(() => decodeSign1(new Uint8Array(70_000))).toThrow(CborError)
    expect(decodeCbor(hex("80"))).toEqual([])
  })
})

/** Named errors are refusals; all others are defects. */
function refusal(error: unknown): boolean {
  if (error instanceof CborError || error instanceof CoseError || error instanceof CryptoError) return false
  throw error
}

function plainMessage({
  protectedBytes,
  signature = new Uint8Array(64).fill(1),
}: {
  protectedBytes: Uint8Array
  signature?: Uint8Array
}) {
  const payload = text("reading 17")
  return { protectedBytes, protectedHeaders: new Map(), unprotectedHeaders: new Map(), payload, signature }
}
