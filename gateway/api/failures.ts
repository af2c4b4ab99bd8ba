import type { Problem } from "../http/problem.ts"

/** What each failure becomes on the wire. RFC 9457. What is not in the table is a fault of the gateway: 500. */
export const API_FAILURE = {
  RequestInvalidError: { status: 400, title: "The request is not what it must be" },
  MediaTypeUnknownError: { status: 415, title: "The body is of a kind that is not read here" },
  KeyOwnerAmbiguousError: { status: 409, title: "Two manufacturers proved possession of one key" },
  StaleHeadError: { status: 503, title: "The newest block is too old to answer from" },
  ClockBehindError: { status: 503, title: "The gateway's clock is wrong" },
  LedgerSilentError: { status: 503, title: "The ledger's state is not known at the moment" },
  ManifestUnreadableError: { status: 503, title: "A manifest cannot be read at the moment" },
  EnrolmentStoreError: { status: 503, title: "The gateway's store cannot be read at the moment" },
  SerialStoreUnusableError: { status: 503, title: "The gateway's store cannot be read at the moment" },
} as const satisfies Record<string, Problem>
