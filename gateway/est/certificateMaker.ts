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
  keyAlgorithmOf,
  keyIdOf,
  parseCertificate,
  signatureAlgorithmIdentifier,
  verifyCertificateSignature,
} from "../../client/index.ts"
import type { Certificate, CertificateExtension, KeyAlgorithm } from "../../client/index.ts"
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
const KEY_USAGE = "2.5.29.15"
/** digitalSignature with keyAgreement or keyEncipherment, as BIT STRINGs. RFC 5280, 4.2.1.3; RFC 8813, 3; RFC 4055, 1.2. */
const ENCRYPTING_USAGE: Readonly<Partial<Record<KeyAlgorithm, Uint8Array>>> = {
  p256: fromHex("0x03020388"),
  p384: fromHex("0x03020388"),
  rsa: fromHex("0x030205a0"),
}
/** Extensions in front of and behind the subject's key identifier. */
type Fixed = { readonly before: Uint8Array; readonly behind: Uint8Array }

const V3 = derElement(0xa0, derUnsigned(Uint8Array.of(2)))
const KEY_ID_OCTETS = 32

/**
 * Makes a label's device certificates. What is the same in all of them is taken, once, from a certificate of the client's own
 * making; only the rest is written each time, which is five times as fast.
 */
export class CertificateMaker {
  readonly #label: EstLabel
  readonly #usual: Fixed
  /** Those of keys that may do more than sign. */
  readonly #encrypting: ReadonlyMap<KeyAlgorithm, Fixed>
  readonly #algorithm: Uint8Array

  private constructor(label: EstLabel, usual: Fixed, encrypting: ReadonlyMap<KeyAlgorithm, Fixed>) {
    this.#label = label
    this.#algorithm = signatureAlgorithmIdentifier(label.signer.algorithm)
    this.#usual = usual
    this.#encrypting = encrypting
  }

  /** @throws CertificateFieldError for an address that is none. */
  static async make(label: EstLabel): Promise<CertificateMaker> {
    const encrypting = new Map<KeyAlgorithm, Fixed>()
    for (const [algorithm, value] of label.keyEncryption === true ? Object.entries(ENCRYPTING_USAGE) : []) {
      const usage = { oid: KEY_USAGE, critical: true, value }
      encrypting.set(algorithm as KeyAlgorithm, fixedOf(await CertificateMaker.#sample(label, [usage])))
    }
    return new CertificateMaker(label, fixedOf(await CertificateMaker.#sample(label, [])), encrypting)
  }

  static async #sample(label: EstLabel, extensions: readonly CertificateExtension[]): Promise<Certificate> {
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
      extensions,
      ...(aiaOcsp === undefined ? {} : { aiaOcsp }),
      ...(aiaIssuers === undefined ? {} : { aiaIssuers }),
      ...(crlUrl === undefined ? {} : { crlUrl }),
    })
    return parseCertificate(sample)
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
    const { before, behind } = this.#encrypting.get(keyAlgorithmOf(spki) ?? "ed25519") ?? this.#usual
    const names =
      alternativeNames === undefined
        ? new Uint8Array(0)
        : // RFC 5280, 4.2.1.6: critical where there is no other name.
          inner(encodeExtensions([{ oid: SUBJECT_ALT_NAME, critical: subject.length <= 2, value: alternativeNames }]))
    return derSequence(before, fromHex(keyIdOf(spki)), behind, names)
  }

  #unfit(reason: string): EstLabelUnfitError {
    return new EstLabelUnfitError({ label: this.#label.label, reason })
  }
}

/** A certificate's extensions as they stand in every certificate of its kind. */
function fixedOf({ extensions }: Certificate): Fixed {
  const at = extensions.findIndex(({ oid }) => oid === SUBJECT_KEY_IDENTIFIER)
  const identifier = encodeExtensions(extensions.slice(at, at + 1))
  return {
    before: joined(inner(encodeExtensions(extensions.slice(0, at))), inner(identifier).slice(0, -KEY_ID_OCTETS)),
    behind: inner(encodeExtensions(extensions.slice(at + 1))),
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
