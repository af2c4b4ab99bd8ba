import { DER, DerReader, equalBytes, FleetrootError, keyIdentifiersOf, oidText, toHex } from "../../client/index.ts"
import type { Certificate, Hex, parseCsr } from "../../client/index.ts"
import { KeyEncryptionUnsupportedError } from "../errors/enrolment.ts"

type Csr = ReturnType<typeof parseCsr>

/** How a request wants a key to be encrypted that the server makes. RFC 7030, 4.4.1. */
export type WantedEncryption = {
  /** `shared`: with a secret that both have; `certificate`: for a public key in a certificate of the device's. */
  readonly kind: "shared" | "certificate"
  /** What names the secret or the key. */
  readonly identifier: Uint8Array
  readonly cipher: ContentCipher
}

/** For whom a key is encrypted. */
export type KeyRecipient = {
  readonly cipher: ContentCipher
  readonly to:
    | { readonly kind: "shared"; readonly identifier: Uint8Array; readonly secret: Uint8Array }
    | { readonly kind: "certificate"; readonly certificate: Certificate }
}

/** What the key is encrypted with; the key of that is wrapped by AES of the same strength. */
export type ContentCipher = "aes-256-cbc" | "aes-128-cbc"

const DECRYPT_KEY_IDENTIFIER = "1.2.840.113549.1.9.16.2.37"
const ASYMMETRIC_DECRYPT_KEY_IDENTIFIER = "1.2.840.113549.1.9.16.2.54"
/** RFC 8551, 2.5.2. */
const SMIME_CAPABILITIES = "1.2.840.113549.1.9.15"
/** The strongest first. RFC 3565, 4.1. */
const CIPHERS: readonly (readonly [string, ContentCipher])[] = [
  ["2.16.840.1.101.3.4.1.42", "aes-256-cbc"],
  ["2.16.840.1.101.3.4.1.2", "aes-128-cbc"],
]
const MOST_OCTETS = 255

/**
 * Reads what a request says about it; undefined when the key may go as it is, within TLS.
 *
 * @throws KeyEncryptionUnsupportedError
 */
export function wantedEncryption(csr: Csr): WantedEncryption | undefined {
  const shared = octetsOf(csr, DECRYPT_KEY_IDENTIFIER, "DecryptKeyIdentifier")
  const asymmetric = octetsOf(csr, ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, "AsymmetricDecryptKeyIdentifier")
  if (shared !== undefined && asymmetric !== undefined) throw refuse("it names two keys")
  const identifier = shared ?? asymmetric
  if (identifier === undefined) return undefined
  return { kind: shared === undefined ? "certificate" : "shared", identifier, cipher: cipherOf(csr) }
}

/**
 * The certificate that a request names, as somebody to encrypt for.
 *
 * @param proven The certificate that was proved in this connection, and is good on the ledger.
 * @throws KeyEncryptionUnsupportedError when that is another one, or its key is not for this. RFC 7030, 4.4.1.2.
 */
export function certificateRecipient(
  { identifier, cipher }: WantedEncryption,
  proven: Certificate | undefined,
): KeyRecipient {
  if (proven === undefined || !hasIdentifier(proven, identifier)) {
    throw refuse("the client certificate of this connection has no such key")
  }
  const { keyAlgorithm, keyUsage } = proven
  const usage = keyAlgorithm === "rsa" ? "keyEncipherment" : "keyAgreement"
  if (keyAlgorithm === undefined || keyAlgorithm === "ed25519") {
    throw refuse("nothing can be encrypted for the client certificate's key")
  }
  // "The key MUST either explicitly support keyTransport or keyAgreement or its use MUST be unrestricted."
  if (keyUsage !== undefined && !keyUsage.includes(usage)) {
    throw refuse(`the key usage of the client certificate lacks ${usage}`)
  }
  return { cipher, to: { kind: "certificate", certificate: proven } }
}

/** A secret that is shared with devices, as somebody to encrypt for. @throws KeyEncryptionUnsupportedError */
export function sharedRecipient(
  { identifier, cipher }: WantedEncryption,
  secrets: ReadonlyMap<Hex, Uint8Array> | undefined,
): KeyRecipient {
  const secret = secrets?.get(toHex(identifier))
  if (secret === undefined) throw refuse("no secret of this name is shared with this server")
  return { cipher, to: { kind: "shared", identifier, secret } }
}

function hasIdentifier({ subjectKeyIdentifier, spki }: Certificate, identifier: Uint8Array): boolean {
  if (subjectKeyIdentifier !== undefined) return equalBytes(subjectKeyIdentifier, identifier)
  return keyIdentifiersOf(spki).includes(toHex(identifier))
}

function octetsOf(csr: Csr, oid: string, name: string): Uint8Array | undefined {
  const value = valueOf(csr, oid, name)
  if (value === undefined) return undefined
  const octets = readDer(name, () => {
    const reader = new DerReader(value)
    const inside = reader.content(reader.read(DER.octetString, name))
    reader.finish()
    return inside
  })
  if (octets.length === 0 || octets.length > MOST_OCTETS) throw refuse(`its ${name} has ${octets.length} octets`)
  return octets
}

/** Without capabilities the strongest; with some, the strongest of those. */
function cipherOf(csr: Csr): ContentCipher {
  const name = "SMIMECapabilities"
  const value = valueOf(csr, SMIME_CAPABILITIES, name)
  if (value === undefined) return "aes-256-cbc"
  const known = readDer(name, () => {
    const oids = new Set<string>()
    const list = new DerReader(value).enter(DER.sequence, name)
    while (list.nextTag !== -1) {
      const capability = list.enter(DER.sequence, "SMIMECapability")
      oids.add(oidText(capability.content(capability.read(DER.oid, "capabilityID"))))
    }
    return oids
  })
  const cipher = CIPHERS.find(([oid]) => known.has(oid))?.[1]
  if (cipher === undefined) throw refuse("its SMIMECapabilities have neither AES-256-CBC nor AES-128-CBC")
  return cipher
}

function valueOf({ attributes }: Csr, wanted: string, name: string): Uint8Array | undefined {
  const values = attributes.filter(({ oid }) => oid === wanted).flatMap(({ values: all }) => all)
  if (values.length > 1) throw refuse(`it has more than one ${name}`)
  return values[0]
}

function readDer<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof FleetrootError)) throw cause
    throw new KeyEncryptionUnsupportedError({ reason: `its ${name} cannot be read`, cause })
  }
}

function refuse(reason: string): KeyEncryptionUnsupportedError {
  return new KeyEncryptionUnsupportedError({ reason })
}
