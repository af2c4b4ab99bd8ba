/** What each failure of ours becomes on the wire; anything else that is ours is 503: it may go away. RFC 7030, 4.2.3. */
export const EST_FAILURE = {
  EstRequestMalformedError: 400,
  EstContentTypeError: 415,
  CsrSignatureInvalidError: 400,
  CsrKeyUnfitError: 400,
  CsrExtensionRefusedError: 400,
  CsrSubjectRefusedError: 400,
  CsrSubjectTakenError: 409,
  CsrUnlinkedError: 400,
  KeyEncryptionUnsupportedError: 400,
  ClientCertificateRefusedError: 403,
  EnrolmentTokenUsedError: 401,
  EnrolmentRateError: 429,
  EnrolmentQueueFullError: 503,
  EnrolmentInterruptedError: 503,
  EnrolmentStoreError: 503,
  IssuerNotCurrentError: 503,
  StaleHeadError: 503,
  ClockBehindError: 503,
  LedgerSilentError: 503,
} as const satisfies Record<string, number>

/** What of a 503 a client may know; the rest is for the log. */
export const FAILURE_WORDS: Readonly<Record<string, string>> = {
  EnrolmentQueueFullError: "Too many enrolments wait for the ledger",
  EnrolmentStoreError: "The store of enrolments is not available",
  IssuerNotCurrentError: "The issuer may not issue at the moment",
  StaleHeadError: "The ledger's newest block is too old",
  ClockBehindError: "The gateway's clock is wrong",
  LedgerSilentError: "The ledger cannot be asked at the moment",
}
