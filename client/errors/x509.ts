import { FleetrootError } from "./base.ts"

/** The parent of every error about PEM text, DER bytes, certificates and certificate requests. */
export class X509Error extends FleetrootError {
  override name = "X509Error"
  override readonly code: string = "X509"
}

/** The parent of every error about bytes that are not the one Distinguished Encoding (X.690). */
export class DerError extends X509Error {
  override name = "DerError"
  override readonly code: string = "DER"
  /** Where in the input, in octets from its first. */
  readonly offset: number

  constructor(message: string, { offset, hint, docs }: { offset: number; hint: string; docs: string }) {
    super(`${message} (octet ${offset}).`, { hint, docs })
    this.offset = offset
  }
}

/** The input is not a Uint8Array. */
export class DerInputError extends DerError {
  override name = "DerInputError" as const
  override readonly code = "DER_INPUT"
  /** Its JavaScript type. */
  readonly found: string

  constructor({ found }: { found: string }) {
    super(`DER must be a Uint8Array; ${found} was given`, {
      offset: 0,
      hint: "Use readOneCertificate for PEM text.",
      docs: "docs/errors.md#der-input",
    })
    this.found = found
  }
}

/** An element ends after the bytes do, or after the element around it. */
export class DerTruncatedError extends DerError {
  override name = "DerTruncatedError" as const
  override readonly code = "DER_TRUNCATED"

  constructor({ offset }: { offset: number }) {
    super("The element goes on past the end of what holds it", {
      offset,
      hint: "The file was cut, or a length in it was changed.",
      docs: "docs/errors.md#der-truncated",
    })
  }
}

/** Something follows where nothing may. */
export class DerTrailingBytesError extends DerError {
  override name = "DerTrailingBytesError" as const
  override readonly code = "DER_TRAILING_BYTES"

  constructor({ offset }: { offset: number }) {
    super("There are bytes behind the last element that belongs here", {
      offset,
      hint: "One file holds one certificate or request, and nothing behind it.",
      docs: "docs/errors.md#der-trailing-bytes",
    })
  }
}

/** A length that is indefinite, not in its shortest form, or larger than any input. X.690, 10.1. */
export class DerLengthError extends DerError {
  override name = "DerLengthError" as const
  override readonly code = "DER_LENGTH"
  readonly reason: "indefinite" | "not minimal" | "too large"

  constructor({ offset, reason }: { offset: number; reason: "indefinite" | "not minimal" | "too large" }) {
    super(`The length is ${reason}`, {
      offset,
      hint: "This is BER, not DER: have the certificate encoded in DER before it is signed.",
      docs: "docs/errors.md#der-length",
    })
    this.reason = reason
  }
}

/** Another kind of element than the structure has here, or a tag that is not in its one form. */
export class DerTagError extends DerError {
  override name = "DerTagError" as const
  override readonly code = "DER_TAG"
  readonly expected: string
  /** The identifier octet, as hex. */
  readonly found: string

  constructor({ offset, expected, found }: { offset: number; expected: string; found: number }) {
    const octet = `0x${found.toString(16).padStart(2, "0")}`
    super(`Expected ${expected}, found an element tagged ${octet}`, {
      offset,
      hint: "The bytes are of another kind, or were changed.",
      docs: "docs/errors.md#der-tag",
    })
    this.expected = expected
    this.found = octet
  }
}

/** A value that is not in its one form: BOOLEAN 0x01, a padded INTEGER, set unused bits, … X.690, 8 and 11. */
export class DerValueError extends DerError {
  override name = "DerValueError" as const
  override readonly code = "DER_VALUE"
  readonly reason: string

  constructor({ offset, reason }: { offset: number; reason: string }) {
    super(reason, {
      offset,
      hint: "The bytes were changed, or made by an encoder that does not keep to DER.",
      docs: "docs/errors.md#der-value",
    })
    this.reason = reason
  }
}

/** Larger, deeper or of more elements than any honest certificate. */
export class DerLimitError extends DerError {
  override name = "DerLimitError" as const
  override readonly code = "DER_LIMIT"
  readonly limit: "octets" | "depth" | "elements"
  readonly allowed: number

  constructor({ offset, limit, allowed }: { offset: number; limit: "octets" | "depth" | "elements"; allowed: number }) {
    super(`More than ${allowed} ${limit === "depth" ? "levels of nesting" : limit}`, {
      offset,
      hint: "Certificates and requests stay far below this limit; the input is something else.",
      docs: "docs/errors.md#der-limit",
    })
    this.limit = limit
    this.allowed = allowed
  }
}

/** A PEM block that is not what RFC 7468 allows: no end line, foreign characters, wrong padding. */
export class PemMalformedError extends X509Error {
  override name = "PemMalformedError" as const
  override readonly code = "PEM_MALFORMED"
  readonly reason: string
  /** Line in the text, from 1. */
  readonly line: number

  constructor({ reason, line }: { reason: string; line: number }) {
    super(`Malformed PEM: ${reason} (line ${line}).`, {
      hint: "The file was cut or edited: write it again, e.g. with openssl x509 -in … -out …",
      docs: "docs/errors.md#pem-malformed",
    })
    this.reason = reason
    this.line = line
  }
}

/** No PEM block of the wanted kind, and no DER either. */
export class PemBlockMissingError extends X509Error {
  override name = "PemBlockMissingError" as const
  override readonly code = "PEM_BLOCK_MISSING"
  readonly label: string
  /** Labels of the blocks that are there. */
  readonly found: readonly string[]

  constructor({ label, found }: { label: string; found: readonly string[] }) {
    super(
      `No "-----BEGIN ${label}-----" block${found.length === 0 ? "" : `; found ${found.slice(0, 4).join(", ")}`}, and not DER.`,
      {
        hint: "Check that this is the right file.",
        docs: "docs/errors.md#pem-block-missing",
      },
    )
    this.label = label
    this.found = found
  }
}

/** More than one PEM block of the wanted kind where one is meant. */
export class PemBlocksManyError extends X509Error {
  override name = "PemBlocksManyError" as const
  override readonly code = "PEM_BLOCKS_MANY"
  readonly label: string
  readonly count: number

  constructor({ label, count }: { label: string; count: number }) {
    super(`${count} "${label}" blocks where exactly one is meant.`, {
      hint: "Split the bundle, or pass it where bundles are read (batch register).",
      docs: "docs/errors.md#pem-blocks-many",
    })
    this.label = label
    this.count = count
  }
}

/** Sound DER that is not a certificate (RFC 5280, 4.1) or a certificate request (RFC 2986). */
export class CertificateMalformedError extends X509Error {
  override name = "CertificateMalformedError" as const
  override readonly code = "CERTIFICATE_MALFORMED"
  /** Which part: "version", "notAfter", "keyUsage", … */
  readonly field: string
  readonly reason: string

  constructor({ field, reason }: { field: string; reason: string }) {
    super(`Not a certificate or request as RFC 5280 and 2986 define them: ${field} ${reason}.`, {
      hint: "Look at it with openssl x509 -text or openssl asn1parse.",
      docs: "docs/errors.md#certificate-malformed",
    })
    this.field = field
    this.reason = reason
  }
}

/** A value given for a new certificate, request or serial lies outside its range; nothing was made. */
export class CertificateFieldError extends X509Error {
  override name = "CertificateFieldError" as const
  override readonly code = "CERTIFICATE_FIELD"
  readonly field: string
  readonly value: string
  readonly allowed: string

  constructor({ field, value, allowed }: { field: string; value: string; allowed: string }) {
    super(`${field} is ${value}; allowed: ${allowed}.`, {
      hint: "Correct the value; nothing was signed.",
      docs: "docs/errors.md#certificate-field",
    })
    this.field = field
    this.value = value
    this.allowed = allowed
  }
}
