import { ecdsaRawToDer } from "../crypto/ecdsa.ts"
import type { KeySigner } from "../crypto/signer.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import {
  CborError,
  CoseAlgorithmError,
  CoseCriticalHeaderError,
  CoseMalformedError,
  CosePayloadError,
  CoseTagError,
} from "../errors/cose.ts"
import { AlgorithmKeyMismatchError, SignatureMalformedError } from "../errors/crypto.ts"
import { coseAlgorithmOf, signingAlgorithmOf } from "./algorithms.ts"
import type { CoseAlgorithm } from "./algorithms.ts"
import { CborTag, decodeCbor, encodeCbor, isCborArray, isCborMap } from "./cbor.ts"
import type { CborValue } from "./cbor.ts"

/** A header label: RFC 9052, 3. */
export type CoseLabel = number | string

/** Header parameters by label. */
export type CoseHeaders = ReadonlyMap<CborValue, CborValue>

/** A COSE_Sign1 message. RFC 9052, 4.2. */
export type Sign1 = {
  /** The protected header as it was signed: the content of its byte string. */
  protectedBytes: Uint8Array
  protectedHeaders: CoseHeaders
  unprotectedHeaders: CoseHeaders
  /** null when detached. */
  payload: Uint8Array | null
  signature: Uint8Array
}

export type DecodeSign1Options = {
  /** Largest message. Default: 65,536 bytes. */
  maxBytes?: number
}

export type VerifySign1Parameters = {
  /** DER SubjectPublicKeyInfo of the signer. */
  spki: Uint8Array
  crypto: CryptoBackend
  /** The payload of a message that carries nil in its place. */
  detachedPayload?: Uint8Array
  /** Data that was signed but is sent another way. Default: none. */
  externalAad?: Uint8Array
  /** Labels above 7 that the caller understands, should the message call them critical. Default: none. */
  understood?: readonly CoseLabel[]
  /** Largest message. Default: 65,536 bytes. */
  maxBytes?: number
}

export type SignSign1Parameters = {
  payload: Uint8Array
  signer: KeySigner
  /** Goes into the unprotected header, as a hint. */
  kid?: Uint8Array
  /** Leave the payload out of the message. Default: false. */
  detached?: boolean
  externalAad?: Uint8Array
  /** More protected headers; 1 (the algorithm) is set from the signer's key. */
  protectedHeaders?: CoseHeaders
}

export const COSE_SIGN1_TAG = 18

const ALG = 1
const CRIT = 2
const KID = 4
const NONE = new Uint8Array(0)

/**
 * The message with its tag 18, deterministically encoded.
 *
 * @throws {@link CborError} for headers that CBOR cannot carry
 */
export function encodeSign1(message: Sign1, options: DecodeSign1Options = {}): Uint8Array {
  const { protectedBytes, unprotectedHeaders, payload, signature } = message
  return encodeCbor(new CborTag(COSE_SIGN1_TAG, [protectedBytes, unprotectedHeaders, payload, signature]), options)
}

/**
 * Reads a message, bare or under tag 18. Header maps may be in any order; all else must be strict CBOR.
 *
 * @throws {@link CborError} {@link CoseTagError} {@link CoseMalformedError}
 */
export function decodeSign1(bytes: Uint8Array, options: DecodeSign1Options = {}): Sign1 {
  const parts = untagged(decodeCbor(bytes, { ...options, sorted: false }))
  if (!isCborArray(parts) || parts.length !== 4) throw new CoseMalformedError("it is not an array of four.")
  const [protectedBytes, unprotectedHeaders, payload, signature] = parts
  if (!(protectedBytes instanceof Uint8Array)) throw new CoseMalformedError("the protected header is no byte string.")
  if (!isCborMap(unprotectedHeaders)) throw new CoseMalformedError("the unprotected header is no map.")
  if (payload !== null && !(payload instanceof Uint8Array)) {
    throw new CoseMalformedError("the payload is neither a byte string nor nil.")
  }
  if (!(signature instanceof Uint8Array)) throw new CoseMalformedError("the signature is no byte string.")

  const protectedHeaders = decodeProtected(protectedBytes, options)
  assertLabels(protectedHeaders, unprotectedHeaders)
  return { protectedBytes, protectedHeaders, unprotectedHeaders, payload, signature }
}

/**
 * The bytes that are signed: the Sig_structure of RFC 9052, 4.4, with the context "Signature1".
 *
 * A protected header that holds nothing counts as an empty byte string, also where the message has an encoded empty
 * map in its place.
 */
export function sign1ToBeSigned({
  protectedBytes,
  payload,
  externalAad = NONE,
}: {
  protectedBytes: Uint8Array
  payload: Uint8Array
  externalAad?: Uint8Array
}): Uint8Array {
  const isEmptyMap = protectedBytes.length === 1 && protectedBytes[0] === 0xa0
  const parts = ["Signature1", isEmptyMap ? NONE : protectedBytes, externalAad, payload]
  return encodeCbor(parts, { maxBytes: Number.MAX_SAFE_INTEGER })
}

/**
 * Whether the message is signed by the key `spki`. A message that must not be accepted whoever signed it is an error.
 *
 * @throws {@link CborError} {@link CoseTagError} {@link CoseMalformedError} when it is no COSE_Sign1
 * @throws {@link CoseAlgorithmError} when the protected header names no algorithm of ours, or one of another key type
 * @throws {@link CoseCriticalHeaderError} {@link CosePayloadError} {@link PublicKeyInvalidError}
 */
export async function verifySign1(message: Uint8Array | Sign1, parameters: VerifySign1Parameters): Promise<boolean> {
  const { spki, crypto, detachedPayload, externalAad = NONE, understood = [], maxBytes } = parameters
  const sign1 =
    message instanceof Uint8Array ? decodeSign1(message, maxBytes === undefined ? {} : { maxBytes }) : message
  const protectedHeaders = decodeProtected(sign1.protectedBytes, {}) // what was signed, whatever the object says
  assertCritical(protectedHeaders, sign1.unprotectedHeaders, understood)
  const algorithm = algorithmOf(protectedHeaders)
  const payload = payloadOf(sign1, detachedPayload)

  const signature = backendSignature(sign1.signature, algorithm)
  if (signature === undefined) return false
  const toBeSigned = sign1ToBeSigned({ protectedBytes: sign1.protectedBytes, payload, externalAad })
  try {
    return await crypto.verify({ algorithm: algorithm.signature, spki, message: toBeSigned, signature })
  } catch (cause) {
    if (!(cause instanceof AlgorithmKeyMismatchError)) throw cause
    throw new CoseAlgorithmError({ algorithm: algorithm.name, problem: `the key is of type ${cause.keyAlgorithm}` })
  }
}

/**
 * Signs `payload` with ES256, ES384 or EdDSA, as the key demands.
 *
 * @throws {@link CoseAlgorithmError} for an RSA key
 */
export async function signSign1(parameters: SignSign1Parameters): Promise<Uint8Array> {
  const { payload, signer, kid, detached = false, externalAad = NONE, protectedHeaders = new Map() } = parameters
  const algorithm = signingAlgorithmOf(signer.algorithm)
  if (algorithm === undefined) {
    throw new CoseAlgorithmError({
      algorithm: undefined,
      problem: `no COSE signature is made with ${signer.algorithm}`,
    })
  }

  const headers = new Map<CborValue, CborValue>([...protectedHeaders, [ALG, algorithm.id]])
  const unprotectedHeaders = new Map<CborValue, CborValue>(kid === undefined ? [] : [[KID, kid]])
  assertLabels(headers, unprotectedHeaders)
  const protectedBytes = encodeCbor(headers)
  const signature = await signer.sign(sign1ToBeSigned({ protectedBytes, payload, externalAad }))
  const message = {
    protectedBytes,
    protectedHeaders: headers,
    unprotectedHeaders,
    payload: detached ? null : payload,
    signature,
  }
  return encodeSign1(message, { maxBytes: Number.MAX_SAFE_INTEGER })
}

function untagged(value: CborValue): CborValue {
  if (!(value instanceof CborTag)) return value
  const tag = BigInt(value.tag.valueOf())
  if (tag !== BigInt(COSE_SIGN1_TAG)) throw new CoseTagError({ tag: tag.toString() })
  return value.contents as CborValue
}

/** An empty byte string stands for an empty map. RFC 9052, 3. */
function decodeProtected(bytes: Uint8Array, options: DecodeSign1Options): CoseHeaders {
  if (bytes.length === 0) return new Map()
  let headers: CborValue
  try {
    headers = decodeCbor(bytes, { ...options, sorted: false })
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause
    throw new CoseMalformedError(`the protected header is not strict CBOR: ${cause.message}`, cause)
  }
  if (!isCborMap(headers)) throw new CoseMalformedError("the protected header holds no map.")
  return headers
}

/** Labels are integers or text, and none occurs in both buckets. RFC 9052, 3. */
function assertLabels(protectedHeaders: CoseHeaders, unprotectedHeaders: CoseHeaders): void {
  for (const label of [...protectedHeaders.keys(), ...unprotectedHeaders.keys()]) {
    if (!isLabel(label)) throw new CoseMalformedError("a header label is neither an integer nor text.")
  }
  for (const label of protectedHeaders.keys()) {
    if (unprotectedHeaders.has(label)) {
      throw new CoseMalformedError(`header ${nameOf(label)} is both protected and unprotected.`)
    }
  }
}

/** RFC 9052, 3.1, "crit": a list, not empty, of labels that are in the protected header and understood. */
function assertCritical(
  protectedHeaders: CoseHeaders,
  unprotectedHeaders: CoseHeaders,
  understood: readonly CoseLabel[],
): void {
  if (unprotectedHeaders.has(CRIT)) throw new CoseCriticalHeaderError({ label: "2", problem: "is not protected" })
  if (!protectedHeaders.has(CRIT)) return
  const critical = protectedHeaders.get(CRIT)
  if (!isCborArray(critical) || critical.length === 0) {
    throw new CoseCriticalHeaderError({ label: "2", problem: "is not a list of labels" })
  }
  for (const label of critical) {
    const name = nameOf(label)
    if (!protectedHeaders.has(label)) throw new CoseCriticalHeaderError({ label: name, problem: "is not protected" })
    if (!understands(label, understood))
      throw new CoseCriticalHeaderError({ label: name, problem: "is not understood" })
  }
}

/** 1 to 4 are handled here: algorithm, critical list, content type, key id. */
function understands(label: CborValue, understood: readonly CoseLabel[]): boolean {
  if (typeof label === "number" && label >= ALG && label <= KID) return true
  return understood.some((known) => known === label)
}

function algorithmOf(protectedHeaders: CoseHeaders): CoseAlgorithm {
  const id = protectedHeaders.get(ALG)
  if (id === undefined) {
    throw new CoseAlgorithmError({ algorithm: undefined, problem: "the protected header names no algorithm" })
  }
  const algorithm = coseAlgorithmOf(id)
  if (algorithm === undefined) throw new CoseAlgorithmError({ algorithm: nameOf(id), problem: "it is not supported" })
  return algorithm
}

function payloadOf({ payload }: Sign1, detachedPayload: Uint8Array | undefined): Uint8Array {
  if (payload !== null && detachedPayload !== undefined) {
    throw new CosePayloadError("The message carries its payload, and another was given as detached.")
  }
  const signed = payload ?? detachedPayload
  if (signed === undefined) throw new CosePayloadError("The message's payload is detached and was not given.")
  return signed
}

/** The signature as the back ends take it: DER for ECDSA. Undefined when it cannot be a signature at all. */
function backendSignature(signature: Uint8Array, { ecdsaBytes }: CoseAlgorithm): Uint8Array | undefined {
  if (ecdsaBytes === undefined) return signature
  if (signature.length !== ecdsaBytes) return undefined
  try {
    return ecdsaRawToDer(signature)
  } catch (error) {
    if (error instanceof SignatureMalformedError) return undefined
    throw error
  }
}

function isLabel(value: CborValue): boolean {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "string"
}

function nameOf(value: CborValue): string {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "string" ? `${value}` : "(no label)"
}
