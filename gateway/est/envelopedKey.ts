import {
  constants,
  createCipheriv,
  createECDH,
  createHash,
  createPublicKey,
  publicEncrypt,
  randomBytes,
} from "node:crypto"
import { DER, derBitString, derElement, derOctetString, derSequence, derUnsigned, fromHex } from "../../client/index.ts"
import type { Certificate } from "../../client/index.ts"
import { publicKeyBits } from "../issuers/publicKeyBits.ts"
import type { ContentCipher, KeyRecipient } from "./keyRecipient.ts"

const ID_ENVELOPED_DATA = fromHex("0x06092a864886f70d010703")
const ID_SIGNED_DATA = fromHex("0x06092a864886f70d010702")
const ID_EC_PUBLIC_KEY = fromHex("0x06072a8648ce3d0201")
const SHA_256 = derSequence(fromHex("0x0609608648016503040201"), fromHex("0x0500"))
const MGF1_SHA_256 = derSequence(fromHex("0x06092a864886f70d010108"), SHA_256)
/** RSAES-OAEP with SHA-256 throughout and no label. RFC 4055, 4.1. */
const RSA_OAEP = derSequence(
  fromHex("0x06092a864886f70d010107"),
  derSequence(derElement(0xa0, SHA_256), derElement(0xa1, MGF1_SHA_256)),
)
/** id-aes256-CBC, id-aes128-CBC. RFC 3565, 4.1. */
const CIPHERS: Readonly<Record<ContentCipher, { readonly octets: 16 | 32; readonly oid: Uint8Array }>> = {
  "aes-256-cbc": { octets: 32, oid: fromHex("0x060960864801650304012a") },
  "aes-128-cbc": { octets: 16, oid: fromHex("0x0609608648016503040102") },
}
/** id-aes256-wrap, id-aes128-wrap, by the octets of the wrapping key. RFC 3565, 2.3.2. */
const WRAPS = {
  32: { cipher: "id-aes256-wrap", identifier: derSequence(fromHex("0x060960864801650304012d")) },
  16: { cipher: "id-aes128-wrap", identifier: derSequence(fromHex("0x0609608648016503040105")) },
} as const
/** dhSinglePass-stdDH-sha256kdf-scheme, -sha384kdf-scheme. RFC 5753, 7.1.4. */
const CURVES = {
  p256: { curve: "prime256v1", hash: "sha256", scheme: fromHex("0x06062b8104010b01") },
  p384: { curve: "secp384r1", hash: "sha384", scheme: fromHex("0x06062b8104010b02") },
} as const
const BLOCK_OCTETS = 16
/** RFC 3394, 2.2.3.1. */
const WRAP_IV = Buffer.alloc(8, 0xa6)

/**
 * Encrypts SignedData for one recipient, as EnvelopedData in a ContentInfo: by key transport for an RSA key, by key agreement with an
 * ephemeral key for one on a curve, by wrapping for a shared secret. RFC 5652, 6; RFC 5753, 3.1; RFC 7030, 4.4.2.
 */
export function envelopedKey(signedData: Uint8Array, { cipher, to }: KeyRecipient): Uint8Array {
  const { octets, oid } = CIPHERS[cipher]
  const [key, iv] = [randomBytes(octets), randomBytes(BLOCK_OCTETS)]
  const encryptor = createCipheriv(cipher, key, iv)
  const encrypted = Buffer.concat([encryptor.update(signedData), encryptor.final()])
  // 0 where the recipient's own version is 0, 2 otherwise: RFC 5652, 6.1.
  const isTransport = to.kind === "certificate" && to.certificate.keyAlgorithm === "rsa"
  const envelopedData = derSequence(
    integer(isTransport ? 0 : 2),
    derElement(DER.set, to.kind === "shared" ? wrapped(key, to) : forCertificate(key, to.certificate)),
    derSequence(ID_SIGNED_DATA, derSequence(oid, derOctetString(iv)), derElement(0x80, encrypted)),
  )
  return derSequence(ID_ENVELOPED_DATA, derElement(0xa0, envelopedData))
}

/** KEKRecipientInfo: RFC 5652, 6.2.3. */
function wrapped(key: Uint8Array, to: { readonly identifier: Uint8Array; readonly secret: Uint8Array }): Uint8Array {
  const { cipher, identifier } = WRAPS[to.secret.length === 32 ? 32 : 16]
  const kekid = derSequence(derOctetString(to.identifier))
  return derElement(0xa2, integer(4), kekid, identifier, derOctetString(wrapKey(cipher, to.secret, key)))
}

function forCertificate(key: Uint8Array, certificate: Certificate): Uint8Array {
  if (certificate.keyAlgorithm === "rsa") return keyTransport(key, certificate)
  return keyAgreement(key, certificate, certificate.keyAlgorithm === "p384" ? "p384" : "p256")
}

/** KeyTransRecipientInfo: RFC 5652, 6.2.1. */
function keyTransport(key: Uint8Array, certificate: Certificate): Uint8Array {
  const recipient = createPublicKey({ key: Buffer.from(certificate.spki), format: "der", type: "spki" })
  const encrypted = publicEncrypt(
    { key: recipient, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    key,
  )
  return derSequence(integer(0), issuerAndSerial(certificate), RSA_OAEP, derOctetString(encrypted))
}

/** KeyAgreeRecipientInfo: RFC 5652, 6.2.2, with an ephemeral key that nobody keeps. */
function keyAgreement(key: Uint8Array, certificate: Certificate, on: keyof typeof CURVES): Uint8Array {
  const { curve, hash, scheme } = CURVES[on]
  const { cipher, identifier } = WRAPS[key.length === 32 ? 32 : 16]
  const ephemeral = createECDH(curve)
  const point = ephemeral.generateKeys()
  const shared = ephemeral.computeSecret(publicKeyBits(certificate.spki))
  // ECC-CMS-SharedInfo: RFC 5753, 7.2.
  const bits = Buffer.alloc(4)
  bits.writeUInt32BE(key.length * 8)
  const info = derSequence(identifier, derElement(0xa2, derOctetString(bits)))
  const wrapping = deriveKey(hash, shared, info).subarray(0, key.length)
  const originator = derElement(0xa1, derSequence(ID_EC_PUBLIC_KEY), derBitString(point))
  const encryptedKey = derSequence(issuerAndSerial(certificate), derOctetString(wrapKey(cipher, wrapping, key)))
  return derElement(
    0xa1,
    integer(3),
    derElement(0xa0, originator),
    derSequence(scheme, identifier),
    derSequence(encryptedKey),
  )
}

/** The one block of the key derivation of ANSI X9.63 that a key of 32 octets and less needs. SEC 1, 3.6.1. */
function deriveKey(hash: "sha256" | "sha384", shared: Uint8Array, info: Uint8Array): Buffer {
  return createHash(hash)
    .update(shared)
    .update(Uint8Array.of(0, 0, 0, 1))
    .update(info)
    .digest()
}

function wrapKey(cipher: "id-aes256-wrap" | "id-aes128-wrap", wrapping: Uint8Array, key: Uint8Array): Uint8Array {
  const encryptor = createCipheriv(cipher, wrapping, WRAP_IV)
  return Buffer.concat([encryptor.update(key), encryptor.final()])
}

/** IssuerAndSerialNumber, octet for octet as they stand in the certificate. */
function issuerAndSerial({ issuerDer, serial }: Certificate): Uint8Array {
  return derSequence(issuerDer, derElement(DER.integer, serial))
}

function integer(value: number): Uint8Array {
  return derUnsigned(Uint8Array.of(value))
}
