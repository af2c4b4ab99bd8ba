import { FleetrootError } from "./base.ts"

/** The parent of every error about finding credentials in manifests: mirrors that serve them, indexes made of them. */
export class ManifestIndexError extends FleetrootError {
  override name = "ManifestIndexError"
  override readonly code: string = "MANIFEST_INDEX"
}

/** A manifest's header is not that of the batch it was given for. Nothing of it was indexed. */
export class ManifestPlaceError extends ManifestIndexError {
  override name = "ManifestPlaceError" as const
  override readonly code = "MANIFEST_PLACE"
  /** "chainId", "registry", "manufacturerId", "series" or "size". */
  readonly field: string
  readonly expected: string
  readonly found: string

  constructor({ field, expected, found }: { field: string; expected: string; found: string }) {
    super(`The manifest's ${field} is ${found}; the batch's is ${expected}.`, {
      hint: "The mirror served another batch's manifest: ask another mirror.",
      docs: "docs/errors.md#manifest-place",
    })
    this.field = field
    this.expected = expected
    this.found = found
  }
}

/** An index in memory holds as many devices or batches as it can. */
export class BatchIndexFullError extends ManifestIndexError {
  override name = "BatchIndexFullError" as const
  override readonly code = "BATCH_INDEX_FULL"
  readonly limit: string

  constructor({ limit }: { limit: string }) {
    super(`The index holds at most ${limit}.`, {
      hint: "Spread the batches over several indexes, or keep the index on disk.",
      docs: "docs/errors.md#batch-index-full",
    })
    this.limit = limit
  }
}

/** The parent of what goes wrong between a client and a mirror of manifests. */
export class MirrorError extends ManifestIndexError {
  override name = "MirrorError"
  override readonly code: string = "MIRROR"
}

/** No connection to a mirror, or it broke off. */
export class MirrorUnreachableError extends MirrorError {
  override name = "MirrorUnreachableError" as const
  override readonly code = "MIRROR_UNREACHABLE"
  /** Host and port, without what else the address held. */
  readonly mirror: string

  constructor({ mirror, cause }: { mirror: string; cause?: unknown }) {
    super(`The mirror ${mirror} cannot be reached, or broke off.`, {
      hint: "Check the address, or ask another mirror.",
      docs: "docs/errors.md#mirror-unreachable",
      cause,
    })
    this.mirror = mirror
  }
}

/** A mirror sent less than a MiB in the time allowed for it. */
export class MirrorTimeoutError extends MirrorError {
  override name = "MirrorTimeoutError" as const
  override readonly code = "MIRROR_TIMEOUT"
  readonly mirror: string
  readonly timeoutMs: number

  constructor({ mirror, timeoutMs }: { mirror: string; timeoutMs: number }) {
    super(`The mirror ${mirror} is slower than 1 MiB in ${timeoutMs} ms.`, {
      hint: "Ask another mirror, or allow more time with `timeoutMs`.",
      docs: "docs/errors.md#mirror-timeout",
    })
    this.mirror = mirror
    this.timeoutMs = timeoutMs
  }
}

/** A mirror answered with another status than 200 or 206. Redirects are not followed. */
export class MirrorStatusError extends MirrorError {
  override name = "MirrorStatusError" as const
  override readonly code = "MIRROR_STATUS"
  readonly mirror: string
  readonly status: number

  constructor({ mirror, status }: { mirror: string; status: number }) {
    super(`The mirror ${mirror} answered with HTTP status ${status}.`, {
      hint: "Check the address; where it redirects to, ask that address itself.",
      docs: "docs/errors.md#mirror-status",
    })
    this.mirror = mirror
    this.status = status
  }
}

/** A mirror's manifest is larger than this reader takes. */
export class MirrorTooLargeError extends MirrorError {
  override name = "MirrorTooLargeError" as const
  override readonly code = "MIRROR_TOO_LARGE"
  readonly mirror: string
  readonly maxBytes: number

  constructor({ mirror, maxBytes }: { mirror: string; maxBytes: number }) {
    super(`The mirror ${mirror} sends more than ${maxBytes} bytes.`, {
      hint: "Raise `maxBytes` if the batch is that large; else ask another mirror.",
      docs: "docs/errors.md#mirror-too-large",
    })
    this.mirror = mirror
    this.maxBytes = maxBytes
  }
}

/** A mirror's answer is not what was asked for: another range, or the resource changed in between. */
export class MirrorAnswerError extends MirrorError {
  override name = "MirrorAnswerError" as const
  override readonly code = "MIRROR_ANSWER"
  readonly mirror: string
  readonly expected: string
  readonly found: string

  constructor({ mirror, expected, found }: { mirror: string; expected: string; found: string }) {
    super(`The mirror ${mirror} answered ${found}; asked for: ${expected}.`, {
      hint: "The file changed while it was read, or the mirror does not know byte ranges (RFC 9110, 14): ask another.",
      docs: "docs/errors.md#mirror-answer",
    })
    this.mirror = mirror
    this.expected = expected
    this.found = found
  }
}

/** A file is no index of batches, or one that was cut or is of another version. */
export class IndexFileMalformedError extends ManifestIndexError {
  override name = "IndexFileMalformedError" as const
  override readonly code = "INDEX_FILE_MALFORMED"
  readonly path: string
  readonly reason: string

  constructor({ path, reason }: { path: string; reason: string }) {
    super(`${path} is no index of batches: ${reason}.`, {
      hint: "Build it again from the manifests.",
      docs: "docs/errors.md#index-file-malformed",
    })
    this.path = path
    this.reason = reason
  }
}

/** Part of an index file does not have the hash that it had when it was written. */
export class IndexFileDamagedError extends ManifestIndexError {
  override name = "IndexFileDamagedError" as const
  override readonly code = "INDEX_FILE_DAMAGED"
  readonly path: string
  /** "the directory", or the number of a block. */
  readonly part: string

  constructor({ path, part }: { path: string; part: string }) {
    super(`${part} of ${path} is damaged.`, {
      hint: "Check the disk, then build the index again from the manifests.",
      docs: "docs/errors.md#index-file-damaged",
    })
    this.path = path
    this.part = part
  }
}
