import { createHash } from "node:crypto"
import { beforeAll, describe, expect, it } from "vitest"
import { signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { keyIdOf } from "../../../client/crypto/keyId.ts"
import { counterTlv, TLV_TYPE, writeMcuboot } from "../../helpers/mcuboot.ts"
import type { McubootToWrite, TlvToWrite } from "../../helpers/mcuboot.ts"
import { inspect, isSigned, publicKey, refusal, streamOf, vector } from "./inspect.ts"
import { makeKey } from "./openssl.ts"

const VECTORS: [file: string, key: string | undefined, counter: number | undefined, description: string][] = [
  ["p256-a-v1.4.0.bin", "key-a", 7, "1.4.0+7"],
  ["p256-a-v1.3.9.bin", "key-a", 6, "1.3.9+6"],
  ["p256-a-v1.4.1-padded.bin", "key-a", 8, "1.4.1+8"],
  ["p256-b-v1.4.0.bin", "key-b", 7, "1.4.0+7"],
  ["ed25519-v1.4.0.bin", "key-ed", 7, "1.4.0+7"],
  ["rsa2048-v1.4.0.bin", "key-rsa", 7, "1.4.0+7"],
  ["unsigned-v1.4.0.bin", undefined, undefined, "1.4.0+7"],
]
const KEYS = ["key-a", "key-b", "key-ed", "key-rsa"]

describe("MCUboot images made by imgtool", () => {
  it.each(VECTORS)("%s: signed by %s, counter %s", async (file, key, counter, version) => {
    const image = vector(`mcuboot/${file}`)
    const inspection = await inspect(image)

    expect(inspection.format).toBe("mcuboot")
    expect(inspection.securityVersion).toBe(counter)
    expect(inspection.description).toContain(`image ${version},`)
    const signers: string[] = []
    for (const other of KEYS) {
      if (await isSigned(inspection, publicKey(`mcuboot/${other}.pub.pem`))) signers.push(other)
    }
    expect(signers).toEqual(key === undefined ? [] : [key])
    expect(inspection.claims).toHaveLength(key === undefined ? 0 : 1)
  })

  it("names its signer by the ledger's key id", async () => {
    const inspection = await inspect(vector("mcuboot/p256-a-v1.4.0.bin"))
    expect(inspection.claims[0]?.keyId).toBe(keyIdOf(publicKey("mcuboot/key-a.pub.pem")))
  })

  it("covers header, payload and protected TLVs, whoever signed and whatever pads", async () => {
    const digests = await Promise.all(
      ["p256-a-v1.4.0.bin", "p256-b-v1.4.0.bin", "ed25519-v1.4.0.bin"].map(
        async (file) => (await inspect(vector(`mcuboot/${file}`))).imageDigest,
      ),
    )
    const covered = vector("mcuboot/p256-a-v1.4.0.bin").subarray(0, 51_532)
    expect(new Set(digests)).toEqual(new Set([`0x${createHash("sha256").update(covered).digest("hex")}`]))

    const padded = vector("mcuboot/p256-a-v1.4.1-padded.bin")
    const end = padded.findLastIndex((byte, i) => byte !== 0xff && i < padded.length - 16) + 1
    const bare = await inspect(padded.slice(0, end))
    expect(bare.imageDigest).toBe((await inspect(padded)).imageDigest)
  })

  it.each([1, 7, 1_000, 1 << 20])("gives the same from a stream in chunks of %i", async (chunk) => {
    const image = vector("mcuboot/rsa2048-v1.4.0.bin")
    const streamed = await inspect(streamOf(image, chunk))
    const whole = await inspect(image)
    expect({ ...streamed, claims: [] }).toEqual({ ...whole, claims: [] })
    expect(await isSigned(streamed, publicKey("mcuboot/key-rsa.pub.pem"))).toBe(true)
  })
})

describe("MCUboot images of other makes", () => {
  let p256: KeySigner
  let p384: KeySigner
  let ed25519: KeySigner

  beforeAll(async () => {
    ;[p256, p384, ed25519] = (await Promise.all(
      (["p256", "p384", "ed25519"] as const).map(async (kind) => signerFromPkcs8(await makeKey(kind))),
    )) as [KeySigner, KeySigner, KeySigner]
  })

  it.each<[string, () => McubootToWrite]>([
    ["ECDSA P-256", () => ({ signer: p256 })],
    ["ECDSA P-384 over SHA-384", () => ({ signer: p384, hash: "sha384" })],
    ["Ed25519 over SHA-256", () => ({ signer: ed25519 })],
    ["Ed25519 over SHA-512", () => ({ signer: ed25519, hash: "sha512" })],
    ["Ed25519 over the image itself", () => ({ signer: ed25519, hash: "sha512", pure: true })],
    ["a full public key", () => ({ signer: p256, fullPublicKey: true })],
    ["a header of 0x200", () => ({ signer: p256, headerSize: 0x200, securityCounter: 3 })],
    ["two dependencies", () => ({ signer: p256, protectedTlvs: [dependency(1), dependency(2), counterTlv(9)] })],
    ["a slot padded with 0xff", () => ({ signer: p256, tail: new Uint8Array(500).fill(0xff) })],
    ["a slot padded with 0x00", () => ({ signer: p256, tail: new Uint8Array(500) })],
    ["a confirmed slot", () => ({ signer: p256, tail: trailer(200, 24) })],
    ["a confirmed slot, aligned to 32", () => ({ signer: p256, tail: trailer(200, 64, 32) })],
    ["P-256 filled up to 72 bytes", () => ({ signer: p256, unprotected: fillUp })],
  ])("accepts %s", async (_what, options) => {
    const { signer } = options()
    const image = await writeMcuboot(options())
    const inspection = await inspect(image)
    const spki = (signer as KeySigner).spki

    expect(await isSigned(inspection, spki)).toBe(true)
    expect(await isSigned(inspection, p256.spki, p384.spki, ed25519.spki)).toBe(true)
    expect(await isSigned(inspection, publicKey("mcuboot/key-a.pub.pem"))).toBe(false)
  })

  it("says that a signature over the image itself needs it twice", async () => {
    const image = await writeMcuboot({ signer: ed25519, hash: "sha512", pure: true })
    const inspection = await inspect(streamOf(image))
    await expect(isSigned(inspection, ed25519.spki)).rejects.toMatchObject({ code: "IMAGE_SOURCE" })
  })

  it("finds out when the image changes between two readings", async () => {
    const image = await writeMcuboot({ signer: ed25519, hash: "sha512", pure: true })
    const inspection = await inspect(image)
    image[40] = (image[40] as number) ^ 1
    await expect(isSigned(inspection, ed25519.spki)).rejects.toMatchObject({ code: "IMAGE_CHANGED" })
  })

  it.each<[string, string, () => Promise<Uint8Array>]>([
    ["an empty file", "ImageTruncatedError: size", async () => new Uint8Array(0)],
    ["a header cut short", "ImageTruncatedError: size", async () => (await writeMcuboot()).subarray(0, 31)],
    ["a header size below 32", "McubootHeaderError: format", () => patched(8, [31, 0])],
    ["an image size of 0", "McubootHeaderError: format", () => patched(12, [0, 0, 0, 0])],
    ["an image larger than the file", "ImageTruncatedError: size", () => patched(12, [0xff, 0xff, 0xff, 0xff])],
    ["a protected size of 2", "McubootHeaderError: format", () => patched(10, [2, 0])],
    ["a protected size without an area", "McubootHeaderError: format", () => patched(10, [8, 0])],
    ["an encrypted image", "ImageEncryptedError: format", () => writeMcuboot({ flags: 4 })],
    ["an encrypted image (AES-256)", "ImageEncryptedError: format", () => writeMcuboot({ flags: 8 })],
    ["a payload changed", "ImageDigestMismatchError: imageDigest", () => patched(40, [0])],
    ["a hash of another image", "ImageDigestMismatchError: imageDigest", () => unprotected(() => [hashTlv()])],
    ["no hash", "ImageHashMissingError: imageDigest", () => unprotected(() => [])],
    ["two hashes", "TlvDuplicateError: format", () => unprotected((tlvs) => [...tlvs, hashTlv()])],
    [
      "a hash too short",
      "TlvLengthError: format",
      () => unprotected(() => [{ type: 0x10, value: new Uint8Array(31) }]),
    ],
    ["two key hashes", "TlvDuplicateError: format", () => unprotected((tlvs) => [...tlvs, ...keyHashes(2)])],
    [
      "a key hash and a key",
      "TlvDuplicateError: format",
      () => unprotected((tlvs) => [...tlvs, ...keyHashes(1), key()]),
    ],
    ["two signatures", "TlvDuplicateError: format", () => unprotected((tlvs) => [...tlvs, ...signatures()])],
    ["an unknown TLV outside", "TlvMisplacedError: format", () => unprotected((tlvs) => [...tlvs, other()])],
    ["a security counter outside", "TlvMisplacedError: format", () => unprotected((tlvs) => [...tlvs, counterTlv(9)])],
    ["a hash inside", "TlvMisplacedError: format", () => writeMcuboot({ protectedTlvs: [hashTlv()] })],
    [
      "two counters",
      "TlvDuplicateError: format",
      () => writeMcuboot({ protectedTlvs: [counterTlv(1), counterTlv(2)] }),
    ],
    [
      "a counter of 8 bytes",
      "TlvLengthError: format",
      () => writeMcuboot({ protectedTlvs: [{ type: TLV_TYPE.counter, value: new Uint8Array(8) }] }),
    ],
    ["data behind the image", "ImageTrailingDataError: padding", () => writeMcuboot({ tail: Uint8Array.of(1) })],
    ["data in the padding", "ImageTrailingDataError: padding", () => writeMcuboot({ tail: hidden(300) })],
    ["a magic of no slot", "ImageTrailingDataError: padding", () => writeMcuboot({ tail: trailer(200, 24, 7) })],
    ["a TLV that overflows its area", "TlvOverflowError: format", () => overflow()],
  ])("refuses %s by name: %s", async (_what, expected, make) => {
    const image = await make()
    // An empty file begins like nothing at all, but is refused all the same.
    expect(await refusal(image)).toBe(expected)
    expect(await refusal(streamOf(image, 13))).toBe(expected)
  })

  it.each<[string, (tlvs: TlvToWrite[]) => TlvToWrite[]]>([
    ["RSA in an image of SHA-512", (tlvs) => [...tlvs, { type: TLV_TYPE.rsa2048, value: new Uint8Array(256) }]],
    ["ECDSA in an image of SHA-512", (tlvs) => [...tlvs, { type: TLV_TYPE.ecdsa, value: new Uint8Array(72) }]],
    ["pure without a signature", (tlvs) => [...tlvs, { type: TLV_TYPE.pure, value: Uint8Array.of(1) }]],
    [
      "pure with a value of 2",
      (tlvs) => [
        ...tlvs,
        { type: TLV_TYPE.ed25519, value: new Uint8Array(64) },
        { type: TLV_TYPE.pure, value: Uint8Array.of(2) },
      ],
    ],
  ])("refuses an unknown algorithm: %s", async (_what, change) => {
    expect(await refusal(await writeMcuboot({ hash: "sha512", unprotected: change }))).toBe(
      "ImageAlgorithmError: algorithm",
    )
  })

  it("does not take one key's signature for another's, nor for another image's", async () => {
    const other = await signerFromPkcs8(await makeKey("p256"))
    const image = await writeMcuboot({
      signer: p256,
      unprotected: (tlvs) =>
        tlvs.map((tlv) => (tlv.type === TLV_TYPE.keyHash ? { ...tlv, value: hash(other.spki) } : tlv)),
    })
    expect(await isSigned(await inspect(image), p256.spki, other.spki)).toBe(false)

    let stolen: TlvToWrite | undefined
    await writeMcuboot({
      signer: p256,
      payload: new Uint8Array(64).fill(1),
      unprotected: (tlvs) => {
        stolen = tlvs.at(-1)
        return tlvs
      },
    })
    const forged = await writeMcuboot({
      signer: p256,
      unprotected: (tlvs) => [...tlvs.slice(0, 2), stolen as TlvToWrite],
    })
    expect(await isSigned(await inspect(forged), p256.spki)).toBe(false)
  })

  async function overflow(): Promise<Uint8Array> {
    const image = await writeMcuboot()
    // The length of the hash, 36 bytes before the end.
    image[image.length - 34] = 0xff
    return image
  }
})

function patched(offset: number, bytes: readonly number[]): Promise<Uint8Array> {
  return writeMcuboot().then((image) => {
    image.set(bytes, offset)
    return image
  })
}

function unprotected(change: (tlvs: TlvToWrite[]) => TlvToWrite[]): Promise<Uint8Array> {
  return writeMcuboot({ unprotected: change })
}

function hash(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest())
}

function hashTlv(): TlvToWrite {
  return { type: TLV_TYPE.sha256, value: new Uint8Array(32).fill(7) }
}

function keyHashes(count: number): TlvToWrite[] {
  return Array.from({ length: count }, () => ({ type: TLV_TYPE.keyHash, value: new Uint8Array(32) }))
}

function key(): TlvToWrite {
  return { type: TLV_TYPE.publicKey, value: new Uint8Array(91) }
}

function signatures(): TlvToWrite[] {
  return [
    { type: TLV_TYPE.ecdsa, value: new Uint8Array(71) },
    { type: TLV_TYPE.ed25519, value: new Uint8Array(64) },
  ]
}

function other(): TlvToWrite {
  return { type: 0xa0, value: Uint8Array.of(1) }
}

function dependency(image: number): TlvToWrite {
  return { type: TLV_TYPE.dependency, value: new Uint8Array(12).fill(image) }
}

function fillUp(tlvs: TlvToWrite[]): TlvToWrite[] {
  return tlvs.map((tlv) => {
    if (tlv.type !== TLV_TYPE.ecdsa) return tlv
    const value = new Uint8Array(72)
    value.set(tlv.value)
    return { ...tlv, value }
  })
}

/** Erased flash with MCUboot's trailer: image_ok set, magic for this alignment. */
function trailer(length: number, imageOk: number, alignment = 8): Uint8Array {
  const tail = new Uint8Array(length).fill(0xff)
  tail[length - imageOk] = 1
  const magic =
    alignment === 8
      ? "77c295f360d2ef7f3552500f2cb67980"
      : `${alignment.toString(16).padStart(2, "0")}002de15d29410b8d77679c110f1f8a`
  tail.set(Buffer.from(magic, "hex"), length - 16)
  return tail
}

function hidden(length: number): Uint8Array {
  const tail = new Uint8Array(length).fill(0xff)
  tail[100] = 0xfe
  return tail
}
