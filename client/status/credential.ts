import { decodeRawPublicKey, verifyRawPublicKey } from "../cose/rawPublicKey.ts"
import type { Hex } from "../crypto/hex.ts"
import { toHex } from "../crypto/hex.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { RawPublicKeySignatureError } from "../errors/cose.ts"
import { DerInputError } from "../errors/x509.ts"
import { parseCertificate } from "../x509/certificate.ts"
import type { Certificate } from "../x509/certificate.ts"
import { checkDeviceProfile } from "../x509/deviceProfile.ts"
import { readOneCertificate } from "../x509/pem.ts"
import { signatureQuestion } from "../x509/verifyCertificate.ts"
import { copyOf } from "./copyOf.ts"
import type { Soon } from "./steps.ts"

/** A device's credential, of either kind, as the status check sees it. Times are Unix seconds. */
export type Credential = {
  readonly kind: "x509" | "rawPublicKey"
  readonly credentialHash: Hex
  readonly fingerprint: Hex | null
  readonly deviceKeyId: Hex
  readonly notBefore: number
  readonly notAfter: number
  /** Content octets of an X.509 serial number. */
  readonly serial: Uint8Array | undefined
  readonly authorityKeyIdentifier: Hex | undefined
  /** The first rule of the device profile that it breaks. */
  readonly finding: string | undefined
  /** The copy that all of it is read from, where it shares memory with others. */
  readonly copy?: Uint8Array
  /** Whether `issuerSpki` signed it (X.509), or whether it is signed by its own key (raw public key). */
  isSignedBy(issuerSpki: Uint8Array, crypto: CryptoBackend): Soon<boolean>
}

/** A certificate as a credential. @throws DerError, CertificateMalformedError, PemBlockMissingError, PemBlocksManyError */
export function certificateCredential(pemOrDer: string | Uint8Array): Credential {
  return ownedCredential(ownInput(pemOrDer))
}

/** The input, so that its owner may use the memory for something else while the ledger is asked. */
export function ownInput(pemOrDer: string | Uint8Array): string | Uint8Array {
  return pemOrDer instanceof Uint8Array ? copyOf(pemOrDer) : pemOrDer
}

/** The same as {@link certificateCredential} for an input that nobody else will write to. */
export function ownedCredential(pemOrDer: string | Uint8Array): Credential {
  if (typeof pemOrDer !== "string" && !(pemOrDer instanceof Uint8Array)) {
    throw new DerInputError({ found: typeof pemOrDer })
  }
  return new CertificateCredential(parseCertificate(readOneCertificate(pemOrDer)))
}

/** A certificate as the status check sees it; what few checks ask for is made when it is asked for. */
class CertificateCredential implements Credential {
  readonly kind = "x509"
  readonly credentialHash: Hex
  readonly fingerprint: Hex
  readonly deviceKeyId: Hex
  readonly notBefore: number
  readonly notAfter: number
  readonly serial: Uint8Array
  readonly copy: Uint8Array
  readonly finding: string | undefined
  readonly #certificate: Certificate

  constructor(certificate: Certificate) {
    const [broken] = checkDeviceProfile(certificate)
    this.credentialHash = certificate.credentialHash
    this.fingerprint = certificate.fingerprint
    this.deviceKeyId = certificate.keyId
    this.notBefore = certificate.notBefore
    this.notAfter = certificate.notAfter
    this.serial = certificate.serial
    this.copy = certificate.der
    this.finding = broken === undefined ? undefined : `${broken.code}: ${broken.message}`
    this.#certificate = certificate
  }

  get authorityKeyIdentifier(): Hex | undefined {
    const { authorityKeyIdentifier } = this.#certificate
    return authorityKeyIdentifier === undefined ? undefined : toHex(authorityKeyIdentifier)
  }

  isSignedBy(issuerSpki: Uint8Array, crypto: CryptoBackend): Soon<boolean> {
    const question = signatureQuestion(this.#certificate, issuerSpki)
    if (question === undefined) return false
    return crypto.verifyNow === undefined ? crypto.verify(question) : crypto.verifyNow(question)
  }
}

/** A raw public key object as a credential. @throws what {@link decodeRawPublicKey} throws. */
export function rawPublicKeyCredential(bytes: Uint8Array): Credential {
  const object = decodeRawPublicKey(bytes)
  const copy = bytes.slice()
  return {
    kind: "rawPublicKey",
    credentialHash: object.credentialHash,
    fingerprint: null,
    deviceKeyId: object.keyId,
    notBefore: object.notBefore,
    notAfter: object.notAfter,
    serial: undefined,
    authorityKeyIdentifier: undefined,
    finding: undefined,
    // Its issuer vouches for it by the batch that it is in; its own signature shows that the key is held by somebody.
    isSignedBy: async (_issuerSpki, crypto) => {
      try {
        await verifyRawPublicKey(copy, crypto)
        return true
      } catch (error) {
        if (error instanceof RawPublicKeySignatureError) return false
        throw error
      }
    },
  }
}
