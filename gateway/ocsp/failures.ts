/** What each failure becomes on the wire (RFC 6960, 2.3 and 4.2.1). Never a certificate's status. */
export const OCSP_FAILURE = {
  OcspRequestMalformedError: 1, // malformedRequest
  OcspRequestTooManyError: 1, // malformedRequest: asking for less helps, asking again does not
  KeyOwnerAmbiguousError: 2, // internalError: whose certificate it is, nobody can say
  StaleHeadError: 3, // tryLater: a fresher head may appear
  ClockBehindError: 3, // tryLater: somebody has to set a clock
  LedgerSilentError: 3, // tryLater: the replica has not caught up, or refuses what it was shown
  SerialStoreUnusableError: 3, // tryLater: the imported certificates cannot be looked up
  ResponderUnfitError: 3, // tryLater: the responder's certificate has ended; a new one may be given
  OcspIssuerForeignError: 6, // unauthorized: not ours to answer
  IssuerKeyAbsentError: 6, // unauthorized: nobody here may sign for it
} as const satisfies Record<string, number>

/** What is not in the table is internalError. */
export const OCSP_INTERNAL_ERROR = 2
