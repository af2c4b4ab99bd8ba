import { createHash } from "node:crypto"
import {
  buildCertificate,
  DER,
  derElement,
  derOctetString,
  derSequence,
  derUnsigned,
  ecdsaRawToDer,
  fromHex,
  generateP256Key,
  parseCertificate,
  signatureAlgorithmIdentifier,
} from "../../client/index.ts"
import type { Certificate, KeySigner } from "../../client/index.ts"

/** id-kp-cmKGA, a key generation authority. RFC 9480, 2.2. */
const KEY_GENERATION = "1.3.6.1.5.5.7.3.32"
/** id-ct-KP-aKeyPackage, the AsymmetricKeyPackage. RFC 5958, 2. */
const ID_KEY_PACKAGE = fromHex("0x060a60864801650201024e05")
const ID_CONTENT_TYPE = fromHex("0x06092a864886f70d010903")
const ID_MESSAGE_DIGEST = fromHex("0x06092a864886f70d010904")
const SHA_256 = derSequence(fromHex("0x0609608648016503040201"))
const VERSION_1 = derUnsigned(Uint8Array.of(1))
/** Of SignedData whose content is not plain data. RFC 5652, 5.1. */
const VERSION_3 = derUnsigned(Uint8Array.of(3))
const LIFETIME_SECONDS = 86_400
const CLOCK_SKEW_SECONDS = 300

type Generator = { readonly certificate: Certificate; readonly signer: KeySigner }

/**
 * Signs the keys that the server makes, so that their devices know where they come from (RFC 7030, 4.4.2): with a short-lived
 * certificate below the issuer that is good for nothing else. The issuer's own key signs certificates only.
 */
export class KeyGenerator {
  readonly #issuer: Certificate
  readonly #signer: KeySigner
  #current: { readonly renewAt: number; readonly made: Promise<Generator> } | undefined

  constructor(issuer: Certificate, signer: KeySigner) {
    this.#issuer = issuer
    this.#signer = signer
  }

  /** A private key (PKCS #8) as SignedData over an AsymmetricKeyPackage. */
  async sign(pkcs8: Uint8Array, now: number): Promise<Uint8Array> {
    const { certificate, signer } = await this.#at(now)
    const keyPackage = derSequence(pkcs8)
    const digest = createHash("sha256").update(keyPackage).digest()
    const attributes = [
      derSequence(ID_CONTENT_TYPE, derElement(DER.set, ID_KEY_PACKAGE)),
      derSequence(ID_MESSAGE_DIGEST, derElement(DER.set, derOctetString(digest))),
    ].toSorted((a, b) => Buffer.compare(a, b))
    // What is signed has the tag of a SET, what is sent [0]. RFC 5652, 5.4.
    const signature = ecdsaRawToDer(await signer.sign(derElement(DER.set, ...attributes)))
    const signerInfo = derSequence(
      VERSION_1,
      derSequence(certificate.issuerDer, derElement(DER.integer, certificate.serial)),
      SHA_256,
      derElement(0xa0, ...attributes),
      signatureAlgorithmIdentifier("p256"),
      derOctetString(signature),
    )
    return derSequence(
      VERSION_3,
      derElement(DER.set, SHA_256),
      derSequence(ID_KEY_PACKAGE, derElement(0xa0, derOctetString(keyPackage))),
      derElement(0xa0, certificate.der),
      derElement(DER.set, signerInfo),
    )
  }

  #at(now: number): Promise<Generator> {
    if (this.#current === undefined || now >= this.#current.renewAt) {
      const made = this.#mint(now)
      const current = { renewAt: now + LIFETIME_SECONDS / 2, made }
      this.#current = current
      made.catch(() => {
        if (this.#current === current) this.#current = undefined
      })
    }
    return this.#current.made
  }

  async #mint(now: number): Promise<Generator> {
    const key = await generateP256Key()
    const serial = crypto.getRandomValues(new Uint8Array(16))
    // Positive, not zero, and no position.
    serial[0] = 0x10 | ((serial[0] as number) & 0x0f)
    const der = await buildCertificate({
      subject: { commonName: "Fleetroot key generator" },
      issuer: this.#issuer,
      spki: key.spki,
      signer: this.#signer,
      serial,
      notBefore: Math.max(this.#issuer.notBefore, now - CLOCK_SKEW_SECONDS),
      notAfter: Math.min(this.#issuer.notAfter, now + LIFETIME_SECONDS),
      purposes: [KEY_GENERATION],
    })
    return { certificate: parseCertificate(der), signer: key }
  }
}
