import { PublicKeyInvalidError } from "../errors/crypto.ts"
import { equalBytes } from "../crypto/hex.ts"
import { parsePublicKey } from "../crypto/publicKey.ts"
import { namesKnownSignatureAlgorithm } from "./algorithms.ts"
import type { Certificate } from "./certificate.ts"
import { OID } from "./oids.ts"

/** The rules that a device certificate can break, in the order in which they are looked at. */
export type ProfileFindingCode =
  | "versionUnfit"
  | "signatureAlgorithmsDiffer"
  | "signatureAlgorithmUnknown"
  | "signatureParametersWrong"
  | "serialNotPositive"
  | "serialTooLong"
  | "issuerEmpty"
  | "validityReversed"
  | "validityFormWrong"
  | "keyAlgorithmUnknown"
  | "publicKeyInvalid"
  | "extensionDuplicate"
  | "criticalExtensionUnknown"
  | "caCertificate"
  | "pathLengthWithoutCa"
  | "keyUsageOfCa"
  | "keyUsageUnfit"
  | "extendedKeyUsageUnfit"

/** One rule that a certificate breaks. `code` is stable; `message` names the value. */
export type ProfileFinding = { readonly code: ProfileFindingCode; readonly message: string }

const MAXIMUM_SERIAL_OCTETS = 20

/** Extensions that may be critical: those that this profile looks into, and names, which it does not use. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
  OID.subjectAltName,
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier,
])

/** Purposes of services that sign, not of devices that authenticate themselves. */
const SIGNING_PURPOSES: ReadonlySet<string> = new Set([OID.ocspSigning, OID.codeSigning, OID.timeStamping])

type Rule = (certificate: Certificate) => ProfileFinding | undefined

/**
 * Every rule of the device certificate profile that `certificate` breaks, in a fixed order; none means that it conforms.
 *
 * The chain has a fixed shape, one issuer key on the ledger and one device certificate below it, so the profile is a
 * list of rules for that one certificate: no path is built, names and policies play no part.
 */
export function checkDeviceProfile(certificate: Certificate): ProfileFinding[] {
  const findings: ProfileFinding[] = []
  for (const rule of RULES) {
    const finding = rule(certificate)
    if (finding !== undefined) findings.push(finding)
  }
  return findings
}

const RULES: readonly Rule[] = [
  version,
  signatureAlgorithm,
  serial,
  issuer,
  validityOrder,
  validityForm,
  publicKey,
  duplicateExtension,
  criticalExtension,
  noCa,
  pathLength,
  keyUsageOfCa,
  keyUsage,
  extendedKeyUsage,
]

// RFC 5280, 4.1.2.1: extensions need v3; without them v1 is as good, and what `openssl x509 -req` makes by default.
function version({ version: found, extensions }: Certificate): ProfileFinding | undefined {
  if (found === 3 || (found === 1 && extensions.length === 0)) return undefined
  return { code: "versionUnfit", message: `Version ${found}; v3 is needed, or v1 without extensions.` }
}

// RFC 5280, 4.1.1.2 and 4.1.2.3; parameters as RFC 5758 3.2, RFC 8410 3 and RFC 4055 5 say.
function signatureAlgorithm(certificate: Certificate): ProfileFinding | undefined {
  const { signatureAlgorithmDer, innerSignatureAlgorithmDer, signatureAlgorithm: known } = certificate
  if (!equalBytes(signatureAlgorithmDer, innerSignatureAlgorithmDer)) {
    return {
      code: "signatureAlgorithmsDiffer",
      message: "The signature algorithm inside differs from the one outside.",
    }
  }
  if (known !== undefined) return undefined
  return namesKnownSignatureAlgorithm(signatureAlgorithmDer)
    ? { code: "signatureParametersWrong", message: "The signature algorithm's parameters are not as its RFC demands." }
    : { code: "signatureAlgorithmUnknown", message: "The signature algorithm is none that this profile allows." }
}

// RFC 5280, 4.1.2.2.
function serial({ serial: octets }: Certificate): ProfileFinding | undefined {
  if ((octets[0] as number) >= 0x80 || octets.every((octet) => octet === 0)) {
    return { code: "serialNotPositive", message: "The serial number is zero or negative." }
  }
  if (octets.length <= MAXIMUM_SERIAL_OCTETS) return undefined
  return { code: "serialTooLong", message: `The serial number has ${octets.length} octets; at most 20 are allowed.` }
}

// RFC 5280, 4.1.2.4. An empty Name is 30 00.
function issuer({ issuerDer }: Certificate): ProfileFinding | undefined {
  return issuerDer.length > 2 ? undefined : { code: "issuerEmpty", message: "The issuer's name is empty." }
}

function validityOrder({ notBefore, notAfter }: Certificate): ProfileFinding | undefined {
  if (notBefore <= notAfter) return undefined
  return {
    code: "validityReversed",
    message: `It ends (${notAfter}) before it begins (${notBefore}), in Unix seconds.`,
  }
}

// RFC 5280, 4.1.2.5.
function validityForm({ validityInRightForm }: Certificate): ProfileFinding | undefined {
  if (validityInRightForm) return undefined
  return { code: "validityFormWrong", message: "Times up to 2049 are UTCTime, later ones GeneralizedTime; here not." }
}

function publicKey({ keyAlgorithm, spki }: Certificate): ProfileFinding | undefined {
  if (keyAlgorithm === undefined) {
    return {
      code: "keyAlgorithmUnknown",
      message: "The key is none of P-256, P-384, RSA, Ed25519 in the usual encoding.",
    }
  }
  try {
    parsePublicKey(spki)
    return undefined
  } catch (error) {
    if (error instanceof PublicKeyInvalidError) return { code: "publicKeyInvalid", message: error.message }
    throw error
  }
}

// RFC 5280, 4.2.
function duplicateExtension({ extensions }: Certificate): ProfileFinding | undefined {
  const seen = new Set<string>()
  for (const { oid } of extensions) seen.add(oid)
  if (seen.size === extensions.length) return undefined
  const twice = extensions.find(({ oid }, i) => extensions.findIndex((other) => other.oid === oid) < i)
  return { code: "extensionDuplicate", message: `Extension ${twice?.oid} stands there twice.` }
}

// RFC 5280, 4.2: a critical extension that is not understood means refusal.
function criticalExtension({ extensions }: Certificate): ProfileFinding | undefined {
  const unknown = extensions.find(({ oid, critical }) => critical && !UNDERSTOOD.has(oid))
  if (unknown === undefined) return undefined
  return { code: "criticalExtensionUnknown", message: `Extension ${unknown.oid} is critical and not understood.` }
}

function noCa({ isCa }: Certificate): ProfileFinding | undefined {
  return isCa ? { code: "caCertificate", message: "It is a CA certificate (basicConstraints cA)." } : undefined
}

// RFC 5280, 4.2.1.9.
function pathLength({ isCa, pathLen }: Certificate): ProfileFinding | undefined {
  if (isCa || pathLen === undefined) return undefined
  return { code: "pathLengthWithoutCa", message: "It has a path length although it is no CA." }
}

// RFC 5280, 4.2.1.3.
function keyUsageOfCa({ keyUsage: usages }: Certificate): ProfileFinding | undefined {
  const ofCa = usages?.find((usage) => usage === "keyCertSign" || usage === "cRLSign")
  return ofCa === undefined ? undefined : { code: "keyUsageOfCa", message: `Its key usage has ${ofCa}.` }
}

function keyUsage({ keyUsage: usages }: Certificate): ProfileFinding | undefined {
  if (usages === undefined || usages.includes("digitalSignature") || usages.includes("keyAgreement")) return undefined
  return { code: "keyUsageUnfit", message: `Its key usage (${usages.join(", ")}) lets no device prove itself.` }
}

// RFC 5280, 4.2.1.12.
function extendedKeyUsage({ extendedKeyUsage: purposes }: Certificate): ProfileFinding | undefined {
  if (purposes === undefined || purposes.some((purpose) => !SIGNING_PURPOSES.has(purpose))) return undefined
  return {
    code: "extendedKeyUsageUnfit",
    message: `Its purposes (${purposes.join(", ")}) are those of signing services.`,
  }
}
