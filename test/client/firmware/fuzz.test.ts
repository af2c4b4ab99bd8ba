import { readdirSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import { decodeCbor, encodeCbor } from "../../../client/cose/cbor.ts"
import type { CborValue } from "../../../client/cose/cbor.ts"
import { decodeSign1 } from "../../../client/cose/sign1.ts"
import { toHex } from "../../../client/crypto/hex.ts"
import { signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { CborError, CoseError } from "../../../client/errors/cose.ts"
import { ImageError } from "../../../client/errors/firmware.ts"
import { readTlvArea } from "../../../client/firmware/mcubootTlv.ts"
import { readSuitEnvelope } from "../../../client/firmware/suitEnvelope.ts"
import { area, counterTlv, writeMcuboot } from "../../helpers/mcuboot.ts"
import { mutate, SeededRandom } from "../../helpers/mutate.ts"
import { writeSuit } from "../../helpers/suit.ts"
import { inspect, isSigned, publicKey, refusal, vector } from "./inspect.ts"
import { makeKey } from "./openssl.ts"

/** Inputs of each kind; a million and more in all. */
const INPUTS = { tlv: 500_000, cbor: 250_000, sign1: 120_000, suit: 120_000, images: 100_000 }
/** Nothing this small takes longer, unless something goes round in circles. */
const LONGEST_MS = 1_000

const FILE = new Uint8Array(48).fill(0x42)

describe("the readers, shown a million broken inputs", () => {
  let signer: KeySigner
  let envelopes: Uint8Array[]
  let images: Uint8Array[]

  beforeAll(async () => {
    signer = await signerFromPkcs8(await makeKey("p256"))
    const ed25519 = await signerFromPkcs8(await makeKey("ed25519"))
    const withFile = { uris: ["#f"], envelope: (e: Map<CborValue, CborValue>) => void e.set("#f", FILE) }
    const examples = JSON.parse(new TextDecoder().decode(vector("suit/envelopes.json"))) as Record<string, string>[]
    envelopes = [
      await writeSuit({ files: [FILE], signers: [signer] }),
      await writeSuit({ files: [FILE], signers: [signer, ed25519], ...withFile }),
      await writeSuit({ files: [FILE, FILE], hash: "sha512", signers: [ed25519] }),
      ...examples.map((example) => Buffer.from(example["Envelope with COSE authentication object"] ?? "", "hex")),
    ].map((bytes) => new Uint8Array(bytes))
    images = await Promise.all([
      writeMcuboot({ signer, payload: FILE, securityCounter: 7 }),
      writeMcuboot({ signer, payload: FILE, fullPublicKey: true, tail: new Uint8Array(100).fill(0xff) }),
      writeMcuboot({ signer: ed25519, payload: FILE, hash: "sha512", pure: true }),
      writeMcuboot({ payload: FILE }),
    ])
  })

  it("is told a million inputs at least", () => {
    expect(Object.values(INPUTS).reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(1_000_000)
  })

  it("TLV areas: an entry never reaches out of its area", () => {
    const seeds = [
      area(0x6907, [
        { type: 0x10, value: new Uint8Array(32) },
        { type: 0x01, value: new Uint8Array(32) },
        { type: 0x22, value: new Uint8Array(71) },
      ]),
      area(0x6908, [
        counterTlv(7),
        { type: 0x40, value: new Uint8Array(12) },
        { type: 0xa0, value: new Uint8Array(3) },
      ]),
    ]
    fuzz(INPUTS.tlv, seeds, (bytes, i) => {
      const tlvs = readTlvArea(bytes, 0, i % 2 === 0 ? "unprotected" : "protected")
      const held = tlvs.reduce((sum, { value }) => sum + value.length + 4, 4)
      return tlvs.length === 0 || held === bytes.length
    })
  })

  it("CBOR: what is read has one spelling but for the order of keys", () => {
    fuzz(INPUTS.cbor, envelopes, (bytes) => {
      // Shortest forms only, so the order of map keys is all that may differ.
      return encodeCbor(decodeCbor(bytes, { sorted: false })).length === bytes.length
    })
  })

  it("COSE_Sign1: four parts or none", () => {
    const seeds = envelopes.flatMap((envelope) => [...readSuitEnvelope(envelope).signatures])
    fuzz(INPUTS.sign1, seeds, (bytes) => decodeSign1(bytes).signature instanceof Uint8Array)
  })

  it("SUIT envelopes: only a manifest that is one of the seeds' is ever believed", () => {
    const known = new Set(envelopes.map((bytes) => toHex(readSuitEnvelope(bytes).manifestDigest)))
    fuzz(INPUTS.suit, envelopes, (bytes) => known.has(toHex(readSuitEnvelope(bytes).manifestDigest)))
  })

  it("images: only bytes that are one of the seeds' are ever believed", async () => {
    const known = new Set(await Promise.all(images.map(async (image) => (await inspect(image)).imageDigest)))
    const random = new SeededRandom(0x5eed)
    const wrong: string[] = []
    for (let i = 0; i < INPUTS.images; i++) {
      const bytes = mutate(random, images)
      try {
        const { imageDigest, format } = await inspect(bytes)
        // Without its magic, a file is any file: nothing in it vouches for it.
        if (format !== "detached" && !known.has(imageDigest)) wrong.push(toHex(bytes))
      } catch (error) {
        if (!(error instanceof ImageError)) wrong.push(`${String(error)}: ${toHex(bytes)}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

describe("what was found before", () => {
  const files = readdirSync(new URL("../../vectors/firmware-findings/", import.meta.url)).filter((name) =>
    name.endsWith(".bin"),
  )

  it("is kept", () => {
    expect(files.length).toBeGreaterThanOrEqual(2)
  })

  it.each(files)("%s stays refused, by name", async (name) => {
    const bytes = vector(`firmware-findings/${name}`)
    const outcome = await refusal(bytes)
    // Where the bytes are in order, nobody must have signed them.
    const signed =
      outcome === "accepted" && (await isSigned(await inspect(bytes), publicKey("firmware-findings/key.pub.pem")))
    expect(signed).toBe(false)
  })
})

/** Shows `read` mutations of the seeds; it gives whether what it accepted makes sense. Only named errors may be thrown. */
function fuzz(count: number, seeds: readonly Uint8Array[], read: (bytes: Uint8Array, i: number) => boolean): void {
  const random = new SeededRandom(0xf1ee7)
  const wrong: string[] = []
  let accepted = 0
  let slowest = 0
  for (let i = 0; i < count; i++) {
    const bytes = mutate(random, seeds)
    const started = performance.now()
    try {
      if (!read(bytes, i)) wrong.push(`accepted: ${toHex(bytes)}`)
      accepted++
    } catch (error) {
      const named = error instanceof ImageError || error instanceof CborError || error instanceof CoseError
      if (!named) wrong.push(`${String(error)}: ${toHex(bytes)}`)
    }
    slowest = Math.max(slowest, performance.now() - started)
  }
  expect(wrong.slice(0, 5)).toEqual([])
  // A reader that refuses everything would pass too.
  expect(accepted).toBeGreaterThan(0)
  expect(slowest).toBeLessThan(LONGEST_MS)
}
