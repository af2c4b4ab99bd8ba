import { FleetrootError } from "./base.ts"

/** What can be wrong with a row. Stable: scripts decide by it. */
export type BatchFindingCode =
  | "fileUnfit"
  | "pemBlockMissing"
  | "pemBlocksMany"
  | "malformed"
  | "rowInvalid"
  | "profileUnfit"
  | "caCertificate"
  | "issuerCertificate"
  | "wrongIssuer"
  | "possessionUnproven"
  | "notAfterMissing"
  | "expired"
  | "positionElsewhere"
  | "positionTaken"
  | "positionGap"
  | "duplicateCredential"
  | "duplicateKey"
  | "duplicateEarlier"

/** One bad row: the first rule that it breaks. */
export type BatchFinding = {
  readonly code: BatchFindingCode
  /** Number of the row among all rows that were given, from 1. */
  readonly row: number
  /** Where the row came from: a file, or a file and a line. */
  readonly source: string
  /** What is wrong, with the value; a whole sentence. */
  readonly message: string
  /** For duplicates and taken places: the row, or the earlier batch, that was there first. */
  readonly other?: string
  /** The error's or the profile rule's own code, where there is one. */
  readonly detail?: string
}

/** How the rows of a batch came out. */
export type BatchFindings = {
  /** Bad rows in the order of the rows, at most as many as were asked for. */
  readonly findings: readonly BatchFinding[]
  /** All bad rows, listed or not. */
  readonly badRows: number
  /** Bad rows by code, listed or not. */
  readonly badRowsByCode: Readonly<Partial<Record<BatchFindingCode, number>>>
  /** All rows that were given. */
  readonly rows: number
}

/** The parent of every error about building a batch, reading a fleet, and writing what comes of it. */
export class BatchError extends FleetrootError {
  override name = "BatchError"
  override readonly code: string = "BATCH"
}

/** At least one row is bad, so there is no batch. */
export class BatchRefusedError extends BatchError implements BatchFindings {
  override name = "BatchRefusedError" as const
  override readonly code = "BATCH_REFUSED"
  readonly findings: readonly BatchFinding[]
  readonly badRows: number
  readonly badRowsByCode: Readonly<Partial<Record<BatchFindingCode, number>>>
  readonly rows: number
  /** Whether leaving the bad rows out would help; it does not close gaps between position serials, nor choose a series. */
  readonly skippable: boolean

  constructor({ findings, badRows, badRowsByCode, rows, skippable }: BatchFindings & { skippable: boolean }) {
    const [first] = findings
    super(
      `${badRows} of ${rows} rows are bad; nothing was registered.${first === undefined ? "" : ` First: ${first.source}: ${first.message}`}`,
      {
        hint: skippable
          ? "Correct the rows, or leave them out with `skipBad` (--skip-bad)."
          : "Position serials fix series and index: give the series, make missing certificates, or add rows without a position.",
        docs: "docs/errors.md#batch-refused",
      },
    )
    this.findings = findings
    this.badRows = badRows
    this.badRowsByCode = badRowsByCode
    this.rows = rows
    this.skippable = skippable
  }
}

/** No row is left: none was given, or all are bad. */
export class BatchEmptyError extends BatchError implements BatchFindings {
  override name = "BatchEmptyError" as const
  override readonly code = "BATCH_EMPTY"
  readonly findings: readonly BatchFinding[]
  readonly badRows: number
  readonly badRowsByCode: Readonly<Partial<Record<BatchFindingCode, number>>>
  readonly rows: number

  constructor({ findings, badRows, badRowsByCode, rows }: BatchFindings) {
    super(rows === 0 ? "There are no rows to make a batch of." : `All ${rows} rows are bad: no batch is left.`, {
      hint: "Check that this is the right folder or file.",
      docs: "docs/errors.md#batch-empty",
    })
    this.findings = findings
    this.badRows = badRows
    this.badRowsByCode = badRowsByCode
    this.rows = rows
  }
}

/** The issuer's key id is not that of its public key. */
export class BatchIssuerError extends BatchError {
  override name = "BatchIssuerError" as const
  override readonly code = "BATCH_ISSUER"
  readonly expected: string
  readonly found: string

  constructor({ expected, found }: { expected: string; found: string }) {
    super(`The issuer's public key has key id ${found}, not ${expected}.`, {
      hint: "Give the key id and the SubjectPublicKeyInfo of one and the same issuer key.",
      docs: "docs/errors.md#batch-issuer",
    })
    this.expected = expected
    this.found = found
  }
}

/** A setting of the builder is outside its range; no row was read. */
export class BatchOptionError extends BatchError {
  override name = "BatchOptionError" as const
  override readonly code = "BATCH_OPTION"
  readonly option: string
  readonly value: string
  readonly allowed: string

  constructor({ option, value, allowed }: { option: string; value: string; allowed: string }) {
    super(`${option} is ${value}; allowed: ${allowed}.`, {
      hint: "Correct the setting.",
      docs: "docs/errors.md#batch-option",
    })
    this.option = option
    this.value = value
    this.allowed = allowed
  }
}

/** The order was to be secret, but a row's serial number already says its index. */
export class BatchShuffleError extends BatchError {
  override name = "BatchShuffleError" as const
  override readonly code = "BATCH_SHUFFLE"
  readonly source: string

  constructor({ source }: { source: string }) {
    super(`The batch cannot be shuffled: the position serial of ${source} fixes its index.`, {
      hint: "Shuffle the devices before their certificates are made, or leave --shuffle out.",
      docs: "docs/errors.md#batch-shuffle",
    })
    this.source = source
  }
}

/** A line of a CSV or NDJSON file, or a row given by a caller, that does not say what it should. */
export class FleetRowError extends BatchError {
  override name = "FleetRowError" as const
  override readonly code = "FLEET_ROW"
  /** Which part of the row: a column, "line", … */
  readonly field: string
  readonly reason: string

  constructor({ field, reason }: { field: string; reason: string }) {
    super(`${field} ${reason}.`, {
      hint: "docs/formats.md says what a row must hold.",
      docs: "docs/errors.md#fleet-row",
    })
    this.field = field
    this.reason = reason
  }
}

/** The first line of a CSV is not one of the headers that a fleet may have; no other line was read. */
export class FleetHeaderError extends BatchError {
  override name = "FleetHeaderError" as const
  override readonly code = "FLEET_HEADER"
  readonly found: string

  constructor({ found }: { found: string }) {
    super(`The header is ${JSON.stringify(found)}.`, {
      hint: "Write credentialHash, or credentialHash,notAfter, or credentialHash,notAfter,deviceKeyId.",
      docs: "docs/errors.md#fleet-header",
    })
    this.found = found
  }
}

/** A file of a fleet that is not read: a folder, a device, a link that leads out of the folder, too large, empty. */
export class FleetFileError extends BatchError {
  override name = "FleetFileError" as const
  override readonly code = "FLEET_FILE"
  readonly path: string
  readonly reason: string

  constructor({ path, reason, cause }: { path: string; reason: string; cause?: unknown }) {
    super(`${path} ${reason}.`, {
      hint: "Leave only device certificates in the folder; *.key and hidden files are not looked at.",
      docs: "docs/errors.md#fleet-file",
      cause,
    })
    this.path = path
    this.reason = reason
  }
}

/** A path that should be read cannot be. */
export class InputPathError extends BatchError {
  override name = "InputPathError" as const
  override readonly code = "INPUT_PATH"
  readonly path: string
  readonly reason: string

  constructor({ path, reason, cause }: { path: string; reason: string; cause?: unknown }) {
    super(`Cannot read ${path}: ${reason}.`, {
      hint: "Check the path and that you may read it.",
      docs: "docs/errors.md#input-path",
      cause,
    })
    this.path = path
    this.reason = reason
  }
}

/** An output would have been written through a link, or outside its folder; nothing was written. */
export class OutputPathRefusedError extends BatchError {
  override name = "OutputPathRefusedError" as const
  override readonly code = "OUTPUT_PATH_REFUSED"
  readonly path: string
  readonly reason: string

  constructor({ path, reason }: { path: string; reason: string }) {
    super(`Refused to write ${JSON.stringify(path)}: ${reason}.`, {
      hint: "Give a plain folder of your own, without links in it.",
      docs: "docs/errors.md#output-path-refused",
    })
    this.path = path
    this.reason = reason
  }
}

/** A file with this name but other content is there already; it was left as it is. */
export class OutputExistsError extends BatchError {
  override name = "OutputExistsError" as const
  override readonly code = "OUTPUT_EXISTS"
  readonly path: string

  constructor({ path }: { path: string }) {
    super(`${path} is there already, with other content.`, {
      hint: "It belongs to another batch: give another folder, or move the file away.",
      docs: "docs/errors.md#output-exists",
    })
    this.path = path
  }
}

/** The system did not let an output be written: no space, no permission, no folder. */
export class OutputWriteError extends BatchError {
  override name = "OutputWriteError" as const
  override readonly code = "OUTPUT_WRITE"
  readonly path: string

  constructor({ path, reason, cause }: { path: string; reason: string; cause: unknown }) {
    super(`Cannot write ${path}: ${reason}.`, {
      hint: "Check free space and permissions, then run it again: what is done already is not done twice.",
      docs: "docs/errors.md#output-write",
      cause,
    })
    this.path = path
  }
}

/** So many entries of a manifest fall on one place of its index that they cannot be distinct hashes. */
export class ManifestCrowdedError extends BatchError {
  override name = "ManifestCrowdedError" as const
  override readonly code = "MANIFEST_CROWDED"
  readonly index: number

  constructor({ index }: { index: number }) {
    super(`The manifest repeats its entries (seen at index ${index}).`, {
      hint: "An honest batch holds each credential once: ask the manufacturer for the right manifest.",
      docs: "docs/errors.md#manifest-crowded",
    })
    this.index = index
  }
}

/** A batch's series is not chosen yet, or is fixed by the serial numbers of its certificates. */
export class BatchSeriesError extends BatchError {
  override name = "BatchSeriesError" as const
  override readonly code = "BATCH_SERIES"
  readonly expected: number | undefined
  readonly found: number | undefined

  constructor({ expected, found }: { expected: number | undefined; found: number | undefined }) {
    super(
      found === undefined
        ? "The batch has no series yet."
        : `The batch's certificates name series ${expected ?? "none"} in their serial numbers, not ${found}.`,
      {
        hint:
          found === undefined
            ? "Give `place.series`, or call `withSeries` with the series that it was registered in."
            : "Register it in the series that its certificates name.",
        docs: "docs/errors.md#batch-series",
      },
    )
    this.expected = expected
    this.found = found
  }
}
