import {
  PrivateKeyEncryptedError,
  PrivateKeyInvalidError,
  PublicKeyInvalidError,
  WebCryptoMissingError,
} from "../errors/crypto.ts"
import { DerError } from "../errors/x509.ts"
import { defaultCrypto } from "./defaultCrypto.ts"
import { ecdsaRawToDer } from "./ecdsa.ts"
import type { Hex } from "./hex.ts"
import { concatBytes, equalBytes } from "./hex.ts"
import { DerReader } from "./derReader.ts"
import { derOctetString, derSequence, derUnsigned } from "./derWriter.ts"
import { keyIdOf } from "./keyId.ts"
import { decodePem } from "./pem.ts"
import { encodePublicKey, KEY_ALGORITHM_IDENTIFIERS, parsePublicKey } from "./publicKey.ts"
import { assertStrictDer, DER } from "./strictDer.ts"
import type { KeyAlgorithm, SignatureAlgorithm } from "./types.ts"
import { subtleOf } from "./webCrypto.ts"

/** Somebody who signs: a key in memory, a file, an HSM. The private key stays behind this door. */
export interface KeySigner {
  readonly algorithm: KeyAlgorithm
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  readonly keyId: Hex
  /**
   * Signs `message`, hashing it as the algorithm says: P-256 SHA-256, P-384 SHA-384, both as raw r || s (s may be
   * high); RSA PKCS#1 v1.5 with SHA-256; Ed25519 64 octets.
   */
  sign(message: Uint8Array): Promise<Uint8Array>
}

/** A signer whose private key may be taken out, to be stored. */
export interface ExportableKeySigner extends KeySigner {
  /** PKCS#8 PrivateKeyInfo, DER, not encrypted. */
  exportPkcs8(): Promise<Uint8Array>
}

const WEB_ALGORITHMS = {
  p256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  p384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  rsa: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  ed25519: { name: "Ed25519" },
} as const satisfies Record<KeyAlgorithm, object>

const SIGNS_WITH = {
  p256: "ecdsa-p256-sha256",
  p384: "ecdsa-p384-sha384",
  rsa: "rsa-pkcs1-sha256",
  ed25519: "ed25519",
} as const satisfies Record<KeyAlgorithm, SignatureAlgorithm>

const PRIVATE_LABELS = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] as const
// Two headers and the OBJECT IDENTIFIER id-ecPublicKey stand in front of the curve's.
const EC_CURVE_START = 11
const VERSION_0 = derUnsigned(Uint8Array.of(0))

/**
 * A fresh P-256 key from the platform's own randomness.
 *
 * @throws {@link WebCryptoMissingError}
 */
export async function generateP256Key(): Promise<ExportableKeySigner> {
  const subtle = webCryptoOrThrow()
  const pair = await subtle.generateKey(WEB_ALGORITHMS.p256, true, ["sign", "verify"])
  const spki = new Uint8Array(await subtle.exportKey("spki", pair.publicKey))
  return {
    ...signerOf("p256", spki, pair.privateKey),
    exportPkcs8: async () => new Uint8Array(await subtle.exportKey("pkcs8", pair.privateKey)),
  }
}

/**
 * A signer from a private key of P-256, P-384, RSA or Ed25519: PKCS#8 in DER, or PEM with one block "PRIVATE KEY",
 * "EC PRIVATE KEY" (SEC1, as `openssl ecparam -genkey` writes it) or "RSA PRIVATE KEY" (PKCS#1).
 *
 * @throws {@link PrivateKeyInvalidError} {@link PrivateKeyEncryptedError} {@link WebCryptoMissingError}
 */
export async function signerFromPkcs8(key: Uint8Array | string): Promise<KeySigner> {
  const subtle = webCryptoOrThrow()
  const pkcs8 = readPrivateKey(key)
  const algorithm = privateKeyAlgorithm(pkcs8)
  const signer = await importSigner(subtle, algorithm, pkcs8)
  await assertHalvesBelong(signer)
  return signer
}

async function importSigner(
  subtle: SubtleCrypto,
  algorithm: KeyAlgorithm,
  pkcs8: Uint8Array<ArrayBuffer>,
): Promise<KeySigner> {
  try {
    // Taken out once to learn the public half, which PKCS#8 need not hold; the key that signs cannot be taken out.
    const open = await subtle.importKey("pkcs8", pkcs8, WEB_ALGORITHMS[algorithm], true, ["sign"])
    const spki = publicHalf(algorithm, await subtle.exportKey("jwk", open))
    parsePublicKey(spki)
    const closed = await subtle.importKey("pkcs8", pkcs8, WEB_ALGORITHMS[algorithm], false, ["sign"])
    return signerOf(algorithm, spki, closed)
  } catch (cause) {
    // The platform's own words may quote the key: they are not passed on.
    const reason =
      cause instanceof PublicKeyInvalidError ? `of its public half, ${cause.reason}` : "the platform cannot read it"
    throw new PrivateKeyInvalidError({ reason })
  }
}

// A file may hold a public half that is not its private half's. Found out here, not from signatures that nobody takes.
async function assertHalvesBelong(signer: KeySigner): Promise<void> {
  const message = new TextEncoder().encode("fleetroot: do the halves of this key belong together?")
  const raw = await signer.sign(message)
  const ecdsa = signer.algorithm === "p256" || signer.algorithm === "p384"
  const belong = await defaultCrypto().verify({
    algorithm: SIGNS_WITH[signer.algorithm],
    spki: signer.spki,
    message,
    signature: ecdsa ? ecdsaRawToDer(raw) : raw,
  })
  if (!belong) throw new PrivateKeyInvalidError({ reason: "its public half does not belong to its private half" })
}

function signerOf(algorithm: KeyAlgorithm, spki: Uint8Array, privateKey: CryptoKey): KeySigner {
  const subtle = webCryptoOrThrow()
  const sign = async (message: Uint8Array) =>
    new Uint8Array(await subtle.sign(WEB_ALGORITHMS[algorithm], privateKey, new Uint8Array(message)))
  return { algorithm, spki, keyId: keyIdOf(spki), sign }
}

function webCryptoOrThrow(): SubtleCrypto {
  const subtle = subtleOf(globalThis)
  if (subtle === undefined) throw new WebCryptoMissingError()
  return subtle
}

// PEM or DER of any of the three forms, as PKCS#8.
function readPrivateKey(key: Uint8Array | string): Uint8Array<ArrayBuffer> {
  if (typeof key !== "string" && key[0] === DER.sequence) return new Uint8Array(key)

  const text = typeof key === "string" ? key : new TextDecoder().decode(key)
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) throw new PrivateKeyEncryptedError()
  const blocks = PRIVATE_LABELS.flatMap((label) => decodePem(text, label))
  const [block] = blocks
  if (block === undefined) throw new PrivateKeyInvalidError({ reason: "there is no private key in it" })
  if (blocks.length > 1) throw new PrivateKeyInvalidError({ reason: `there are ${blocks.length} private keys in it` })
  return new Uint8Array(toPkcs8(block.label, block.der))
}

// PrivateKeyInfo ::= SEQUENCE { version 0, AlgorithmIdentifier, OCTET STRING }, RFC 5208, 5.
function toPkcs8(label: string, der: Uint8Array): Uint8Array {
  if (label === "PRIVATE KEY") return der
  const algorithm = label === "RSA PRIVATE KEY" ? KEY_ALGORITHM_IDENTIFIERS.rsa : sec1Curve(der)
  return derSequence(VERSION_0, algorithm, derOctetString(der))
}

// ECPrivateKey ::= SEQUENCE { version 1, OCTET STRING, [0] named curve, [1] public key }, RFC 5915, 3.
function sec1Curve(der: Uint8Array): Uint8Array {
  const curve = readPrivate(der, (fields) => {
    fields.integer("version")
    fields.read(DER.octetString, "privateKey")
    const parameters = fields.readIf(0xa0, "parameters")
    return parameters === undefined ? new Uint8Array(0) : fields.content(parameters)
  })
  // An AlgorithmIdentifier ends with the OBJECT IDENTIFIER of the curve, which is what stands here.
  const found = (["p256", "p384"] as const).find((algorithm) =>
    equalBytes(curve, KEY_ALGORITHM_IDENTIFIERS[algorithm].subarray(EC_CURVE_START)),
  )
  if (found !== undefined) return KEY_ALGORITHM_IDENTIFIERS[found]
  throw new PrivateKeyInvalidError({ reason: "its curve is neither P-256 nor P-384, or is not named" })
}

function privateKeyAlgorithm(pkcs8: Uint8Array): KeyAlgorithm {
  const identifier = readPrivate(pkcs8, (fields) => {
    fields.integer("version")
    return fields.whole(fields.read(DER.sequence, "privateKeyAlgorithm"))
  })
  for (const [algorithm, known] of Object.entries(KEY_ALGORITHM_IDENTIFIERS)) {
    if (equalBytes(identifier, known)) return algorithm as KeyAlgorithm
  }
  throw new PrivateKeyInvalidError({ reason: "its algorithm is none of P-256, P-384, RSA, Ed25519" })
}

function readPrivate(der: Uint8Array, read: (fields: DerReader) => Uint8Array): Uint8Array {
  try {
    assertStrictDer(der)
    return read(new DerReader(der).enter(DER.sequence, "a private key"))
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    throw new PrivateKeyInvalidError({
      reason: "it is not PKCS#8 in DER, or the block is of another form than it says",
      cause,
    })
  }
}

function publicHalf(algorithm: KeyAlgorithm, jwk: JsonWebKey): Uint8Array {
  const field = (name: "x" | "y" | "n" | "e") => base64Url(jwk[name] ?? "")
  if (algorithm === "ed25519") return encodePublicKey(algorithm, field("x"))
  if (algorithm === "rsa") {
    return encodePublicKey(algorithm, derSequence(derUnsigned(field("n")), derUnsigned(field("e"))))
  }
  return encodePublicKey(algorithm, concatBytes(Uint8Array.of(0x04), field("x"), field("y")))
}

function base64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}
