import { toHex, equalBytes } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { parsePublicKey } from "../crypto/publicKey.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { sha256 } from "../crypto/sha256.ts"
import type { KeySigner } from "../crypto/signer.ts"
import type { CryptoBackend, KeyAlgorithm } from "../crypto/types.ts"
import {
  CborError,
  CoseError,
  RawPublicKeyFieldError,
  RawPublicKeyMalformedError,
  RawPublicKeySignatureError,
} from "../errors/cose.ts"
import { decodeCbor, encodeCbor, isCborMap } from "./cbor.ts"
import type { CborValue } from "./cbor.ts"
import { signingAlgorithmOf } from "./algorithms.ts"
import { decodeSign1, encodeSign1, signSign1, verifySign1 } from "./sign1.ts"
import type { Sign1 } from "./sign1.ts"

/** What a raw public key credential says. */
export type RawPublicKeyFields = {
  /** DER SubjectPublicKeyInfo of the device: P-256, P-384 or Ed25519. */
  spki: Uint8Array
  /** Unix seconds, at most 2^40-1. */
  notBefore: number
  /** Unix seconds, not before `notBefore`, at most 2^40-1. */
  notAfter: number
  /** 16 to 64 octets that mean nothing to anybody else; random ones, so that nobody can guess them. */
  deviceId: Uint8Array
}

/** A raw public key credential that is well formed. Whether the device signed it, `verifyRawPublicKey` says. */
export type RawPublicKey = RawPublicKeyFields & {
  keyAlgorithm: KeyAlgorithm
  /** SHA-256 of the SubjectPublicKeyInfo. */
  keyId: Hex
  /** The COSE payload: what the credential hash covers. */
  payload: Uint8Array
  /** SHA-256 of the payload: the leaf input of a batch, and what is revoked. */
  credentialHash: Hex
  sign1: Sign1
}

const MAX_BYTES = 1024
const MAX_TIME = 2 ** 40 - 1
const MIN_DEVICE_ID = 16
const MAX_DEVICE_ID = 64

const KEY_SPKI = 1
const KEY_NOT_BEFORE = 2
const KEY_NOT_AFTER = 3
const KEY_DEVICE_ID = 4

/**
 * The payload that the credential hash covers: `{1: spki, 2: notBefore, 3: notAfter, 4: deviceId}`.
 * docs/formats.md, "Raw public key credential".
 *
 * @throws {@link RawPublicKeyFieldError} {@link PublicKeyInvalidError}
 */
export function encodeRawPublicKeyPayload(fields: RawPublicKeyFields): Uint8Array {
  assertFields(fields)
  return encodeFields(fields)
}

/**
 * A raw public key credential, signed by the device's own key.
 *
 * @throws {@link RawPublicKeyFieldError}, also when `signer` holds another key than `spki`.
 *   {@link PublicKeyInvalidError}
 */
export async function encodeRawPublicKey(
  parameters: RawPublicKeyFields & {
    /** The device's key. */
    signer: KeySigner
  },
): Promise<Uint8Array> {
  const { signer, ...fields } = parameters
  const payload = encodeRawPublicKeyPayload(fields)
  if (!equalBytes(signer.spki, fields.spki)) {
    throw new RawPublicKeyFieldError({
      field: "spki",
      value: keyIdOf(fields.spki),
      allowed: `the signer's ${signer.keyId}`,
    })
  }
  return signSign1({ payload, signer })
}

/**
 * Reads a raw public key credential in its one encoding. The signature is not checked.
 *
 * @throws {@link RawPublicKeyMalformedError} {@link RawPublicKeyFieldError} {@link PublicKeyInvalidError}
 */
export function decodeRawPublicKey(bytes: Uint8Array): RawPublicKey {
  const { sign1, payload, map } = decodeParts(bytes)
  const fields: RawPublicKeyFields = {
    spki: bytesOf(map.get(KEY_SPKI), "1 (public key)"),
    notBefore: timeOf(map.get(KEY_NOT_BEFORE), "notBefore"),
    notAfter: timeOf(map.get(KEY_NOT_AFTER), "notAfter"),
    deviceId: bytesOf(map.get(KEY_DEVICE_ID), "4 (device id)"),
  }
  const keyAlgorithm = assertFields(fields)
  if (!equalBytes(encodeFields(fields), payload)) {
    throw new RawPublicKeyMalformedError("the payload is not the one encoding of its fields.")
  }
  assertMessage(sign1, keyAlgorithm)
  if (!equalBytes(encodeSign1(sign1), bytes)) {
    throw new RawPublicKeyMalformedError("the message is not in its one encoding, with tag 18.")
  }
  return {
    ...fields,
    keyAlgorithm,
    keyId: keyIdOf(fields.spki),
    payload,
    credentialHash: toHex(sha256(payload)),
    sign1,
  }
}

/**
 * Reads a raw public key credential and checks that the device's key signed it. That shows possession of the key; what
 * makes the credential count is its place in a batch on the ledger.
 *
 * @throws {@link RawPublicKeyMalformedError} {@link RawPublicKeyFieldError} {@link RawPublicKeySignatureError}
 *   {@link PublicKeyInvalidError}
 */
export async function verifyRawPublicKey(bytes: Uint8Array, crypto: CryptoBackend): Promise<RawPublicKey> {
  const credential = decodeRawPublicKey(bytes)
  const holds = await verifySign1(credential.sign1, { spki: credential.spki, crypto })
  if (!holds) throw new RawPublicKeySignatureError({ keyId: credential.keyId })
  return credential
}

function encodeFields({ spki, notBefore, notAfter, deviceId }: RawPublicKeyFields): Uint8Array {
  return encodeCbor(
    new Map<CborValue, CborValue>([
      [KEY_SPKI, spki],
      [KEY_NOT_BEFORE, notBefore],
      [KEY_NOT_AFTER, notAfter],
      [KEY_DEVICE_ID, deviceId],
    ]),
  )
}

function decodeParts(bytes: Uint8Array): { sign1: Sign1; payload: Uint8Array; map: ReadonlyMap<CborValue, CborValue> } {
  try {
    const sign1 = decodeSign1(bytes, { maxBytes: MAX_BYTES })
    if (sign1.payload === null) throw new RawPublicKeyMalformedError("the payload is detached.")
    const map = decodeCbor(sign1.payload, { maxBytes: MAX_BYTES })
    if (!isCborMap(map) || map.size !== 4) throw new RawPublicKeyMalformedError("the payload is no map of four.")
    return { sign1, payload: sign1.payload, map }
  } catch (cause) {
    if (cause instanceof RawPublicKeyMalformedError) throw cause
    if (cause instanceof CborError || cause instanceof CoseError) {
      throw new RawPublicKeyMalformedError(cause.message, cause)
    }
    throw cause
  }
}

/** The header is {1: the key's algorithm}, protected, and nothing else. */
function assertMessage({ protectedBytes, unprotectedHeaders, signature }: Sign1, keyAlgorithm: KeyAlgorithm): void {
  const algorithm = signingAlgorithmOf(keyAlgorithm)
  if (algorithm === undefined || !equalBytes(protectedBytes, encodeCbor(new Map([[1, algorithm.id]])))) {
    throw new RawPublicKeyMalformedError("the protected header is not exactly the key's algorithm.")
  }
  if (unprotectedHeaders.size > 0) throw new RawPublicKeyMalformedError("there are unprotected headers.")
  const length = algorithm.ecdsaBytes ?? 64
  if (signature.length !== length) throw new RawPublicKeyMalformedError(`the signature does not have ${length} bytes.`)
}

function assertFields({ spki, notBefore, notAfter, deviceId }: RawPublicKeyFields): KeyAlgorithm {
  const { algorithm } = parsePublicKey(spki)
  if (algorithm === "rsa") {
    throw new RawPublicKeyFieldError({ field: "spki", value: "an RSA key", allowed: "P-256, P-384 or Ed25519" })
  }
  assertTime(notBefore, 0, "notBefore")
  assertTime(notAfter, notBefore, "notAfter")
  if (deviceId.length < MIN_DEVICE_ID || deviceId.length > MAX_DEVICE_ID) {
    const allowed = `${MIN_DEVICE_ID} to ${MAX_DEVICE_ID} bytes`
    throw new RawPublicKeyFieldError({ field: "deviceId", value: `${deviceId.length} bytes`, allowed })
  }
  return algorithm
}

function assertTime(seconds: number, min: number, field: string): void {
  if (Number.isSafeInteger(seconds) && seconds >= min && seconds <= MAX_TIME) return
  throw new RawPublicKeyFieldError({ field, value: String(seconds), allowed: `${min} to ${MAX_TIME} (Unix seconds)` })
}

function bytesOf(value: CborValue, field: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new RawPublicKeyMalformedError(`${field} is no byte string.`)
}

function timeOf(value: CborValue, field: string): number {
  if (typeof value === "number") return value
  throw new RawPublicKeyMalformedError(`${field} is no integer within 53 bits.`)
}
