import { createHash, randomBytes } from "node:crypto"
import { beforeAll, describe, expect, it } from "vitest"
import { ecdsaDerToRaw } from "../../../client/crypto/ecdsa.ts"
import { decodePem } from "../../../client/crypto/pem.ts"
import { bytesImage } from "../../../client/firmware/imageSource.ts"
import type { ImageInput } from "../../../client/firmware/imageSource.ts"
import { writeMcuboot } from "../../helpers/mcuboot.ts"
import { inspect, isSigned, publicKey, refusal, streamOf, vector } from "./inspect.ts"
import { inFolder, makeKey } from "./openssl.ts"
import type { KeyKind } from "./openssl.ts"

const PSS_32 = "-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32"

type Made = { image: Uint8Array; signature: Uint8Array; spki: Uint8Array }

/** What openssl is asked, by the kind of key: `dgst` and `pkeyutl`, each hash, each padding, each salt. */
const RECIPES: [string, KeyKind, string[]][] = [
  ["ECDSA P-256 with SHA-256", "p256", ["dgst", "-sha256", "-sign", "key.pem", "-out", "sig", "image"]],
  ["ECDSA P-256 with SHA-384", "p256", ["dgst", "-sha384", "-sign", "key.pem", "-out", "sig", "image"]],
  ["ECDSA P-256 with SHA-512", "p256", ["dgst", "-sha512", "-sign", "key.pem", "-out", "sig", "image"]],
  ["ECDSA P-384 with SHA-256", "p384", ["dgst", "-sha256", "-sign", "key.pem", "-out", "sig", "image"]],
  ["ECDSA P-384 with SHA-384", "p384", ["dgst", "-sha384", "-sign", "key.pem", "-out", "sig", "image"]],
  ["RSA PKCS#1 with SHA-256", "rsa", ["dgst", "-sha256", "-sign", "key.pem", "-out", "sig", "image"]],
  ["RSA PKCS#1 with SHA-512", "rsa3072", ["dgst", "-sha512", "-sign", "key.pem", "-out", "sig", "image"]],
  ["RSA-PSS, longest salt", "rsa", pss("sha256", "max")],
  ["RSA-PSS, salt as long as the hash", "rsa", pss("sha256", "digest")],
  ["RSA-PSS, no salt", "rsa3072", pss("sha384", "0")],
  ["RSA-PSS as openssl takes it", "rsa", pss("sha512")],
  ["Ed25519", "ed25519", ["pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "image", "-out", "sig"]],
  [
    "pkeyutl over the file, ECDSA",
    "p256",
    ["pkeyutl", "-sign", "-rawin", "-digest", "sha256", "-inkey", "key.pem", "-in", "image", "-out", "sig"],
  ],
  [
    "pkeyutl over a hash, ECDSA",
    "p256",
    ["pkeyutl", "-sign", "-inkey", "key.pem", "-in", "hash", "-pkeyopt", "digest:sha256", "-out", "sig"],
  ],
  [
    "pkeyutl over a hash, RSA-PSS",
    "rsa",
    `pkeyutl -sign -inkey key.pem -in hash -out sig -pkeyopt digest:sha256 ${PSS_32}`.split(" "),
  ],
]

describe("detached signatures made by openssl", () => {
  it.each(RECIPES)("accepts %s", async (_what, kind, recipe) => {
    const made = await make(kind, recipe)
    expect(await verdicts(made)).toEqual([true, true, true])
  })

  it.each(RECIPES)("refuses %s over another file, or with a byte of it changed", async (_what, kind, recipe) => {
    const { image, signature, spki } = await make(kind, recipe)
    const otherImage = image.slice()
    otherImage[100] = (otherImage[100] as number) ^ 1
    expect(await isBy(otherImage, signature, spki)).toBe(false)
    // The bits one by one are for everyBit.test.ts.
    const positions = [0, 1, 3, 4, 30, 35, 60, signature.length - 1]
    const accepted: number[] = []
    for (const at of positions) {
      const changed = signature.slice()
      changed[at] = (changed[at] as number) ^ 1
      if (await isBy(image, changed, spki)) accepted.push(at)
    }
    expect(accepted).toEqual([])
  })

  it("accepts r || s as well as DER", async () => {
    for (const [kind, length] of [
      ["p256", 32],
      ["p384", 48],
    ] as const) {
      const made = await make(kind, ["dgst", "-sha256", "-sign", "key.pem", "-out", "sig", "image"])
      expect(await verdicts({ ...made, signature: ecdsaDerToRaw(made.signature, length) })).toEqual([true, true, true])
    }
  })

  it("accepts the vector, by the key that made it alone", async () => {
    const image = vector("mcuboot/htc_9271-1.4.0.fw")
    const signature = vector("mcuboot/htc_9271-1.4.0.fw.sig")
    expect(await isBy(image, signature, publicKey("mcuboot/key-a.pub.pem"))).toBe(true)
    expect(await isBy(image, signature, publicKey("mcuboot/key-b.pub.pem"))).toBe(false)
    expect(await isBy(image, signature, publicKey("mcuboot/key-ed.pub.pem"))).toBe(false)
    const { imageDigest, format } = await inspect(image, { signature })
    expect([imageDigest, format]).toEqual([`0x${createHash("sha256").update(image).digest("hex")}`, "detached"])
  })

  it("does not take a signature for one file as one for another by the same key", async () => {
    const first = await make("ed25519", RECIPES[11]?.[2] ?? [])
    expect(await isBy(new Uint8Array(randomBytes(2_000)), first.signature, first.spki)).toBe(false)
  })
})

describe("detached signatures, badly made", () => {
  it.each([0, 1, 32, 63, 65, 73, 128, 255, 1_025, 100_000])("refuses %i random bytes by name", async (length) => {
    const signature = new Uint8Array(randomBytes(length)).fill(0xee, 0, 8)
    expect(await refusal(new Uint8Array(10), { signature })).toBe("DetachedSignatureError: signature")
  })

  it("refuses an ordinary signature in PEM or base64", async () => {
    const signature = new TextEncoder().encode(`${randomBytes(71).toString("base64")}\n`)
    expect(await refusal(new Uint8Array(10), { signature })).toBe("DetachedSignatureError: signature")
  })

  it.each([
    ["r = 0", "3006020100020101"],
    ["s = 0", "3006020101020100"],
    ["bytes behind", "300602010102010100"],
  ])("refuses ECDSA with %s", async (_what, hex) => {
    const signature = new Uint8Array(Buffer.from(hex, "hex"))
    expect(await refusal(new Uint8Array(10), { signature })).toBe("DetachedSignatureError: signature")
  })

  it("demands that an MCUboot image below a detached signature is whole", async () => {
    const image = await writeMcuboot()
    const { signature, spki } = await make("p256", RECIPES[0]?.[2] ?? [], image)
    const inspection = await inspect(image, { signature, candidates: [spki] })
    expect(inspection.format).toBe("detached")
    expect(await isSigned(inspection, spki)).toBe(true)
    // The bytes that MCUboot's own signature covers, without what is behind them, are no image.
    const cut = image.subarray(0, 96)
    const again = await make("p256", RECIPES[0]?.[2] ?? [], cut)
    expect(await refusal(cut, { signature: again.signature, candidates: [again.spki] })).toBe(
      "ImageTruncatedError: size",
    )
  })
})

describe("the digest of a plain file", () => {
  let image: Uint8Array
  beforeAll(() => {
    image = new Uint8Array(randomBytes(3_000_000))
  })

  it.each<[string, () => ImageInput]>([
    ["bytes", () => image],
    ["a source", () => bytesImage(image)],
    ["a stream", () => streamOf(image, 65_521)],
    ["a ReadableStream", () => readable(streamOf(image, 100_000))],
  ])("is SHA-256 of the whole, from %s", async (_what, input) => {
    const { imageDigest } = await inspect(input())
    expect(imageDigest).toBe(`0x${createHash("sha256").update(image).digest("hex")}`)
  })
})

/** By random access, as a stream, and as a stream among other keys. */
async function verdicts({ image, signature, spki }: Made): Promise<boolean[]> {
  const others = [publicKey("mcuboot/key-ed.pub.pem"), publicKey("mcuboot/key-rsa.pub.pem")]
  return [
    await isBy(image, signature, spki),
    await isBy(streamOf(image), signature, spki),
    await isSigned(await inspect(streamOf(image), { signature, candidates: [...others, spki] }), ...others, spki),
  ]
}

/** Whether the signature is the key's; one that is refused for its form alone is nobody's. */
async function isBy(image: ImageInput, signature: Uint8Array, spki: Uint8Array): Promise<boolean> {
  try {
    return await isSigned(await inspect(image, { signature, candidates: [spki] }), spki)
  } catch (error) {
    if ((error as { code?: string }).code === "DETACHED_SIGNATURE") return false
    throw error
  }
}

function make(kind: KeyKind, recipe: string[], image: Uint8Array = new Uint8Array(randomBytes(5_000))): Promise<Made> {
  return inFolder(async ({ write, read, openssl }) => {
    await write("key.pem", await makeKey(kind))
    await write("image", image)
    await write("hash", createHash("sha256").update(image).digest())
    await openssl("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
    await openssl(...recipe)
    const [block] = decodePem(new TextDecoder().decode(await read("pub.pem")), "PUBLIC KEY")
    return { image, signature: await read("sig"), spki: block?.der as Uint8Array }
  })
}

/** As a browser's fetch gives it. */
function readable(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await chunks.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
  })
}

function pss(hash: string, salt?: string): string[] {
  const length = salt === undefined ? [] : ["-sigopt", `rsa_pss_saltlen:${salt}`]
  return ["dgst", `-${hash}`, "-sign", "key.pem", "-sigopt", "rsa_padding_mode:pss", ...length, "-out", "sig", "image"]
}
