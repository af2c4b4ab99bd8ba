import { createHash } from "node:crypto"
import { ecdsaRawToDer } from "../../client/crypto/ecdsa.ts"
import { concatBytes } from "../../client/crypto/hex.ts"
import type { KeySigner } from "../../client/crypto/signer.ts"

/** A TLV to put behind an image. */
export type TlvToWrite = { type: number; value: Uint8Array }

export type McubootToWrite = {
  payload?: Uint8Array
  headerSize?: number
  flags?: number
  version?: readonly [number, number, number, number]
  hash?: "sha256" | "sha384" | "sha512"
  /** Default: a security counter, where one is given. */
  protectedTlvs?: readonly TlvToWrite[]
  securityCounter?: number
  /** Signs as imgtool does; without it the image carries its hash alone. */
  signer?: KeySigner
  fullPublicKey?: boolean
  pure?: boolean
  /** Changes the unprotected TLVs before they are written. */
  unprotected?: (tlvs: TlvToWrite[]) => TlvToWrite[]
  /** Bytes behind the image. */
  tail?: Uint8Array
}

export const TLV_TYPE = {
  keyHash: 0x01,
  publicKey: 0x02,
  sha256: 0x10,
  sha384: 0x11,
  sha512: 0x12,
  rsa2048: 0x20,
  ecdsa: 0x22,
  rsa3072: 0x23,
  ed25519: 0x24,
  pure: 0x25,
  dependency: 0x40,
  counter: 0x50,
} as const

/** An image as imgtool writes it, from its documentation and not from the reader under test. */
export async function writeMcuboot(options: McubootToWrite = {}): Promise<Uint8Array> {
  const { payload = new Uint8Array(64).fill(0x5a), headerSize = 32, flags = 0, hash = "sha256", tail } = options
  const protectedTlvs =
    options.protectedTlvs ?? (options.securityCounter === undefined ? [] : [counterTlv(options.securityCounter)])
  const protectedArea = protectedTlvs.length === 0 ? new Uint8Array(0) : area(0x6908, protectedTlvs)
  const header = new Uint8Array(headerSize)
  const view = new DataView(header.buffer)
  const [major, minor, revision, build] = options.version ?? [1, 2, 3, 4]
  view.setUint32(0, 0x96f3b83d, true)
  view.setUint16(8, headerSize, true)
  view.setUint16(10, protectedArea.length, true)
  view.setUint32(12, payload.length, true)
  view.setUint32(16, flags, true)
  view.setUint8(20, major)
  view.setUint8(21, minor)
  view.setUint16(22, revision, true)
  view.setUint32(24, build, true)
  const covered = concatBytes(header, payload, protectedArea)
  const digest = hashOf(hash, covered)
  const tlvs: TlvToWrite[] = [{ type: TLV_TYPE[hash], value: digest }]
  if (options.signer !== undefined) tlvs.push(...(await signatureTlvs(options.signer, covered, digest, options)))
  return concatBytes(covered, area(0x6907, options.unprotected?.(tlvs) ?? tlvs), tail ?? new Uint8Array(0))
}

export function counterTlv(counter: number): TlvToWrite {
  const value = new Uint8Array(4)
  new DataView(value.buffer).setUint32(0, counter, true)
  return { type: TLV_TYPE.counter, value }
}

/** A TLV area with its header. */
export function area(magic: number, tlvs: readonly TlvToWrite[]): Uint8Array {
  const body = concatBytes(
    ...tlvs.flatMap(({ type, value }) => {
      const head = new Uint8Array(4)
      new DataView(head.buffer).setUint16(0, type, true)
      new DataView(head.buffer).setUint16(2, value.length, true)
      return [head, value]
    }),
  )
  const info = new Uint8Array(4)
  new DataView(info.buffer).setUint16(0, magic, true)
  new DataView(info.buffer).setUint16(2, body.length + 4, true)
  return concatBytes(info, body)
}

async function signatureTlvs(
  signer: KeySigner,
  covered: Uint8Array,
  digest: Uint8Array,
  { hash = "sha256", fullPublicKey = false, pure = false }: McubootToWrite,
): Promise<TlvToWrite[]> {
  const key = fullPublicKey
    ? { type: TLV_TYPE.publicKey, value: signer.spki }
    : { type: TLV_TYPE.keyHash, value: hashOf(hash, signer.spki) }
  if (signer.algorithm === "ed25519") {
    const signature = { type: TLV_TYPE.ed25519, value: await signer.sign(pure ? covered : digest) }
    return pure ? [key, signature, { type: TLV_TYPE.pure, value: Uint8Array.of(1) }] : [key, signature]
  }
  return [key, { type: TLV_TYPE.ecdsa, value: ecdsaRawToDer(await signer.sign(covered)) }]
}

function hashOf(hash: string, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(hash).update(bytes).digest())
}
