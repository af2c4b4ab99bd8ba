import { beforeAll, describe, expect, it } from "vitest"
import type { CborValue } from "../../../client/cose/cbor.ts"
import { ImageError } from "../../../client/errors/firmware.ts"
import { generateP256Key, signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { writeMcuboot } from "../../helpers/mcuboot.ts"
import { writeSuit } from "../../helpers/suit.ts"
import { inspect, isSigned, streamOf } from "./inspect.ts"
import type { InspectOptions } from "./inspect.ts"
import { makeKey } from "./openssl.ts"

/** A signed image, and how to ask about it when some of its bytes are changed. */
type Case = { bytes: Uint8Array; ask: (changed: Uint8Array) => Promise<boolean> }

const FILE = new Uint8Array(48).fill(0x42)

describe("every bit counts", () => {
  let signer: KeySigner
  let ed25519: KeySigner
  let cases: Record<string, Case>

  beforeAll(async () => {
    signer = await generateP256Key()
    ed25519 = await signerFromPkcs8(await makeKey("ed25519"))
    const padded = new Uint8Array(40).fill(0xff)
    padded.set(Buffer.from("77c295f360d2ef7f3552500f2cb67980", "hex"), 24)
    const image = await writeMcuboot({ signer, payload: FILE, securityCounter: 7 })
    const slot = await writeMcuboot({ signer, payload: FILE, securityCounter: 7, tail: padded })
    const pure = await writeMcuboot({ signer: ed25519, payload: FILE, hash: "sha512", pure: true })
    const envelope = await writeSuit({ files: [FILE], signers: [signer] })
    const withFile = { uris: ["#f"], envelope: (e: Map<CborValue, CborValue>) => void e.set("#f", FILE) }
    const whole = await writeSuit({ files: [FILE], signers: [signer], ...withFile })
    const small = FILE.subarray(0, 12)
    const signature = await signer.sign(small)
    const detached = { signature, candidates: [signer.spki] }
    cases = {
      "an MCUboot image": { bytes: image, ask: (bytes) => isGood(bytes, signer) },
      "an MCUboot image as a stream": { bytes: image, ask: (bytes) => isGood(streamOf(bytes, 17), signer) },
      "a padded slot": { bytes: slot, ask: (bytes) => isGood(bytes, signer) },
      "an image that Ed25519 signs whole": { bytes: pure, ask: (bytes) => isGood(bytes, ed25519) },
      "a SUIT manifest": { bytes: envelope, ask: (manifest) => isGood(FILE, signer, { manifest }) },
      "a file with a SUIT manifest": { bytes: FILE, ask: (bytes) => isGood(bytes, signer, { manifest: envelope }) },
      "a SUIT envelope with its image": { bytes: whole, ask: (bytes) => isGood(bytes, signer, {}, "suit") },
      "a file with a detached signature": { bytes: small, ask: (bytes) => isGood(bytes, signer, detached) },
      "a detached signature": {
        bytes: signature,
        ask: (changed) => isGood(small, signer, { ...detached, signature: changed }),
      },
    }
  })

  const NAMES = [
    "an MCUboot image",
    "an MCUboot image as a stream",
    "a padded slot",
    "an image that Ed25519 signs whole",
    "a SUIT manifest",
    "a file with a SUIT manifest",
    "a SUIT envelope with its image",
    "a file with a detached signature",
    "a detached signature",
  ]

  it.each(NAMES)("%s: refused with any single bit flipped", async (name) => {
    const { bytes, ask } = cases[name] as Case
    expect(await ask(bytes)).toBe(true)
    const accepted: number[] = []
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice()
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      if (await ask(changed)) accepted.push(bit)
    }
    expect(accepted).toEqual([])
  })

  it.each(NAMES)("%s: neither crashes nor passes when it is cut anywhere", async (name) => {
    const { bytes, ask } = cases[name] as Case
    const accepted: number[] = []
    for (let length = 0; length < bytes.length; length++) {
      if (await ask(bytes.slice(0, length))) accepted.push(length)
    }
    // Of a padded slot the image is whole without its padding, or with a part of it.
    const whole = (await writeMcuboot({ signer, payload: FILE, securityCounter: 7 })).length
    expect(accepted.every((length) => name === "a padded slot" && length >= whole - 2)).toBe(true)
  })

  it.each(NAMES)("%s: neither crashes nor passes with bytes behind it", async (name) => {
    const { bytes, ask } = cases[name] as Case
    const accepted: number[][] = []
    for (const tail of [[0x01], [0xff, 0x00], [0x00, 0xff], [0x7f, 0xff, 0xff]]) {
      const longer = new Uint8Array(bytes.length + tail.length)
      longer.set(bytes)
      longer.set(tail, bytes.length)
      if (await ask(longer)) accepted.push(tail)
    }
    expect(accepted).toEqual([])
  })
})

/** Whether the image is whole and signed, by what it is made of: of another format than expected it would need a release. */
async function isGood(
  image: Uint8Array | AsyncIterable<Uint8Array>,
  signer: KeySigner,
  options: InspectOptions = {},
  format?: string,
): Promise<boolean> {
  try {
    const inspection = await inspect(image, options)
    return (format === undefined || inspection.format === format) && (await isSigned(inspection, signer.spki))
  } catch (error) {
    if (error instanceof ImageError) return false
    throw error
  }
}
