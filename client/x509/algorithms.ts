import { derElement, derSequence, derUnsigned } from "../crypto/derWriter.ts"
import { equalBytes, fromHex } from "../crypto/hex.ts"
import type { HashAlgorithm, KeyAlgorithm, SignatureAlgorithm } from "../crypto/types.ts"

/** What a certificate's AlgorithmIdentifier says. For ECDSA that is the hash alone; the curve is the signer's key's. */
export type CertificateSignatureAlgorithm =
  `ecdsa-${HashAlgorithm}` | `rsa-pkcs1-${HashAlgorithm}` | `rsa-pss-${HashAlgorithm}` | "ed25519"

type Identifier = { algorithm: CertificateSignatureAlgorithm; der: Uint8Array }

const NULL = fromHex("0x0500")
const HASH_OIDS: Readonly<Record<HashAlgorithm, Uint8Array>> = {
  sha256: fromHex("0x0609608648016503040201"),
  sha384: fromHex("0x0609608648016503040202"),
  sha512: fromHex("0x0609608648016503040203"),
}
const SALT_OCTETS: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 }
const RSA_PSS_OID = fromHex("0x06092a864886f70d01010a")
const MGF1_OID = fromHex("0x06092a864886f70d010108")

/**
 * Every AlgorithmIdentifier accepted, whole, so that parameters are right by comparison: absent for ECDSA (RFC 5758,
 * 3.2) and Ed25519 (RFC 8410, 3), NULL for PKCS#1 (RFC 4055, 5), and for PSS one hash throughout with a salt of its
 * length (RFC 4055, 3.1; the hash's own parameters are NULL or absent, 2.1). The first of each kind is what we write.
 */
const IDENTIFIERS: readonly Identifier[] = [
  { algorithm: "ecdsa-sha256", der: fromHex("0x300a06082a8648ce3d040302") },
  { algorithm: "ecdsa-sha384", der: fromHex("0x300a06082a8648ce3d040303") },
  { algorithm: "ecdsa-sha512", der: fromHex("0x300a06082a8648ce3d040304") },
  { algorithm: "ed25519", der: fromHex("0x300506032b6570") },
  { algorithm: "rsa-pkcs1-sha256", der: fromHex("0x300d06092a864886f70d01010b0500") },
  { algorithm: "rsa-pkcs1-sha384", der: fromHex("0x300d06092a864886f70d01010c0500") },
  { algorithm: "rsa-pkcs1-sha512", der: fromHex("0x300d06092a864886f70d01010d0500") },
  ...(["sha256", "sha384", "sha512"] as const).flatMap((hash) => [pss(hash, NULL), pss(hash, new Uint8Array(0))]),
]

/** What a whole AlgorithmIdentifier means; undefined when it is unknown or its parameters are not as they must be. */
export function readSignatureAlgorithm(identifier: Uint8Array): CertificateSignatureAlgorithm | undefined {
  return IDENTIFIERS.find(({ der }) => equalBytes(der, identifier))?.algorithm
}

/** Whether an AlgorithmIdentifier names one of our algorithms, whatever its parameters. */
export function namesKnownSignatureAlgorithm(identifier: Uint8Array): boolean {
  // All of ours have short lengths: SEQUENCE and OBJECT IDENTIFIER headers are two octets each.
  return IDENTIFIERS.some(({ der }) => {
    const oidEnd = 4 + (der[3] as number)
    return equalBytes(der.subarray(2, oidEnd), identifier.subarray(2, oidEnd))
  })
}

/** The AlgorithmIdentifier that a key of this kind signs with here. */
export function signatureAlgorithmIdentifier(key: KeyAlgorithm): Uint8Array {
  const algorithm = { p256: "ecdsa-sha256", p384: "ecdsa-sha384", rsa: "rsa-pkcs1-sha256", ed25519: "ed25519" }[key]
  return (IDENTIFIERS.find((identifier) => identifier.algorithm === algorithm) as Identifier).der
}

type EcdsaIdentifier = `ecdsa-${HashAlgorithm}`

/** Ready-made: a name that is put together anew has to be looked at letter by letter. */
const ECDSA: Readonly<Record<"p256" | "p384", Readonly<Record<EcdsaIdentifier, SignatureAlgorithm>>>> = {
  p256: {
    "ecdsa-sha256": "ecdsa-p256-sha256",
    "ecdsa-sha384": "ecdsa-p256-sha384",
    "ecdsa-sha512": "ecdsa-p256-sha512",
  },
  p384: {
    "ecdsa-sha256": "ecdsa-p384-sha256",
    "ecdsa-sha384": "ecdsa-p384-sha384",
    "ecdsa-sha512": "ecdsa-p384-sha512",
  },
}

function isEcdsa(algorithm: CertificateSignatureAlgorithm): algorithm is EcdsaIdentifier {
  return Object.hasOwn(ECDSA.p256, algorithm)
}

/** The algorithm to verify with, or undefined when a key of this kind cannot have made such a signature. */
export function signatureAlgorithmFor(
  algorithm: CertificateSignatureAlgorithm,
  key: KeyAlgorithm,
): SignatureAlgorithm | undefined {
  if (algorithm === "ed25519") return key === "ed25519" ? algorithm : undefined
  if (isEcdsa(algorithm)) return key === "p256" || key === "p384" ? ECDSA[key][algorithm] : undefined
  return key === "rsa" ? algorithm : undefined
}

function pss(hash: HashAlgorithm, hashParameters: Uint8Array): Identifier {
  const hashIdentifier = derSequence(HASH_OIDS[hash], hashParameters)
  const parameters = derSequence(
    derElement(0xa0, hashIdentifier),
    derElement(0xa1, derSequence(MGF1_OID, hashIdentifier)),
    derElement(0xa2, derUnsigned(Uint8Array.of(SALT_OCTETS[hash]))),
  )
  return { algorithm: `rsa-pss-${hash}`, der: derSequence(RSA_PSS_OID, parameters) }
}
