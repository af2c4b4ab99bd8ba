import { readFileSync } from "node:fs"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { decodePem } from "../../../client/crypto/pem.ts"
import { ImageError } from "../../../client/errors/firmware.ts"
import type { ImageInput } from "../../../client/firmware/imageSource.ts"
import { inspectImage } from "../../../client/firmware/inspectImage.ts"
import type { Inspection, InspectImageParameters } from "../../../client/firmware/inspectImage.ts"

/** A file of the MCUboot or SUIT vectors. */
export function vector(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../vectors/${path}`, import.meta.url)))
}

/** The SubjectPublicKeyInfo in a PEM file of the vectors. */
export function publicKey(path: string): Uint8Array {
  const [block] = decodePem(new TextDecoder().decode(vector(path)), "PUBLIC KEY")
  if (block === undefined) throw new Error(`${path} holds no public key`)
  return block.der
}

export type InspectOptions = Partial<Omit<InspectImageParameters, "image">>

/** Reads an image without a ledger. */
export function inspect(image: ImageInput, options: InspectOptions = {}): Promise<Inspection> {
  return inspectImage({ image, candidates: [], crypto: defaultCrypto(), reading: {}, ...options })
}

/** The named error of an image that must be refused, as "ErrorName: check". */
export async function refusal(image: ImageInput, options: InspectOptions = {}): Promise<string> {
  try {
    await inspect(image, options)
  } catch (error) {
    if (error instanceof ImageError) return `${error.name}: ${error.check}`
    throw error
  }
  return "accepted"
}

/** Whether one of the keys signed what was inspected: the same question that the ledger is asked. */
export async function isSigned(inspection: Inspection, ...spkis: readonly Uint8Array[]): Promise<boolean> {
  for (const claim of inspection.claims) {
    for (const spki of spkis) if (claim.names(spki) && (await claim.isBy(spki))) return true
  }
  return false
}

/** The bytes in chunks of this size, once. */
export async function* streamOf(bytes: Uint8Array, chunk = 1_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunk) yield bytes.slice(at, at + chunk)
}
