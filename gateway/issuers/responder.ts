import { createHash } from "node:crypto"
import {
  buildCertificate,
  defaultCrypto,
  generateP256Key,
  parseCertificate,
  verifyCertificateSignature,
  type Certificate,
  type KeySigner,
} from "../../client/index.ts"
import { ResponderUnfitError } from "../errors/revocation.ts"
import { publicKeyBits } from "./publicKeyBits.ts"

/** Who signs an issuer's OCSP answers right now. */
export type SigningResponder = {
  readonly signer: KeySigner
  readonly certificate: Certificate
  /** SHA-1 of the responder's public key: its ResponderID. RFC 6960, 4.2.1. */
  readonly keyHash: Uint8Array
}

/** Where OCSP answers of one issuer get their signature. */
export interface Responder {
  /** Whether the certificate is made here, with the issuer's key. */
  readonly minted: boolean
  /** @throws ResponderUnfitError once a given certificate has ended. */
  at(seconds: number): Promise<SigningResponder>
}

const OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
const OCSP_NO_CHECK = { oid: "1.3.6.1.5.5.7.48.1.5", critical: false, value: Uint8Array.of(0x05, 0x00) }
const CLOCK_SKEW_SECONDS = 300

/**
 * A responder with a certificate from elsewhere.
 *
 * @throws ResponderUnfitError when it is not the issuer's, not for OCSP, not valid now, or not the key's. RFC 6960, 4.2.2.2.
 */
export async function givenResponder(
  { certificate, signer }: { certificate: Certificate; signer: KeySigner },
  issuer: Certificate,
  now: number,
): Promise<Responder> {
  const refuse = (reason: string): never => {
    throw new ResponderUnfitError({ reason })
  }
  if (certificate.keyId !== signer.keyId) refuse("its key is another than the one given")
  if (certificate.keyId !== issuer.keyId) {
    if (certificate.extendedKeyUsage?.includes(OCSP_SIGNING) !== true) refuse("its purposes lack id-kp-OCSPSigning")
    if (!(await verifyCertificateSignature(certificate, issuer.spki, defaultCrypto()))) {
      refuse("the issuer did not sign it")
    }
  }
  const assertValid = (seconds: number): void => {
    if (seconds < certificate.notBefore) refuse("it is not valid yet")
    if (seconds > certificate.notAfter) refuse("it has expired")
  }
  assertValid(now)
  const responder = ready(certificate, signer)
  return {
    minted: false,
    at: async (seconds) => {
      assertValid(seconds)
      return responder
    },
  }
}

/**
 * A responder whose certificate is made here: a fresh key, short-lived, not to be checked itself (RFC 6960, 4.2.2.2.1), and
 * replaced when half its life is over.
 */
export function mintedResponder(issuer: Certificate, signer: KeySigner, lifetimeSeconds = 86_400): Responder {
  let current: { readonly renewAt: number; readonly made: Promise<SigningResponder> } | undefined
  const mint = async (now: number): Promise<SigningResponder> => {
    const key = await generateP256Key()
    const serial = crypto.getRandomValues(new Uint8Array(16))
    // Positive, not zero, and no position.
    serial[0] = 0x10 | ((serial[0] as number) & 0x0f)
    const der = await buildCertificate({
      subject: { commonName: "Fleetroot OCSP responder" },
      issuer,
      spki: key.spki,
      signer,
      serial,
      notBefore: Math.max(issuer.notBefore, now - CLOCK_SKEW_SECONDS),
      notAfter: Math.min(issuer.notAfter, now + lifetimeSeconds),
      purposes: [OCSP_SIGNING],
      extensions: [OCSP_NO_CHECK],
    })
    return ready(parseCertificate(der), key)
  }
  return {
    minted: true,
    at: async (seconds) => {
      if (current === undefined || seconds >= current.renewAt) {
        const made = mint(seconds)
        const renewed = { renewAt: seconds + lifetimeSeconds / 2, made }
        current = renewed
        made.catch(() => {
          if (current === renewed) current = undefined
        })
      }
      return current.made
    },
  }
}

function ready(certificate: Certificate, signer: KeySigner): SigningResponder {
  const keyHash = new Uint8Array(createHash("sha1").update(publicKeyBits(certificate.spki)).digest())
  return { signer, certificate, keyHash }
}
