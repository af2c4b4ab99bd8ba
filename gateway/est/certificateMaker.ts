import {
  buildCertificate,
  checkDeviceProfile,
  defaultCrypto,
  DER,
  derBitString,
  derElement,
  DerReader,
  derSequence,
  derUnsigned,
  ecdsaRawToDer,
  encodeExtensions,
  fromHex,
  keyIdOf,
  parseCertificate,
  signatureAlgorithmIdentifier,
  verifyCertificateSignature,
} from "../../client/index.ts"
import type { Certificate } from "../../client/index.ts"
import { EstLabelUnfitError } from "../errors/enrolment.ts"
import { x509Time } from "../issuers/derTime.ts"
import { SUBJECT_ALT_NAME } from "./csr.ts"
import { DEFAULTS } from "./context.ts"
import type { EstLabel } from "./context.ts"

/** What differs from one certificate of a label to the next. */
export type CertificateWords = {
  /** Name in DER. */
  readonly subject: Uint8Array
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** Unix seconds, inclusive. */
  readonly notBefore: number
  readonly notAfter: number
  /** Value of the subjectAltName extension. */
  readonly alternativeNames: Uint8Array | undefined
}

const SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
const V3 = derElement(0xa0, derUnsigned(Uint8Array.of(2)))
const KEY_ID_OCTETS = 32

/**
 * Makes a label's device certificates. What is the same in all of them is taken, once, from a certificate of the client's own
 * making; only the rest is written each time, which is five times as fast.
 */
export class CertificateMaker {
  readonly #label: EstLabel
  /** The extensions as they stand in every certificate, in front of and behind the subject's key identifier. */
  readonly #before: Uint8Array
  readonly #behind: Uint8Array
  readonly #algorithm: Uint8Array

  private constructor(label: EstLabel, sample: Certificate) {
    this.#label = label
    this.#algorithm = signatureAlgorithmIdentifier(label.signer.algorithm)
    const at = sample.extensions.findIndex(({ oid }) => oid === SUBJECT_KEY_IDENTIFIER)
    const identifier = encodeExtensions(sample.extensions.slice(at, at + 1))
    this.#before = joined(
      inner(encodeExtensions(sample.extensions.slice(0, at))),
      inner(identifier).slice(0, -KEY_ID_OCTETS),
    )
    this.#behind = inner(encodeExtensions(sample.extensions.slice(at + 1)))
  }

  /** @throws CertificateFieldError for an address that is none. */
  static async make(label: EstLabel): Promise<CertificateMaker> {
    const { certificate, signer, purposes = DEFAULTS.purposes, aiaOcsp, aiaIssuers, crlUrl } = label
    const sample = await buildCertificate({
      subject: { commonName: "sample" },
      issuer: certificate,
      spki: signer.spki,
      signer,
      serial: Uint8Array.of(1),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      purposes,
      ...(aiaOcsp === undefined ? {} : { aiaOcsp }),
      ...(aiaIssuers === undefined ? {} : { aiaIssuers }),
      ...(crlUrl === undefined ? {} : { crlUrl }),
    })
    return new CertificateMaker(label, parseCertificate(sample))
  }

  /**
   * Makes a certificate and looks at it as a verifier will: nothing leaves that would be refused.
   *
   * @throws EstLabelUnfitError when it would be.
   */
  async make(serial: Uint8Array, words: CertificateWords): Promise<Uint8Array> {
    const { certificate: issuer, signer } = this.#label
    const tbs = derSequence(
      V3,
      derUnsigned(serial),
      this.#algorithm,
      issuer.subjectDer,
      derSequence(x509Time(words.notBefore), x509Time(words.notAfter)),
      words.subject,
      words.spki,
      derElement(0xa3, this.#extensions(words)),
    )
    const signature = ecdsaRawToDer(await signer.sign(tbs))
    const der = derSequence(tbs, this.#algorithm, derBitString(signature))
    const made = parseCertificate(der)
    const [finding] = checkDeviceProfile(made)
    if (finding !== undefined) throw this.#unfit(finding.message)
    if (!(await verifyCertificateSignature(made, signer.spki, defaultCrypto()))) {
      throw this.#unfit("what its key signs does not verify")
    }
    return der
  }

  #extensions({ spki, subject, alternativeNames }: CertificateWords): Uint8Array {
    const names =
      alternativeNames === undefined
        ? new Uint8Array(0)
        : // RFC 5280, 4.2.1.6: critical where there is no other name.
          inner(encodeExtensions([{ oid: SUBJECT_ALT_NAME, critical: subject.length <= 2, value: alternativeNames }]))
    return derSequence(this.#before, fromHex(keyIdOf(spki)), this.#behind, names)
  }

  #unfit(reason: string): EstLabelUnfitError {
    return new EstLabelUnfitError({ label: this.#label.label, reason })
  }
}

/** What is inside a SEQUENCE. */
function inner(sequence: Uint8Array): Uint8Array {
  const reader = new DerReader(sequence)
  return reader.content(reader.read(DER.sequence, "Extensions"))
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}
