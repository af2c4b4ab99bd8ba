import { createHash } from "node:crypto"
import { CborTag, encodeCbor } from "../../client/cose/cbor.ts"
import type { CborValue } from "../../client/cose/cbor.ts"
import { signSign1 } from "../../client/cose/sign1.ts"
import type { KeySigner } from "../../client/crypto/signer.ts"

export type SuitToWrite = {
  files: readonly Uint8Array[]
  sequenceNumber?: number
  signers?: readonly KeySigner[]
  hash?: "sha256" | "sha384" | "sha512"
  /** The components' addresses. Default: none. */
  uris?: readonly string[]
  /** Leave the sizes out. */
  withoutSizes?: boolean
  /** Changes the manifest's elements before they are signed. */
  manifest?: (elements: Map<CborValue, CborValue>) => void
  /** Changes the envelope after it was signed. */
  envelope?: (elements: Map<CborValue, CborValue>) => void
}

export const SUIT_HASH = { sha256: -16, sha384: -43, sha512: -44 } as const

/** An envelope after draft-ietf-suit-manifest, from its text and not from the reader under test. */
export async function writeSuit(options: SuitToWrite): Promise<Uint8Array> {
  const { files, sequenceNumber = 1, signers = [], hash = "sha256", withoutSizes = false } = options
  const commands = files.flatMap((file, index): CborValue[] => {
    const parameters = new Map<CborValue, CborValue>([[3, digestOf(file, hash)]])
    const uri = options.uris?.[index]
    if (uri !== undefined) parameters.set(21, uri)
    if (!withoutSizes) parameters.set(14, file.length)
    return [12, index, 20, parameters]
  })
  const common = new Map<CborValue, CborValue>([
    [2, files.map((_, i) => [Uint8Array.of(i)])],
    [4, encodeCbor(commands)],
  ])
  const elements = new Map<CborValue, CborValue>([
    [1, 1],
    [2, sequenceNumber],
    [3, encodeCbor(common)],
    [7, encodeCbor([3, 15])],
  ])
  options.manifest?.(elements)
  const manifest = encodeCbor(elements)
  const digest = encodeCbor([SUIT_HASH[hash], hashOf(hash, encodeCbor(manifest))])
  const signatures = await Promise.all(signers.map((signer) => signSign1({ payload: digest, signer, detached: true })))
  const envelope = new Map<CborValue, CborValue>([
    [2, encodeCbor([digest, ...signatures])],
    [3, manifest],
  ])
  options.envelope?.(envelope)
  return encodeCbor(new CborTag(107, envelope), { maxBytes: 1 << 24 })
}

/** SUIT_Digest in a byte string. */
export function digestOf(bytes: Uint8Array, hash: keyof typeof SUIT_HASH = "sha256"): Uint8Array {
  return encodeCbor([SUIT_HASH[hash], hashOf(hash, bytes)])
}

function hashOf(hash: string, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(hash).update(bytes).digest())
}
