import { createHash } from "node:crypto"
import { beforeAll, describe, expect, it } from "vitest"
import { encodeCbor } from "../../../client/cose/cbor.ts"
import type { CborValue } from "../../../client/cose/cbor.ts"
import { generateP256Key, signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { readSuitEnvelope } from "../../../client/firmware/suitEnvelope.ts"
import { digestOf, writeSuit } from "../../helpers/suit.ts"
import type { SuitToWrite } from "../../helpers/suit.ts"
import { inspect, isSigned, publicKey, refusal, streamOf, vector } from "./inspect.ts"
import { makeKey } from "./openssl.ts"

type Example = { file: string; Envelope: string; "Envelope with COSE authentication object": string }

const EXAMPLES = JSON.parse(new TextDecoder().decode(vector("suit/envelopes.json"))) as Example[]
const EXAMPLE_DIGEST = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
const FILE = new Uint8Array(1_000).fill(0x42)
const OTHER = new Uint8Array(2_000).fill(0x43)

describe("SUIT envelopes of the draft", () => {
  it.each(EXAMPLES.map((example, i) => [example.file, i, example] as const))("%s", async (_file, i, example) => {
    const bytes = new Uint8Array(Buffer.from(example["Envelope with COSE authentication object"], "hex"))
    const envelope = readSuitEnvelope(bytes)
    const [component] = envelope.manifest.components

    expect(envelope.manifest.sequenceNumber).toBe(i)
    expect(envelope.manifest.components).toHaveLength(1)
    expect(Buffer.from(component?.digest?.value ?? []).toString("hex")).toBe(EXAMPLE_DIGEST)
    expect(component?.size).toBe(34_768)
    // The sample digest is a pattern that no file has: the manifest is genuine, the image is not there.
    expect(await refusal(bytes)).toBe("SuitComponentError: imageDigest")
    expect(await refusal(new Uint8Array(34_768), { manifest: bytes })).toBe("ImageDigestMismatchError: imageDigest")
    expect(await refusal(new Uint8Array(34_767), { manifest: bytes })).toBe("ImageTruncatedError: size")
    expect(await refusal(new Uint8Array(34_769), { manifest: bytes })).toBe("ImageTooLongError: size")
  })

  it("finds the signer of each, and of those without a signature none", async () => {
    const suitClaims = await claimsOf()
    for (const example of EXAMPLES) {
      const signed = new Uint8Array(Buffer.from(example["Envelope with COSE authentication object"], "hex"))
      expect(await suitClaims(signed, publicKey("suit/example_key.pub.pem"))).toEqual([true])
      expect(await suitClaims(signed, publicKey("mcuboot/key-a.pub.pem"))).toEqual([false])
    }
    const bare = new Uint8Array(Buffer.from(EXAMPLES[0]?.Envelope ?? "", "hex"))
    expect(await suitClaims(bare, publicKey("suit/example_key.pub.pem"))).toEqual([])
  })

  it("reads the severed parts of example 2", () => {
    const whole = new Uint8Array(Buffer.from(EXAMPLES[2]?.["Envelope with COSE authentication object"] ?? "", "hex"))
    const uri = readSuitEnvelope(whole).manifest.components[0]?.uri
    expect(uri).toBe("http://example.com/very/long/path/to/file/file.bin")
    expect(
      readSuitEnvelope(new Uint8Array(Buffer.from(EXAMPLES[2]?.Envelope ?? "", "hex"))).manifest.components[0]?.uri,
    ).toBeUndefined()
  })
})

describe("SUIT envelopes of other makes", () => {
  let signer: KeySigner
  let second: KeySigner

  beforeAll(async () => {
    signer = await generateP256Key()
    second = await generateP256Key()
  })

  it.each(["p256", "p384", "ed25519"] as const)("accepts a signature by %s", async (kind) => {
    const key = await signerFromPkcs8(await makeKey(kind))
    const manifest = await writeSuit({ files: [FILE], sequenceNumber: 7, signers: [key] })
    const inspection = await inspect(FILE, { manifest })
    expect(inspection).toMatchObject({ format: "suit", securityVersion: 7, severalFiles: false })
    expect(inspection.imageDigest).toBe(`0x${createHash("sha256").update(FILE).digest("hex")}`)
    expect(await isSigned(inspection, key.spki)).toBe(true)
    expect(await isSigned(inspection, second.spki)).toBe(false)
  })

  it.each(["sha256", "sha384", "sha512"] as const)("accepts digests of %s", async (hash) => {
    const manifest = await writeSuit({ files: [FILE], hash, signers: [signer] })
    expect((await inspect(streamOf(FILE), { manifest })).imageDigest).toBe(
      `0x${createHash("sha256").update(FILE).digest("hex")}`,
    )
    expect(await refusal(OTHER.subarray(0, 1_000), { manifest })).toBe("ImageDigestMismatchError: imageDigest")
  })

  it("takes either of two signatures", async () => {
    const inspection = await inspect(FILE, { manifest: await writeSuit({ files: [FILE], signers: [signer, second] }) })
    expect(await isSigned(inspection, second.spki)).toBe(true)
    expect(await isSigned(inspection, signer.spki)).toBe(true)
  })

  it("takes an image that travels in the envelope", async () => {
    const envelope = await writeSuit({
      files: [FILE],
      signers: [signer],
      uris: ["#image"],
      envelope: (elements) => elements.set("#image", FILE),
    })
    for (const input of [envelope, streamOf(envelope)]) {
      const inspection = await inspect(input)
      expect(inspection.format).toBe("suit")
      expect(inspection.imageDigest).toBe(`0x${createHash("sha256").update(FILE).digest("hex")}`)
      expect(await isSigned(inspection, signer.spki)).toBe(true)
    }
  })

  it("refuses a payload under another name, or with other bytes", async () => {
    const options = { files: [FILE], signers: [signer], uris: ["#image"] }
    const renamed = await writeSuit({ ...options, envelope: (elements) => elements.set("#other", FILE) })
    const changed = await writeSuit({ ...options, envelope: (elements) => elements.set("#image", OTHER) })
    expect(await refusal(renamed)).toBe("SuitComponentError: imageDigest")
    expect(await refusal(changed)).toBe("SuitComponentError: imageDigest")
  })

  it("knows a release of several files by its manifest", async () => {
    const manifest = await writeSuit({ files: [FILE, OTHER], signers: [signer] })
    const inspection = await inspect(FILE, { manifest, parts: [OTHER] })
    expect(inspection.severalFiles).toBe(true)
    expect(inspection.imageDigest).toBe(inspection.manifestDigest)
    expect(await inspect(OTHER, { manifest, parts: [FILE] })).toMatchObject({ imageDigest: inspection.imageDigest })
  })

  it("refuses parts of different releases", async () => {
    const first = await writeSuit({ files: [FILE, OTHER], signers: [signer] })
    const next = new Uint8Array(2_000).fill(0x44)
    const second = await writeSuit({ files: [FILE, next], sequenceNumber: 2, signers: [signer] })
    expect(await refusal(FILE, { manifest: first, parts: [next] })).toBe("ImageDigestMismatchError: imageDigest")
    expect(await refusal(FILE, { manifest: second, parts: [OTHER] })).toBe("ImageDigestMismatchError: imageDigest")
    expect(await refusal(FILE, { manifest: first, parts: [FILE] })).toMatch(/imageDigest|size/)
    expect(await refusal(FILE, { manifest: first })).toBe("SuitComponentError: imageDigest")
    expect(await refusal(FILE, { manifest: first, parts: [OTHER, next] })).toBe("SuitComponentError: imageDigest")
  })

  it.each<[string, Partial<SuitToWrite>, string]>([
    ["another version", { manifest: (m) => m.set(1, 2) }, "SuitUnsupportedError: manifest"],
    ["no sequence number", { manifest: (m) => m.delete(2) }, "SuitMalformedError: manifest"],
    ["a negative sequence number", { manifest: (m) => m.set(2, -1) }, "SuitMalformedError: manifest"],
    ["a sequence number of 2^60", { manifest: (m) => m.set(2, 2n ** 60n) }, "SuitMalformedError: manifest"],
    ["no common part", { manifest: (m) => m.delete(3) }, "SuitMalformedError: manifest"],
    ["no components", { manifest: (m) => m.set(3, common([])) }, "SuitMalformedError: manifest"],
    [
      "dependencies",
      { manifest: (m) => m.set(3, encodeCbor(new Map([[1, new Map()]]))) },
      "SuitUnsupportedError: manifest",
    ],
    ["dependency resolution", { manifest: (m) => m.set(15, encodeCbor([])) }, "SuitUnsupportedError: manifest"],
    ["a component that does not exist", sequence([12, 1]), "SuitMalformedError: manifest"],
    ["half a command", sequence([12]), "SuitMalformedError: manifest"],
    ["a command that is text", sequence(["12", 0]), "SuitMalformedError: manifest"],
    ["parameters that are no map", sequence([20, []]), "SuitMalformedError: manifest"],
    ["two digests for one component", sequence([20, params(3, digestOf(OTHER))]), "SuitUnsupportedError: manifest"],
    ["two sizes for one component", sequence([20, params(14, 5)]), "SuitMalformedError: manifest"],
    [
      "a digest of SHAKE128",
      sequence([20, params(3, encodeCbor([-18, new Uint8Array(32)]))]),
      "ImageAlgorithmError: algorithm",
    ],
    [
      "a digest too short",
      sequence([20, params(3, encodeCbor([-16, new Uint8Array(31)]))]),
      "SuitMalformedError: manifest",
    ],
    ["sequences without end", { manifest: nested }, "SuitUnsupportedError: manifest"],
    [
      "no digest at all",
      { manifest: (m) => m.set(3, common([[Uint8Array.of(0)]])) },
      "SuitComponentError: imageDigest",
    ],
    [
      "the manifest of another",
      { envelope: (e) => e.set(3, encodeCbor(new Map([[1, 1]]))) },
      "SuitDigestMismatchError: manifest",
    ],
    ["no manifest", { envelope: (e) => e.delete(3) }, "SuitMalformedError: manifest"],
    ["no authentication", { envelope: (e) => e.delete(2) }, "SuitMalformedError: manifest"],
    ["an unknown element", { envelope: (e) => e.set(99, new Uint8Array(1)) }, "SuitMalformedError: manifest"],
    ["a severed part without a digest", { envelope: (e) => e.set(20, encodeCbor([])) }, "SuitMalformedError: manifest"],
    ["a severed part that was changed", severed(), "SuitDigestMismatchError: manifest"],
    ["a payload that nobody asked for", { envelope: (e) => e.set("#more", FILE) }, "SuitComponentError: imageDigest"],
  ])("refuses %s", async (_what, options, expected) => {
    const manifest = await writeSuit({ files: [FILE], signers: [signer], ...options })
    expect(await refusal(FILE, { manifest })).toBe(expected)
  })

  it.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array(0)],
    ["another tag", encodeCbor(new Map())],
    ["an indefinite map", new Uint8Array(Buffer.from("d86bbf02ff", "hex"))],
    ["a deep bomb", new Uint8Array(100_000).fill(0x81)],
    ["a length past the end", new Uint8Array(Buffer.from("d86ba1025bffffffffffffffff", "hex"))],
  ])("refuses %s for a manifest", async (_what, manifest) => {
    expect(await refusal(FILE, { manifest })).toBe("SuitMalformedError: manifest")
  })

  it("refuses an envelope beyond 8 MiB, without reading on", async () => {
    let given = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(Buffer.from("d86ba10258ff", "hex"))
      for (; given < 1_000; given++) yield new Uint8Array(1 << 20)
    }
    expect(await refusal(endless())).toBe("ImageTooLongError: size")
    expect(given).toBeLessThan(12)
    expect(await refusal(FILE, { manifest: new Uint8Array(9 << 20) })).toBe("ImageTooLongError: size")
  })

  it("refuses a detached signature beside a manifest", async () => {
    const manifest = await writeSuit({ files: [FILE], signers: [signer] })
    expect(await refusal(FILE, { manifest, signature: new Uint8Array(64) })).toBe("SuitMalformedError: manifest")
  })
})

async function claimsOf() {
  const { defaultCrypto } = await import("../../../client/crypto/defaultCrypto.ts")
  const { verifySign1 } = await import("../../../client/cose/sign1.ts")
  const crypto = defaultCrypto()
  return (bytes: Uint8Array, spki: Uint8Array) => {
    const { signatures, signed } = readSuitEnvelope(bytes)
    return Promise.all(signatures.map((message) => verifySign1(message, { spki, crypto, detachedPayload: signed })))
  }
}

function common(components: CborValue): Uint8Array {
  return encodeCbor(new Map<CborValue, CborValue>([[2, components]]))
}

function params(key: number, value: CborValue): Map<CborValue, CborValue> {
  return new Map([[key, value]])
}

/** A validate sequence with these commands. */
function sequence(commands: CborValue[]): Partial<SuitToWrite> {
  return { manifest: (elements) => elements.set(7, encodeCbor(commands)) }
}

function nested(elements: Map<CborValue, CborValue>): void {
  let inner = encodeCbor([3, 15])
  for (let i = 0; i < 8; i++) inner = encodeCbor([32, inner])
  elements.set(7, inner)
}

function severed(): Partial<SuitToWrite> {
  const install = encodeCbor([21, 2])
  return {
    manifest: (elements) => elements.set(20, [-16, new Uint8Array(createHash("sha256").update(install).digest())]),
    envelope: (elements) => elements.set(20, install),
  }
}
