import { FleetrootError } from "../../client/index.ts"

/** The parent of every error about answering who is revoked, by OCSP and CRLs. */
export class RevocationError extends FleetrootError {
  override name = "RevocationError"
  override readonly code: string = "REVOCATION"
}

/** Bytes that are no OCSP request, or not one of the form that this responder takes. RFC 6960, 4.1.1. */
export class OcspRequestMalformedError extends RevocationError {
  override name = "OcspRequestMalformedError" as const
  override readonly code = "OCSP_REQUEST_MALFORMED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`This is no OCSP request: ${reason}.`, {
      hint: "Send the DER of one OCSPRequest, or its base64 in the path of a GET.",
      docs: "docs/errors.md#ocsp-request-malformed",
      cause,
    })
    this.reason = reason
  }
}

/** A request for more certificates than one answer may hold. */
export class OcspRequestTooManyError extends RevocationError {
  override name = "OcspRequestTooManyError" as const
  override readonly code = "OCSP_REQUEST_TOO_MANY"
  readonly allowed: number

  constructor({ allowed }: { allowed: number }) {
    super(`The OCSP request asks about more than ${allowed} certificates.`, {
      hint: "Ask in several requests; one certificate each can be cached (RFC 9919).",
      docs: "docs/errors.md#ocsp-request-too-many",
    })
    this.allowed = allowed
  }
}

/** Nobody here may answer for the issuer, or for all the issuers, of a request. */
export class OcspIssuerForeignError extends RevocationError {
  override name = "OcspIssuerForeignError" as const
  override readonly code = "OCSP_ISSUER_FOREIGN"

  constructor() {
    super("The OCSP request is not about certificates of one issuer that this gateway answers for.", {
      hint: "Give the gateway the issuer's certificate; ask about one issuer at a time.",
      docs: "docs/errors.md#ocsp-issuer-foreign",
    })
  }
}

/** The responder certificate that was given may not sign for its issuer. RFC 6960, 4.2.2.2. */
export class ResponderUnfitError extends RevocationError {
  override name = "ResponderUnfitError" as const
  override readonly code = "RESPONDER_UNFIT"
  readonly reason: string

  constructor({ reason }: { reason: string }) {
    super(`The OCSP responder's certificate cannot be used: ${reason}.`, {
      hint: "Have the issuer sign one with the purpose id-kp-OCSPSigning, or leave it out and give the issuer's key.",
      docs: "docs/errors.md#responder-unfit",
    })
    this.reason = reason
  }
}

/** What an issuer's certificate and key must be to one another, and are not. */
export class IssuerUnfitError extends RevocationError {
  override name = "IssuerUnfitError" as const
  override readonly code = "ISSUER_UNFIT"
  readonly reason: string

  constructor({ reason }: { reason: string }) {
    super(`This issuer cannot be served: ${reason}.`, {
      hint: "Give the certificate of the CA that signs device certificates, and the key that belongs to it.",
      docs: "docs/errors.md#issuer-unfit",
    })
    this.reason = reason
  }
}

/** Nothing is there to sign an issuer's answers with. */
export class IssuerKeyAbsentError extends RevocationError {
  override name = "IssuerKeyAbsentError" as const
  override readonly code = "ISSUER_KEY_ABSENT"
  readonly what: "OCSP answers" | "CRLs"

  constructor({ what, open = false }: { what: "OCSP answers" | "CRLs"; open?: boolean }) {
    const why = open ? "An open issuer's key signs device certificates and nothing else" : "There is no key"
    super(`${why}, so nobody signs ${what} of this issuer.`, {
      hint: what === "CRLs" ? "Use OCSP, or an issuer key." : "Give a responder's certificate and key.",
      docs: "docs/errors.md#issuer-key-absent",
    })
    this.what = what
  }
}

/** The replica gives no picture of the ledger; `cause` says why. */
export class LedgerSilentError extends RevocationError {
  override name = "LedgerSilentError" as const
  override readonly code = "LEDGER_SILENT"

  constructor({ cause }: { cause: unknown }) {
    super("The ledger's state is not known at the moment.", {
      hint: "Look at the replica's fault, and at the node that it follows.",
      docs: "docs/errors.md#ledger-silent",
      cause,
    })
  }
}

/** Bytes that are no CRL, or one that says things which this reader does not know. RFC 5280, 5. */
export class CrlMalformedError extends RevocationError {
  override name = "CrlMalformedError" as const
  override readonly code = "CRL_MALFORMED"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`This is no CRL: ${reason}.`, {
      hint: "Give the DER of one X.509 CRL of version 2.",
      docs: "docs/errors.md#crl-malformed",
      cause,
    })
    this.reason = reason
  }
}

/** CRLs would end before they are renewed three times: one stall of the gateway or the ledger would lock everybody out. */
export class CrlLifetimeShortError extends RevocationError {
  override name = "CrlLifetimeShortError" as const
  override readonly code = "CRL_LIFETIME_SHORT"
  readonly lifetimeSeconds: number
  readonly leastSeconds: number

  constructor({ lifetimeSeconds, leastSeconds }: { lifetimeSeconds: number; leastSeconds: number }) {
    super(`CRLs that live for ${lifetimeSeconds} s leave no room for a stall; ${leastSeconds} s is the least.`, {
      hint: "Three publish intervals and the oldest allowed block: make CRLs live longer, or publish more often.",
      docs: "docs/errors.md#crl-lifetime-short",
    })
    this.lifetimeSeconds = lifetimeSeconds
    this.leastSeconds = leastSeconds
  }
}

/** A CRL that nobody here makes: of another issuer, of a batch that is not there, or of a shard that it does not have. */
export class CrlUnknownError extends RevocationError {
  override name = "CrlUnknownError" as const
  override readonly code = "CRL_UNKNOWN"

  constructor() {
    super("There is no such CRL.", {
      hint: "The address has the issuer key's id in hex, and of a shard its first series, first and last index.",
      docs: "docs/errors.md#crl-unknown",
    })
  }
}

/** So much is revoked that one CRL of it all would help nobody. */
export class CrlTooLargeError extends RevocationError {
  override name = "CrlTooLargeError" as const
  override readonly code = "CRL_TOO_LARGE"
  readonly entries: number
  readonly allowed: number

  constructor({ entries, allowed }: { entries: number; allowed: number }) {
    super(`The complete CRL would have ${entries} entries; ${allowed} is the most.`, {
      hint: "Use the shards, or OCSP.",
      docs: "docs/errors.md#crl-too-large",
    })
    this.entries = entries
    this.allowed = allowed
  }
}

/** The last CRL has ended, and the ledger cannot be asked for a new one; `cause` says why. */
export class CrlEndedError extends RevocationError {
  override name = "CrlEndedError" as const
  override readonly code = "CRL_ENDED"

  constructor({ cause }: { cause: unknown }) {
    super("The last CRL has ended and no new one can be made.", {
      hint: "Look at the replica's fault, and at the node that it follows.",
      docs: "docs/errors.md#crl-ended",
      cause,
    })
  }
}
