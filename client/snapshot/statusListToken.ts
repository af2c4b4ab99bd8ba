import { signingAlgorithmOf, coseAlgorithmOf } from "../cose/algorithms.ts"
import type { CoseAlgorithm } from "../cose/algorithms.ts"
import { decodeCbor, encodeCbor, isCborMap } from "../cose/cbor.ts"
import type { CborValue } from "../cose/cbor.ts"
import { decodeSign1, signSign1, verifySign1 } from "../cose/sign1.ts"
import { ecdsaRawToDer } from "../crypto/ecdsa.ts"
import type { KeySigner } from "../crypto/signer.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { FleetrootError } from "../errors/base.ts"
import { CoseAlgorithmError } from "../errors/cose.ts"
import { AlgorithmKeyMismatchError, SignatureMalformedError } from "../errors/crypto.ts"
import {
  StatusListMalformedError,
  StatusListSignatureError,
  StatusListSubjectError,
  StatusListTimeError,
} from "../errors/statusList.ts"
import { parseBoundedJson } from "../ledger/rpc/boundedJson.ts"
import { fromBase64url, toBase64url } from "./base64url.ts"
import { decodeStatusListJson, encodeStatusListJson, readStatusListMap, statusListMap } from "./statusList.ts"
import type { DecodeStatusListOptions, StatusList } from "./statusList.ts"

/** What a Status List Token says: the IETF draft "Token Status List", section 5. Times are Unix seconds. */
export type StatusListClaims = {
  /** The URI of the list, as the certificates or tokens name it. */
  readonly sub: string
  readonly iat: number
  readonly exp?: number | undefined
  /** For how many seconds a copy may be used before a new one is fetched. */
  readonly ttl?: number | undefined
  readonly list: StatusList
}

export type SignStatusListOptions = {
  signer: KeySigner
  /** Which key signed, as readers know it. */
  kid?: string
}

export type VerifyStatusListOptions = DecodeStatusListOptions & {
  /** DER SubjectPublicKeyInfo of whoever issues the list. */
  spki: Uint8Array
  crypto: CryptoBackend
  /** The list that was asked for. */
  sub: string
  now: Date
}

const JWT_TYPE = "statuslist+jwt"
const CWT_TYPE = "application/statuslist+cwt"
/** COSE header parameter "typ" (RFC 9596). */
const TYP = 16
// CWT claims: RFC 8392, and the draft's section 5.2.
const [SUB, EXP, IAT, STATUS_LIST, TTL] = [2, 4, 6, 65_533, 65_534]
/** Seconds by which the clocks of issuer and reader may differ. */
const CLOCK_SKEW = 60
const MAX_TOKEN_BYTES = 32 * 2 ** 20

/**
 * A Status List Token as a JWT (section 5.1), signed with ES256, ES384 or EdDSA as the key demands.
 *
 * @throws {@link CoseAlgorithmError} for an RSA key
 */
export async function signStatusListJwt(claims: StatusListClaims, options: SignStatusListOptions): Promise<string> {
  const { signer, kid } = options
  const algorithm = signingAlgorithmOf(signer.algorithm)
  if (algorithm === undefined) {
    throw new CoseAlgorithmError({
      algorithm: undefined,
      problem: `no such signature is made with ${signer.algorithm}`,
    })
  }
  const { sub, iat, exp, ttl, list } = claims
  const header = { alg: algorithm.name, ...(kid === undefined ? {} : { kid }), typ: JWT_TYPE }
  const payload = { exp, iat, status_list: await encodeStatusListJson(list), sub, ttl }
  const signed = `${jsonPart(header)}.${jsonPart(payload)}`
  return `${signed}.${toBase64url(await signer.sign(new TextEncoder().encode(signed)))}`
}

/** A Status List Token as a CWT (section 5.2): a tagged COSE_Sign1. @throws as `signSign1`. */
export async function signStatusListCwt(claims: StatusListClaims, options: SignStatusListOptions): Promise<Uint8Array> {
  const { sub, iat, exp, ttl, list } = claims
  const entries: [CborValue, CborValue | undefined][] = [
    [SUB, sub],
    [EXP, exp],
    [IAT, iat],
    [STATUS_LIST, await statusListMap(list)],
    [TTL, ttl],
  ]
  const payload = new Map(entries.filter((entry): entry is [CborValue, CborValue] => entry[1] !== undefined))
  const { signer, kid } = options
  return signSign1({
    payload: encodeCbor(payload, { maxBytes: Number.MAX_SAFE_INTEGER }),
    signer,
    protectedHeaders: new Map([[TYP, CWT_TYPE]]),
    ...(kid === undefined ? {} : { kid: new TextEncoder().encode(kid) }),
  })
}

/**
 * Reads a JWT that must be signed by `spki`, about `sub`, and hold now.
 *
 * @throws {@link StatusListMalformedError} {@link StatusListTooLargeError} {@link StatusListSignatureError}
 *   {@link StatusListSubjectError} {@link StatusListTimeError}
 */
export async function verifyStatusListJwt(token: string, options: VerifyStatusListOptions): Promise<StatusListClaims> {
  const { signed, algorithm, signature } = splitJwt(token)
  const raw = algorithm.ecdsaBytes === undefined || signature.length === algorithm.ecdsaBytes ? signature : undefined
  const { spki, crypto } = options
  const message = new TextEncoder().encode(signed)
  const genuine = raw !== undefined && (await isGenuine({ algorithm, spki, crypto, message, signature: raw }))
  if (!genuine) throw new StatusListSignatureError()
  return holdsNow(await decodeStatusListJwt(token, options), options)
}

/** Reads a CWT as {@link verifyStatusListJwt} reads a JWT. */
export async function verifyStatusListCwt(
  token: Uint8Array,
  options: VerifyStatusListOptions,
): Promise<StatusListClaims> {
  const { spki, crypto } = options
  const genuine = await asMalformed(() => verifySign1(token, { spki, crypto, maxBytes: MAX_TOKEN_BYTES }))
  if (!genuine) throw new StatusListSignatureError()
  return holdsNow(await decodeStatusListCwt(token, options), options)
}

/** Reads a JWT and believes it: its signature is not looked at. @throws {@link StatusListMalformedError} {@link StatusListTooLargeError} */
export async function decodeStatusListJwt(
  token: string,
  options: DecodeStatusListOptions = {},
): Promise<StatusListClaims> {
  const { payload } = splitJwt(token)
  const { sub, iat, exp, ttl } = payload
  return {
    ...assertClaims({ sub, iat, exp, ttl }),
    list: await decodeStatusListJson(payload["status_list"], options),
  }
}

/** Reads a CWT and believes it: its signature is not looked at. @throws {@link StatusListMalformedError} {@link StatusListTooLargeError} */
export async function decodeStatusListCwt(
  token: Uint8Array,
  options: DecodeStatusListOptions = {},
): Promise<StatusListClaims> {
  const { headers, payload } = await asMalformed(() => {
    const message = decodeSign1(token, { maxBytes: MAX_TOKEN_BYTES })
    const content = decodeCbor(message.payload ?? new Uint8Array(0), { maxBytes: MAX_TOKEN_BYTES, sorted: false })
    return { headers: message.protectedHeaders, payload: content }
  })
  if (headers.get(TYP) !== CWT_TYPE) throw new StatusListMalformedError(`its protected "typ" is not ${CWT_TYPE}`)
  if (!isCborMap(payload)) throw new StatusListMalformedError("its payload is no map")
  const [sub, iat, exp, ttl] = [SUB, IAT, EXP, TTL].map((claim) => payload.get(claim))
  return {
    ...assertClaims({ sub, iat, exp, ttl }),
    list: await readStatusListMap(payload.get(STATUS_LIST), options),
  }
}

type Jwt = { signed: string; algorithm: CoseAlgorithm; signature: Uint8Array; payload: Record<string, unknown> }

function splitJwt(token: string): Jwt {
  if (token.length > MAX_TOKEN_BYTES)
    throw new StatusListMalformedError(`it is longer than ${MAX_TOKEN_BYTES} characters`)
  const [first, second, third, ...more] = token.split(".")
  if (first === undefined || second === undefined || third === undefined || more.length > 0) {
    throw new StatusListMalformedError("it is not three parts with two dots between them")
  }
  const header = readJson(first, "header")
  if (header["typ"] !== JWT_TYPE) throw new StatusListMalformedError(`its "typ" is not ${JWT_TYPE}`)
  if (header["crit"] !== undefined) throw new StatusListMalformedError("it has critical headers that are not known")
  const algorithm = JWS_ALGORITHMS.find(({ name }) => name === header["alg"])
  if (algorithm === undefined) throw new StatusListMalformedError("its signature's algorithm is not known")
  const signature = fromBase64url(third)
  if (signature === undefined) throw new StatusListMalformedError("its signature is not in base64url")
  return { signed: `${first}.${second}`, algorithm, signature, payload: readJson(second, "payload") }
}

/** JOSE and COSE share these names: RFC 7518, RFC 8037. */
const JWS_ALGORITHMS = [-7, -35, -8, -37].map((id) => coseAlgorithmOf(id) as CoseAlgorithm)

function readJson(part: string, what: string): Record<string, unknown> {
  const bytes = fromBase64url(part)
  if (bytes === undefined) throw new StatusListMalformedError(`its ${what} is not in base64url`)
  let json: unknown
  try {
    json = parseBoundedJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new StatusListMalformedError(`its ${what} is no JSON`, cause)
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  throw new StatusListMalformedError(`its ${what} is no object`)
}

function jsonPart(value: object): string {
  return toBase64url(new TextEncoder().encode(JSON.stringify(value)))
}

async function isGenuine(p: {
  algorithm: CoseAlgorithm
  spki: Uint8Array
  crypto: CryptoBackend
  message: Uint8Array
  signature: Uint8Array
}): Promise<boolean> {
  const { algorithm, spki, crypto, message, signature } = p
  try {
    const sent = algorithm.ecdsaBytes === undefined ? signature : ecdsaRawToDer(signature)
    return await crypto.verify({ algorithm: algorithm.signature, spki, message, signature: sent })
  } catch (error) {
    if (error instanceof SignatureMalformedError || error instanceof AlgorithmKeyMismatchError) return false
    throw error
  }
}

function assertClaims(claims: Record<"sub" | "iat" | "exp" | "ttl", unknown>): Omit<StatusListClaims, "list"> {
  const { sub, iat, exp, ttl } = claims
  if (typeof sub !== "string") throw new StatusListMalformedError("`sub` is no text")
  if (!isTime(iat)) throw new StatusListMalformedError("`iat` is no time")
  if (exp !== undefined && !isTime(exp)) throw new StatusListMalformedError("`exp` is no time")
  if (ttl !== undefined && !(isTime(ttl) && ttl > 0)) throw new StatusListMalformedError("`ttl` is no positive number")
  return { sub, iat, exp, ttl }
}

/** A date in the claims' form that also fits a `Date`. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 8.64e12
}

function holdsNow(claims: StatusListClaims, { sub, now }: VerifyStatusListOptions): StatusListClaims {
  if (claims.sub !== sub) throw new StatusListSubjectError({ expected: sub, found: claims.sub })
  const seconds = now.getTime() / 1000
  const ended = claims.exp !== undefined && seconds >= claims.exp
  if (ended || claims.iat > seconds + CLOCK_SKEW) {
    throw new StatusListTimeError({ issuedAt: claims.iat, expiresAt: claims.exp })
  }
  return claims
}

async function asMalformed<Value>(work: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof FleetrootError) throw new StatusListMalformedError(cause.message, cause)
    throw cause
  }
}
