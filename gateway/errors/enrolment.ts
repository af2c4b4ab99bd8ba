import { FleetrootError, type Hex } from "../../client/index.ts"

/** The parent of every error about enrolling devices: EST and the sequencer that anchors what it issues. */
export class EnrolmentError extends FleetrootError {
  override name = "EnrolmentError"
  override readonly code: string = "ENROLMENT"
}

/** The body is no certificate request in base64. RFC 7030, 4.2.1; RFC 8951, 3. */
export class EstRequestMalformedError extends EnrolmentError {
  override name = "EstRequestMalformedError" as const
  override readonly code = "EST_REQUEST_MALFORMED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`This is no certificate request: ${reason}.`, {
      hint: "Send the base64 of one PKCS #10 request in DER, as application/pkcs10.",
      docs: "docs/errors.md#est-request-malformed",
      cause,
    })
    this.reason = reason
  }
}

/** The body has another type than EST wants. RFC 7030, 4.2.1. */
export class EstContentTypeError extends EnrolmentError {
  override name = "EstContentTypeError" as const
  override readonly code = "EST_CONTENT_TYPE"
  readonly expected: string

  constructor({ expected }: { expected: string }) {
    super(`The body must be of type ${expected}.`, {
      hint: `Set Content-Type: ${expected}.`,
      docs: "docs/errors.md#est-content-type",
    })
    this.expected = expected
  }
}

/** The request is not signed by the key that it asks a certificate for. */
export class CsrSignatureInvalidError extends EnrolmentError {
  override name = "CsrSignatureInvalidError" as const
  override readonly code = "CSR_SIGNATURE_INVALID"

  constructor() {
    super("The certificate request is not signed by the key in it.", {
      hint: "Sign the request with the device's own key.",
      docs: "docs/errors.md#csr-signature-invalid",
    })
  }
}

/** The key in the request is none that a device may have. */
export class CsrKeyUnfitError extends EnrolmentError {
  override name = "CsrKeyUnfitError" as const
  override readonly code = "CSR_KEY_UNFIT"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The key in the certificate request cannot be used: ${reason}.`, {
      hint: "Use P-256, P-384, Ed25519, or RSA of 2048 bits and more, with a key of the device's own.",
      docs: "docs/errors.md#csr-key-unfit",
      cause,
    })
    this.reason = reason
  }
}

/** The request asks for something that no device gets, such as to be a CA. */
export class CsrExtensionRefusedError extends EnrolmentError {
  override name = "CsrExtensionRefusedError" as const
  override readonly code = "CSR_EXTENSION_REFUSED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The certificate request asks for what it cannot get: ${reason}.`, {
      hint: "Leave the extension out of the request.",
      docs: "docs/errors.md#csr-extension-refused",
      cause,
    })
    this.reason = reason
  }
}

/** The names in the request are not those that this requester may have. */
export class CsrSubjectRefusedError extends EnrolmentError {
  override name = "CsrSubjectRefusedError" as const
  override readonly code = "CSR_SUBJECT_REFUSED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The certificate request's names are refused: ${reason}.`, {
      hint: "Ask for the subject and the alternative names of the certificate or the token that you authenticate with.",
      docs: "docs/errors.md#csr-subject-refused",
      cause,
    })
    this.reason = reason
  }
}

/** Another device has one of the names in the request. */
export class CsrSubjectTakenError extends EnrolmentError {
  override name = "CsrSubjectTakenError" as const
  override readonly code = "CSR_SUBJECT_TAKEN"

  constructor() {
    super("A name in the certificate request belongs to another device.", {
      hint: "Authenticate with that device's certificate, or with a token that was made for this subject.",
      docs: "docs/errors.md#csr-subject-taken",
    })
  }
}

/** The TLS client certificate does not let its holder in here. */
export class ClientCertificateRefusedError extends EnrolmentError {
  override name = "ClientCertificateRefusedError" as const
  override readonly code = "CLIENT_CERTIFICATE_REFUSED"
  /** A verdict's status or reason, or why a good one does not do. */
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The client certificate is not accepted here: ${reason}.`, {
      hint: "`fleetroot status` shows what the ledger says of it.",
      docs: "docs/errors.md#client-certificate-refused",
      cause,
    })
    this.reason = reason
  }
}

/** A key that the server makes would have to be encrypted in a way that cannot be. RFC 7030, 4.4.1. */
export class KeyEncryptionUnsupportedError extends EnrolmentError {
  override name = "KeyEncryptionUnsupportedError" as const
  override readonly code = "KEY_ENCRYPTION_UNSUPPORTED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The private key cannot be encrypted as the request demands: ${reason}.`, {
      hint: "Name the key of the client certificate of this connection, or leave the identifier out: the key then goes within TLS.",
      docs: "docs/errors.md#key-encryption-unsupported",
      cause,
    })
    this.reason = reason
  }
}

/** The request is not linked to the TLS connection that it came in. RFC 7030, 3.5. */
export class CsrUnlinkedError extends EnrolmentError {
  override name = "CsrUnlinkedError" as const
  override readonly code = "CSR_UNLINKED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The certificate request is not linked to its TLS connection: ${reason}.`, {
      hint: "Put the base64 of tls-unique (TLS 1.2) or tls-exporter (TLS 1.3) into challengePassword, for each connection anew.",
      docs: "docs/errors.md#csr-unlinked",
      cause,
    })
    this.reason = reason
  }
}

/** One device asks for too many certificates. */
export class EnrolmentRateError extends EnrolmentError {
  override name = "EnrolmentRateError" as const
  override readonly code = "ENROLMENT_RATE"
  readonly retryAfterSeconds: number

  constructor({ retryAfterSeconds }: { retryAfterSeconds: number }) {
    super("This device asked for too many certificates.", {
      hint: "Repeat the request that was made: it is answered with the same certificate.",
      docs: "docs/errors.md#enrolment-rate",
    })
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** So many enrolments wait for the ledger that no more are taken. */
export class EnrolmentQueueFullError extends EnrolmentError {
  override name = "EnrolmentQueueFullError" as const
  override readonly code = "ENROLMENT_QUEUE_FULL"
  readonly limit: number

  constructor({ limit }: { limit: number }) {
    super(`${limit} enrolments wait to be anchored; no more are taken.`, {
      hint: "Try again later; look at the node and the paying account if it stays so.",
      docs: "docs/errors.md#enrolment-queue-full",
    })
    this.limit = limit
  }
}

/** An enrolment was given up before anything was issued; it may be asked for again. */
export class EnrolmentInterruptedError extends EnrolmentError {
  override name = "EnrolmentInterruptedError" as const
  override readonly code = "ENROLMENT_INTERRUPTED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The enrolment was interrupted: ${reason}.`, {
      hint: "Repeat the request; nothing was issued.",
      docs: "docs/errors.md#enrolment-interrupted",
      cause,
    })
    this.reason = reason
  }
}

/** A one-time token was used for another request. EST clients are asked for a password again. */
export class EnrolmentTokenUsedError extends EnrolmentError {
  override name = "EnrolmentTokenUsedError" as const
  override readonly code = "ENROLMENT_TOKEN_USED"

  constructor() {
    super("The token was used for another request.", {
      hint: "Make a new one with `fleetroot gateway token`.",
      docs: "docs/errors.md#enrolment-token-used",
    })
  }
}

/** The issuer may not issue now: its key or its manufacturer does not count on the ledger. */
export class IssuerNotCurrentError extends EnrolmentError {
  override name = "IssuerNotCurrentError" as const
  override readonly code = "ISSUER_NOT_CURRENT"
  readonly issuerKeyId: Hex
  readonly reason: string

  constructor({ issuerKeyId, reason }: { issuerKeyId: Hex; reason: string }) {
    super(`Issuer key ${issuerKeyId} cannot issue now: ${reason}.`, {
      hint: "`fleetroot key list` and `fleetroot manufacturer show` tell how they stand.",
      docs: "docs/errors.md#issuer-not-current",
    })
    this.issuerKeyId = issuerKeyId
    this.reason = reason
  }
}

/** The issuer of an EST label, or its settings, cannot be used. */
export class EstLabelUnfitError extends EnrolmentError {
  override name = "EstLabelUnfitError" as const
  override readonly code = "EST_LABEL_UNFIT"
  readonly label: string

  constructor({ label, reason }: { label: string; reason: string }) {
    super(`EST label ${JSON.stringify(label)} cannot be served: ${reason}.`, {
      hint: "A label is letters, digits, - and _; its issuer has a P-256 key and a CA certificate.",
      docs: "docs/errors.md#est-label-unfit",
    })
    this.label = label
  }
}

/** The store of enrolments cannot be read or written. */
export class EnrolmentStoreError extends EnrolmentError {
  override name = "EnrolmentStoreError" as const
  override readonly code = "ENROLMENT_STORE"
  readonly store: string
  readonly reason: string

  constructor({ store, reason, cause }: { store: string; reason: string; cause?: unknown }) {
    super(`The store of enrolments ${store} cannot be used: ${reason}.`, {
      hint: "Is the disk full, the file readable, the database reachable?",
      docs: "docs/errors.md#enrolment-store",
      cause,
    })
    this.store = store
    this.reason = reason
  }
}

/** The store of enrolments belongs to another deployment, or to another version of this program. */
export class EnrolmentStoreForeignError extends EnrolmentError {
  override name = "EnrolmentStoreForeignError" as const
  override readonly code = "ENROLMENT_STORE_FOREIGN"
  readonly expected: string
  readonly found: string

  constructor({ store, expected, found }: { store: string; expected: string; found: string }) {
    super(`The store of enrolments ${store} is for ${found}, not ${expected}.`, {
      hint: "Each deployment has a store of its own: give another state folder or database.",
      docs: "docs/errors.md#enrolment-store-foreign",
    })
    this.expected = expected
    this.found = found
  }
}
