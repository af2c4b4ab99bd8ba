import { FleetrootError } from "./base.ts"

/** The parent of every error about hex text, keys, signatures and the back ends that check them. */
export class CryptoError extends FleetrootError {
  override name = "CryptoError"
  override readonly code: string = "CRYPTO"
}

/** Text that is not "0x" followed by an even number of hexadecimal digits. The text itself may be secret: it is not kept. */
export class HexInvalidError extends CryptoError {
  override name = "HexInvalidError" as const
  override readonly code = "HEX_INVALID"
  /** What is wrong: "not a string", "no 0x in front", "odd number of digits", "not a digit". */
  readonly reason: string
  /** Where, counted in characters from 0; -1 when no single place is at fault. */
  readonly position: number

  constructor({ reason, position = -1 }: { reason: string; position?: number }) {
    super(`Not hexadecimal: ${reason}${position < 0 ? "" : ` at character ${position}`}.`, {
      hint: 'Write bytes as "0x" and two digits a byte, without spaces.',
      docs: "docs/errors.md#hex-invalid",
    })
    this.reason = reason
    this.position = position
  }
}

/** A signature that is not in the one form its algorithm allows; nothing was computed with it. */
export class SignatureMalformedError extends CryptoError {
  override name = "SignatureMalformedError" as const
  override readonly code = "SIGNATURE_MALFORMED"
  readonly reason: string

  constructor({ reason }: { reason: string }) {
    super(`Malformed signature: ${reason}.`, {
      hint: "The signature was changed or cut, or is in another format (DER instead of r || s, or the reverse).",
      docs: "docs/errors.md#signature-malformed",
    })
    this.reason = reason
  }
}

/** A SubjectPublicKeyInfo that is not a sound key in the one encoding accepted for its algorithm. */
export class PublicKeyInvalidError extends CryptoError {
  override name = "PublicKeyInvalidError" as const
  override readonly code = "PUBLIC_KEY_INVALID"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`Public key refused: ${reason}.`, {
      hint: "Accepted: P-256 or P-384 with an uncompressed point, Ed25519, RSA of 2048 to 8192 bits with an odd exponent from 65537.",
      docs: "docs/errors.md#public-key-invalid",
      cause,
    })
    this.reason = reason
  }
}

/** A private key that cannot be read. The key itself is not kept. */
export class PrivateKeyInvalidError extends CryptoError {
  override name = "PrivateKeyInvalidError" as const
  override readonly code = "PRIVATE_KEY_INVALID"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`Private key refused: ${reason}.`, {
      hint: "Give one PKCS#8, SEC1 or PKCS#1 key of P-256, P-384, RSA (2048 bits or more) or Ed25519.",
      docs: "docs/errors.md#private-key-invalid",
      cause,
    })
    this.reason = reason
  }
}

/** A private key protected by a passphrase, which this library does not ask for. */
export class PrivateKeyEncryptedError extends CryptoError {
  override name = "PrivateKeyEncryptedError" as const
  override readonly code = "PRIVATE_KEY_ENCRYPTED"

  constructor() {
    super("The private key is encrypted.", {
      hint: "Decrypt it to a file that only you can read: openssl pkey -in key.pem -out plain.pem",
      docs: "docs/errors.md#private-key-encrypted",
    })
  }
}

/** An algorithm that no available back end can compute, or that this library does not know. */
export class AlgorithmUnsupportedError extends CryptoError {
  override name = "AlgorithmUnsupportedError" as const
  override readonly code = "ALGORITHM_UNSUPPORTED"
  readonly algorithm: string
  readonly backend: string

  constructor({ algorithm, backend, cause }: { algorithm: string; backend: string; cause?: unknown }) {
    super(`${backend} cannot compute ${algorithm}.`, {
      hint: "Use Node or a browser with WebCrypto (pages need https), or pass a CryptoBackend that knows it.",
      docs: "docs/errors.md#algorithm-unsupported",
      cause,
    })
    this.algorithm = algorithm
    this.backend = backend
  }
}

/** A signature algorithm was asked of a key of another kind. */
export class AlgorithmKeyMismatchError extends CryptoError {
  override name = "AlgorithmKeyMismatchError" as const
  override readonly code = "ALGORITHM_KEY_MISMATCH"
  readonly algorithm: string
  readonly keyAlgorithm: string

  constructor({ algorithm, keyAlgorithm }: { algorithm: string; keyAlgorithm: string }) {
    super(`A ${keyAlgorithm} key cannot have made a signature of ${algorithm}.`, {
      hint: "Check that this key belongs to the signer.",
      docs: "docs/errors.md#algorithm-key-mismatch",
    })
    this.algorithm = algorithm
    this.keyAlgorithm = keyAlgorithm
  }
}

/** This platform has no WebCrypto, which signing and key generation need. */
export class WebCryptoMissingError extends CryptoError {
  override name = "WebCryptoMissingError" as const
  override readonly code = "WEB_CRYPTO_MISSING"

  constructor() {
    super("This platform has no WebCrypto (crypto.subtle), which signing needs.", {
      hint: "Run in Node, or serve the page over https.",
      docs: "docs/errors.md#web-crypto-missing",
    })
  }
}
