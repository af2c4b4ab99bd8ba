import { FleetrootError } from "./base.ts"

/** The parent of every error about CBOR bytes that are not in strict form, or values that CBOR cannot carry. */
export class CborError extends FleetrootError {
  override name = "CborError"
  override readonly code: string = "CBOR"
  /** Where in the input, in bytes from its start. */
  readonly offset: number

  constructor(
    message: string,
    { offset, hint, docs, cause }: { offset: number; hint: string; docs: string; cause?: unknown },
  ) {
    super(message, { hint, docs, cause })
    this.offset = offset
  }
}

const FETCH_AGAIN = "The bytes were changed or cut, or are no CBOR: fetch them again."
const ENCODE_STRICTLY = "Encode deterministically: RFC 8949, 4.2.1."

/** The input ends inside an item, or an item declares more than is left. */
export class CborTruncatedError extends CborError {
  override name = "CborTruncatedError" as const
  override readonly code = "CBOR_TRUNCATED"
  /** Bytes or items declared. */
  readonly declared: bigint
  /** Bytes left. */
  readonly left: number

  constructor({ offset, declared, left }: { offset: number; declared: bigint; left: number }) {
    super(`The CBOR item at byte ${offset} needs at least ${declared} more bytes; ${left} are left.`, {
      offset,
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#cbor-truncated",
    })
    this.declared = declared
    this.left = left
  }
}

/** Bytes follow the one item. */
export class CborTrailingBytesError extends CborError {
  override name = "CborTrailingBytesError" as const
  override readonly code = "CBOR_TRAILING_BYTES"
  readonly count: number

  constructor({ offset, count }: { offset: number; count: number }) {
    super(`${count} bytes follow the CBOR item that ends at byte ${offset}.`, {
      offset,
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#cbor-trailing-bytes",
    })
    this.count = count
  }
}

/** The input is larger than the caller allows. */
export class CborTooLargeError extends CborError {
  override name = "CborTooLargeError" as const
  override readonly code = "CBOR_TOO_LARGE"
  readonly length: number
  readonly maxBytes: number

  constructor({ length, maxBytes }: { length: number; maxBytes: number }) {
    super(`The CBOR has ${length} bytes; at most ${maxBytes} are allowed here.`, {
      offset: 0,
      hint: "Raise `maxBytes` if you trust the source.",
      docs: "docs/errors.md#cbor-too-large",
    })
    this.length = length
    this.maxBytes = maxBytes
  }
}

/** Arrays, maps and tags nested too deeply. */
export class CborDepthError extends CborError {
  override name = "CborDepthError" as const
  override readonly code = "CBOR_DEPTH"
  readonly maxDepth: number

  constructor({ offset, maxDepth }: { offset: number; maxDepth: number }) {
    super(`The CBOR item at byte ${offset} lies deeper than ${maxDepth} levels.`, {
      offset,
      hint: "Nothing that Fleetroot reads nests so deeply: do not trust these bytes.",
      docs: "docs/errors.md#cbor-depth",
    })
    this.maxDepth = maxDepth
  }
}

/** A string, array or map of indefinite length, or a stray break. */
export class CborIndefiniteLengthError extends CborError {
  override name = "CborIndefiniteLengthError" as const
  override readonly code = "CBOR_INDEFINITE_LENGTH"

  constructor({ offset }: { offset: number }) {
    super(`Indefinite length or break at byte ${offset}.`, {
      offset,
      hint: ENCODE_STRICTLY,
      docs: "docs/errors.md#cbor-indefinite-length",
    })
  }
}

/** A number or a length that could have been written in fewer bytes. */
export class CborNotShortestError extends CborError {
  override name = "CborNotShortestError" as const
  override readonly code = "CBOR_NOT_SHORTEST"

  constructor({ offset }: { offset: number }) {
    super(`The number or length at byte ${offset} is not in its shortest form.`, {
      offset,
      hint: ENCODE_STRICTLY,
      docs: "docs/errors.md#cbor-not-shortest",
    })
  }
}

/** Two entries of a map have the same key. */
export class CborDuplicateKeyError extends CborError {
  override name = "CborDuplicateKeyError" as const
  override readonly code = "CBOR_DUPLICATE_KEY"

  constructor({ offset }: { offset: number }) {
    super(`The map key at byte ${offset} occurs twice.`, {
      offset,
      hint: "A map with two values for one key means different things to different readers: do not trust it.",
      docs: "docs/errors.md#cbor-duplicate-key",
    })
  }
}

/** Map keys are not in the bytewise order of their encodings. */
export class CborKeyOrderError extends CborError {
  override name = "CborKeyOrderError" as const
  override readonly code = "CBOR_KEY_ORDER"

  constructor({ offset }: { offset: number }) {
    super(`The map key at byte ${offset} is out of order.`, {
      offset,
      hint: ENCODE_STRICTLY,
      docs: "docs/errors.md#cbor-key-order",
    })
  }
}

/** A text string that is not valid UTF-8. */
export class CborTextError extends CborError {
  override name = "CborTextError" as const
  override readonly code = "CBOR_TEXT"

  constructor({ offset, cause }: { offset: number; cause?: unknown }) {
    super(`The text string at byte ${offset} is not valid UTF-8.`, {
      offset,
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#cbor-text",
      cause,
    })
  }
}

/** Additional information 28 to 30, or a simple value below 32 in two bytes: no CBOR at all. */
export class CborReservedError extends CborError {
  override name = "CborReservedError" as const
  override readonly code = "CBOR_RESERVED"

  constructor({ offset }: { offset: number }) {
    super(`Byte ${offset} begins no CBOR item: the value is reserved.`, {
      offset,
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#cbor-reserved",
    })
  }
}

/** Well-formed CBOR of a type that is not allowed at this place. */
export class CborTypeError extends CborError {
  override name = "CborTypeError" as const
  override readonly code = "CBOR_TYPE"
  readonly type: string

  constructor({ offset, type }: { offset: number; type: string }) {
    super(`A ${type} at byte ${offset} is not allowed.`, {
      offset,
      hint: "Fleetroot's formats hold integers, byte and text strings, arrays, maps, tags, booleans and null.",
      docs: "docs/errors.md#cbor-type",
    })
    this.type = type
  }
}

/** A JavaScript value that has no single CBOR encoding. */
export class CborValueError extends CborError {
  override name = "CborValueError" as const
  override readonly code = "CBOR_VALUE"

  constructor(message: string, cause?: unknown) {
    super(message, {
      offset: 0,
      hint: "Use integers, strings, Uint8Array, arrays, Map, CborTag, booleans and null.",
      docs: "docs/errors.md#cbor-value",
      cause,
    })
  }
}

/** The parent of every error about COSE messages. */
export class CoseError extends FleetrootError {
  override name = "CoseError"
  override readonly code: string = "COSE"
}

/** Bytes that are no COSE_Sign1. */
export class CoseMalformedError extends CoseError {
  override name = "CoseMalformedError" as const
  override readonly code = "COSE_MALFORMED"

  constructor(message: string, cause?: unknown) {
    super(`Not a COSE_Sign1: ${message}`, {
      hint: "Expected [protected, unprotected, payload, signature], bare or under tag 18 (RFC 9052, 4.2).",
      docs: "docs/errors.md#cose-malformed",
      cause,
    })
  }
}

/** A COSE_Sign1 under another tag than 18. */
export class CoseTagError extends CoseError {
  override name = "CoseTagError" as const
  override readonly code = "COSE_TAG"
  readonly tag: string

  constructor({ tag }: { tag: string }) {
    super(`CBOR tag ${tag} is not that of a COSE_Sign1 (18).`, {
      hint: "This is another kind of message.",
      docs: "docs/errors.md#cose-tag",
    })
    this.tag = tag
  }
}

/** The message demands that a header be understood which is not. */
export class CoseCriticalHeaderError extends CoseError {
  override name = "CoseCriticalHeaderError" as const
  override readonly code = "COSE_CRITICAL_HEADER"
  readonly label: string

  constructor({ label, problem }: { label: string; problem: string }) {
    super(`The critical header ${label} ${problem}.`, {
      hint: "RFC 9052, 3.1: a message with a critical header that is not understood must be refused.",
      docs: "docs/errors.md#cose-critical-header",
    })
    this.label = label
  }
}

/** No signature algorithm in the protected header, or one that is unknown or does not fit the key. */
export class CoseAlgorithmError extends CoseError {
  override name = "CoseAlgorithmError" as const
  override readonly code = "COSE_ALGORITHM"
  /** What the protected header says; undefined when it says nothing. */
  readonly algorithm: string | undefined

  constructor({ algorithm, problem }: { algorithm: string | undefined; problem: string }) {
    super(`COSE algorithm ${algorithm ?? "(none)"}: ${problem}.`, {
      hint: "ES256, ES384, EdDSA (Ed25519) and PS256 are read, from the protected header only.",
      docs: "docs/errors.md#cose-algorithm",
    })
    this.algorithm = algorithm
  }
}

/** The payload is detached and was not given, or is attached and was given as well. */
export class CosePayloadError extends CoseError {
  override name = "CosePayloadError" as const
  override readonly code = "COSE_PAYLOAD"

  constructor(message: string) {
    super(message, {
      hint: "Pass `detachedPayload` exactly when the message carries nil.",
      docs: "docs/errors.md#cose-payload",
    })
  }
}

/** The parent of the errors about a raw public key credential. */
export class RawPublicKeyError extends CoseError {
  override name = "RawPublicKeyError"
  override readonly code: string = "RAW_PUBLIC_KEY"
}

/** Bytes that are not a raw public key credential in its one encoding. */
export class RawPublicKeyMalformedError extends RawPublicKeyError {
  override name = "RawPublicKeyMalformedError" as const
  override readonly code = "RAW_PUBLIC_KEY_MALFORMED"

  constructor(message: string, cause?: unknown) {
    super(`Not a raw public key credential: ${message}`, {
      hint: "docs/formats.md shows the one encoding, byte by byte.",
      docs: "docs/errors.md#raw-public-key-malformed",
      cause,
    })
  }
}

/** A field of a raw public key credential lies outside its range. */
export class RawPublicKeyFieldError extends RawPublicKeyError {
  override name = "RawPublicKeyFieldError" as const
  override readonly code = "RAW_PUBLIC_KEY_FIELD"
  readonly field: string
  readonly value: string
  readonly allowed: string

  constructor({ field, value, allowed }: { field: string; value: string; allowed: string }) {
    super(`${field} is ${value}; allowed: ${allowed}.`, {
      hint: "docs/formats.md has the range of every field.",
      docs: "docs/errors.md#raw-public-key-field",
    })
    this.field = field
    this.value = value
    this.allowed = allowed
  }
}

/** The device's own signature on its raw public key credential does not verify: possession is not shown. */
export class RawPublicKeySignatureError extends RawPublicKeyError {
  override name = "RawPublicKeySignatureError" as const
  override readonly code = "RAW_PUBLIC_KEY_SIGNATURE"
  readonly keyId: string

  constructor({ keyId }: { keyId: string }) {
    super(`The credential is not signed by the key ${keyId} that it names.`, {
      hint: "The device does not hold this key, or the credential was changed.",
      docs: "docs/errors.md#raw-public-key-signature",
    })
    this.keyId = keyId
  }
}
