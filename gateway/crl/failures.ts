/** The HTTP status of each failure; what is not listed is 500. */
export const CRL_FAILURE = {
  CrlUnknownError: 404,
  IssuerKeyAbsentError: 404,
  CrlTooLargeError: 503, // the shards are there
  CrlEndedError: 503, // never an ended CRL, which says nothing, and never an empty one, which says that all is well
  StaleHeadError: 503,
  ClockBehindError: 503,
  LedgerSilentError: 503,
  SerialStoreUnusableError: 503,
} as const satisfies Record<string, number>
