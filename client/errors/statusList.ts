import { FleetrootError } from "./base.ts"

/** The parent of every error about IETF Token Status Lists. */
export class StatusListError extends FleetrootError {
  override name = "StatusListError"
  override readonly code: string = "STATUS_LIST"
}

/** Something is not a status list, or not a token with one. */
export class StatusListMalformedError extends StatusListError {
  override name = "StatusListMalformedError" as const
  override readonly code = "STATUS_LIST_MALFORMED"

  constructor(reason: string, cause?: unknown) {
    super(`Not a status list: ${reason}.`, {
      hint: "Pass a Status List Token (JWT or CWT), or the status list in it.",
      docs: "docs/errors.md#status-list-malformed",
      cause,
    })
  }
}

/** A status list grows beyond what is taken when it is decompressed. */
export class StatusListTooLargeError extends StatusListError {
  override name = "StatusListTooLargeError" as const
  override readonly code = "STATUS_LIST_TOO_LARGE"
  readonly maxBytes: number

  constructor({ maxBytes }: { maxBytes: number }) {
    super(`The status list has more than ${maxBytes} bytes.`, {
      hint: "Raise `maxBytes` if the list is that long.",
      docs: "docs/errors.md#status-list-too-large",
    })
    this.maxBytes = maxBytes
  }
}

/** A place that a status list does not have, or a status that does not fit its bits. */
export class StatusListRangeError extends StatusListError {
  override name = "StatusListRangeError" as const
  override readonly code = "STATUS_LIST_RANGE"
  readonly field: "index" | "status"
  readonly value: number
  readonly limit: number

  constructor({ field, value, limit }: { field: "index" | "status"; value: number; limit: number }) {
    super(`The ${field} ${value} is outside the status list: it must be an integer from 0 to ${limit - 1}.`, {
      hint: "The list is of another batch, or the index is wrong: without a status nothing is good.",
      docs: "docs/errors.md#status-list-range",
    })
    this.field = field
    this.value = value
    this.limit = limit
  }
}

/** A status list token is not signed by the key it should be signed by. */
export class StatusListSignatureError extends StatusListError {
  override name = "StatusListSignatureError" as const
  override readonly code = "STATUS_LIST_SIGNATURE"

  constructor() {
    super("The status list token is not signed by this key.", {
      hint: "Check whose key it should be; else do not use the list.",
      docs: "docs/errors.md#status-list-signature",
    })
  }
}

/** A status list token is of another list than the one asked for. */
export class StatusListSubjectError extends StatusListError {
  override name = "StatusListSubjectError" as const
  override readonly code = "STATUS_LIST_SUBJECT"
  readonly expected: string
  readonly found: string

  constructor({ expected, found }: { expected: string; found: string }) {
    super(`The status list token is about ${JSON.stringify(found)}, not ${JSON.stringify(expected)}.`, {
      hint: "The server sent another list: do not use it.",
      docs: "docs/errors.md#status-list-subject",
    })
    this.expected = expected
    this.found = found
  }
}

/** A status list token has expired, or was issued in the future. */
export class StatusListTimeError extends StatusListError {
  override name = "StatusListTimeError" as const
  override readonly code = "STATUS_LIST_TIME"
  /** Unix seconds. */
  readonly issuedAt: number
  readonly expiresAt: number | undefined

  constructor({ issuedAt, expiresAt }: { issuedAt: number; expiresAt: number | undefined }) {
    const until = expiresAt === undefined ? "" : ` until ${new Date(expiresAt * 1000).toISOString()}`
    super(`The status list token holds from ${new Date(issuedAt * 1000).toISOString()}${until}, which is not now.`, {
      hint: "Fetch it again, and check the clock.",
      docs: "docs/errors.md#status-list-time",
    })
    this.issuedAt = issuedAt
    this.expiresAt = expiresAt
  }
}
