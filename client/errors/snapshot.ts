import { FleetrootError } from "./base.ts"

/** The parent of every error about snapshots. */
export class SnapshotError extends FleetrootError {
  override name = "SnapshotError"
  override readonly code: string = "SNAPSHOT"
}

/** The parent of what is wrong with a snapshot's bytes. */
export class SnapshotMalformedError extends SnapshotError {
  override name = "SnapshotMalformedError"
  override readonly code: string = "SNAPSHOT_MALFORMED"
}

/** The file does not begin with "FRSS". */
export class SnapshotMagicError extends SnapshotMalformedError {
  override name = "SnapshotMagicError" as const
  override readonly code = "SNAPSHOT_MAGIC"
  /** The first four bytes, as hex. */
  readonly found: string

  constructor({ found }: { found: string }) {
    super(`This is not a snapshot: it begins with ${found}, not with 0x46525353 ("FRSS").`, {
      hint: "Pass the file that `snapshot make` wrote.",
      docs: "docs/errors.md#snapshot-magic",
    })
    this.found = found
  }
}

/** A snapshot of a version that this library does not know. */
export class SnapshotVersionError extends SnapshotMalformedError {
  override name = "SnapshotVersionError" as const
  override readonly code = "SNAPSHOT_VERSION"
  readonly found: number

  constructor({ found }: { found: number }) {
    super(`Snapshot version ${found}; this library reads version 1.`, {
      hint: "Use a release that knows this version.",
      docs: "docs/errors.md#snapshot-version",
    })
    this.found = found
  }
}

/** A snapshot ends in the middle of something. */
export class SnapshotTruncatedError extends SnapshotMalformedError {
  override name = "SnapshotTruncatedError" as const
  override readonly code = "SNAPSHOT_TRUNCATED"
  /** Where it ends. */
  readonly offset: number

  constructor({ offset }: { offset: number }) {
    super(`The snapshot ends at byte ${offset}, in the middle of something.`, {
      hint: "It was cut short: fetch it again.",
      docs: "docs/errors.md#snapshot-truncated",
    })
    this.offset = offset
  }
}

/** The SHA-256 at a snapshot's end is not that of what stands before it. */
export class SnapshotChecksumError extends SnapshotMalformedError {
  override name = "SnapshotChecksumError" as const
  override readonly code = "SNAPSHOT_CHECKSUM"
  readonly expected: string
  readonly found: string

  constructor({ expected, found }: { expected: string; found: string }) {
    super(`The snapshot says that its SHA-256 is ${expected}; it is ${found}.`, {
      hint: "It was damaged on its way: fetch it again.",
      docs: "docs/errors.md#snapshot-checksum",
    })
    this.expected = expected
    this.found = found
  }
}

/** A field of a snapshot lies outside its range. */
export class SnapshotFieldError extends SnapshotMalformedError {
  override name = "SnapshotFieldError" as const
  override readonly code = "SNAPSHOT_FIELD"
  readonly field: string
  readonly value: string
  readonly allowed: string

  constructor({ field, value, allowed }: { field: string; value: string; allowed: string }) {
    super(`The snapshot's ${field} is ${value}; allowed: ${allowed}.`, {
      hint: 'See docs/formats.md, "Snapshot"; the file was not written by a sound program.',
      docs: "docs/errors.md#snapshot-field",
    })
    this.field = field
    this.value = value
    this.allowed = allowed
  }
}

/** A coded set of places is not one. */
export class SnapshotSetError extends SnapshotMalformedError {
  override name = "SnapshotSetError" as const
  override readonly code = "SNAPSHOT_SET"
  readonly offset: number
  readonly problem: string

  constructor({ offset, problem }: { offset: number; problem: string }) {
    super(`The set of places at byte ${offset} of the snapshot is impossible: ${problem}.`, {
      hint: "The file was not written by a sound program.",
      docs: "docs/errors.md#snapshot-set",
    })
    this.offset = offset
    this.problem = problem
  }
}

/** A snapshot says what it says in another way than the one that is allowed. */
export class SnapshotSpellingError extends SnapshotMalformedError {
  override name = "SnapshotSpellingError" as const
  override readonly code = "SNAPSHOT_SPELLING"
  /** The first byte that should be another. */
  readonly offset: number

  constructor({ offset }: { offset: number }) {
    super(`The snapshot is not in its one spelling: byte ${offset} differs from it.`, {
      hint: "The file was not written by a sound program.",
      docs: "docs/errors.md#snapshot-spelling",
    })
    this.offset = offset
  }
}

/** A snapshot takes more memory than it may. */
export class SnapshotTooLargeError extends SnapshotError {
  override name = "SnapshotTooLargeError" as const
  override readonly code = "SNAPSHOT_TOO_LARGE"
  readonly what: string
  readonly limit: number

  constructor({ what, limit }: { what: string; limit: number }) {
    super(`The snapshot has more than ${limit} ${what}.`, {
      hint: "Raise the limit if you know who made it.",
      docs: "docs/errors.md#snapshot-too-large",
    })
    this.what = what
    this.limit = limit
  }
}

/** A snapshot was asked for something that snapshots do not hold. */
export class SnapshotContentError extends SnapshotError {
  override name = "SnapshotContentError" as const
  override readonly code = "SNAPSHOT_CONTENT"
  readonly what: string

  constructor({ what }: { what: string }) {
    super(`A snapshot holds no ${what}.`, {
      hint: "Ask the ledger, or a replica.",
      docs: "docs/errors.md#snapshot-content",
    })
    this.what = what
  }
}

/** A snapshot is to be made of a manufacturer, or of a batch, that is not there. */
export class SnapshotSubjectError extends SnapshotError {
  override name = "SnapshotSubjectError" as const
  override readonly code = "SNAPSHOT_SUBJECT"
  readonly what: string

  constructor({ what }: { what: string }) {
    super(`There is no ${what} at this block.`, {
      hint: "Check the number; a snapshot of an older block does not know what came later.",
      docs: "docs/errors.md#snapshot-subject",
    })
    this.what = what
  }
}

/** A snapshot is of another ledger than the one it is checked against. */
export class SnapshotForeignError extends SnapshotError {
  override name = "SnapshotForeignError" as const
  override readonly code = "SNAPSHOT_FOREIGN"
  readonly field: string
  readonly expected: string
  readonly found: string

  constructor({ field, expected, found }: { field: string; expected: string; found: string }) {
    super(`The snapshot's ${field} is ${found}; the deployment's is ${expected}.`, {
      hint: "Give the deployment file that belongs to the snapshot.",
      docs: "docs/errors.md#snapshot-foreign",
    })
    this.field = field
    this.expected = expected
    this.found = found
  }
}

/** A snapshot's block is not on the chain: it was made up, or reorganised away. Nothing in it holds. */
export class SnapshotBlockError extends SnapshotError {
  override name = "SnapshotBlockError" as const
  override readonly code = "SNAPSHOT_BLOCK"
  readonly number: number
  readonly expected: string
  readonly found: string

  constructor({ number, expected, found }: { number: number; expected: string; found: string }) {
    super(`The snapshot is of block ${number} with hash ${found}; the ledger's is ${expected}.`, {
      hint: "The block was reorganised away, or never was: make a new snapshot.",
      docs: "docs/errors.md#snapshot-block",
    })
    this.number = number
    this.expected = expected
    this.found = found
  }
}

/** A snapshot says something else than the ledger said at its block. It must not be used. */
export class SnapshotMismatchError extends SnapshotError {
  override name = "SnapshotMismatchError" as const
  override readonly code = "SNAPSHOT_MISMATCH"
  /** "log head of devices of manufacturer 2", "status word 7 of batch 3 of manufacturer 2". */
  readonly what: string
  readonly expected: string
  readonly found: string

  constructor({ what, expected, found }: { what: string; expected: string; found: string }) {
    super(`In the snapshot the ${what} is ${found}; on the ledger it was ${expected}.`, {
      hint: "The snapshot was forged or made by a broken program: do not use it.",
      docs: "docs/errors.md#snapshot-mismatch",
    })
    this.what = what
    this.expected = expected
    this.found = found
  }
}

/**
 * The ledger has moved on since a snapshot and its state at the snapshot's block cannot be read here, or has not come so far.
 * Nothing is known against the snapshot.
 */
export class SnapshotUncheckableError extends SnapshotError {
  override name = "SnapshotUncheckableError" as const
  override readonly code = "SNAPSHOT_UNCHECKABLE"
  readonly number: number
  /** The block at which the ledger could be read. */
  readonly headNumber: number
  readonly reason: string

  constructor({ number, headNumber, reason }: { number: number; headNumber: number; reason: string }) {
    super(`The snapshot of block ${number} cannot be checked at block ${headNumber}: ${reason}.`, {
      hint: "Make a new snapshot, or check this one with a node that has old states, or against a replica.",
      docs: "docs/errors.md#snapshot-uncheckable",
    })
    this.number = number
    this.headNumber = headNumber
    this.reason = reason
  }
}
