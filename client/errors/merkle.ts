import { FleetrootError } from "./base.ts"

/** The parent of every error about a Merkle tree, an inclusion proof, a receipt or a manifest. */
export class MerkleError extends FleetrootError {
  override name = "MerkleError"
  override readonly code: string = "MERKLE"
}

/** A value that must be a SHA-256 hash is not exactly 32 bytes long. */
export class HashLengthError extends MerkleError {
  override name = "HashLengthError" as const
  override readonly code = "HASH_LENGTH"
  /** Which value: "credentialHash", "root", "proof[3]". */
  readonly field: string
  /** Its length in bytes; -1 when it was not a Uint8Array at all. */
  readonly length: number

  constructor({ field, length }: { field: string; length: number }) {
    super(length < 0 ? `${field} is not a Uint8Array.` : `${field} has ${length} bytes; a SHA-256 hash has 32.`, {
      hint: "Pass the 32 bytes of the hash itself, not its hex text.",
      docs: "docs/errors.md#hash-length",
    })
    this.field = field
    this.length = length
  }
}

/** A tree size outside 1..2^32-1, or not an integer. */
export class TreeSizeError extends MerkleError {
  override name = "TreeSizeError" as const
  override readonly code = "TREE_SIZE"
  readonly size: unknown

  constructor({ size }: { size: unknown }) {
    super(`A batch holds 1 to 4294967295 credentials; ${String(size)} was given as its size.`, {
      hint: "Use the size that the ledger shows for the batch.",
      docs: "docs/errors.md#tree-size",
    })
    this.size = size
  }
}

/** An index that is not an integer in 0..size-1. */
export class IndexOutOfRangeError extends MerkleError {
  override name = "IndexOutOfRangeError" as const
  override readonly code = "INDEX_OUT_OF_RANGE"
  readonly index: unknown
  readonly size: number

  constructor({ index, size }: { index: unknown; size: number }) {
    super(`Index ${String(index)} is not a position in a batch of ${size}; positions are 0 to ${size - 1}.`, {
      hint: "Check that index and size come from the same receipt.",
      docs: "docs/errors.md#index-out-of-range",
    })
    this.index = index
    this.size = size
  }
}

/** A proof with more or fewer hashes than (index, size) demands. */
export class ProofLengthError extends MerkleError {
  override name = "ProofLengthError" as const
  override readonly code = "PROOF_LENGTH"
  readonly expected: number
  readonly found: number

  constructor({ expected, found }: { expected: number; found: number }) {
    super(`The proof has ${found} hashes; this place in this tree needs exactly ${expected}.`, {
      hint: "The proof is for another index or another size, or was cut.",
      docs: "docs/errors.md#proof-length",
    })
    this.expected = expected
    this.found = found
  }
}

/** Following the proof, or hashing the leaves, gives another root than the one expected. */
export class RootMismatchError extends MerkleError {
  override name = "RootMismatchError" as const
  override readonly code = "ROOT_MISMATCH"
  /** Lower-case hex with 0x. */
  readonly expected: string
  readonly found: string

  constructor({ expected, found }: { expected: string; found: string }) {
    super(`The hashes lead to root ${found}, not to ${expected}.`, {
      hint: "The credential is not at this place of this batch, or the data was changed.",
      docs: "docs/errors.md#root-mismatch",
    })
    this.expected = expected
    this.found = found
  }
}

/** Sizes between which no consistency can be shown: a first of 0, or a first larger than the second. */
export class ConsistencySizesError extends MerkleError {
  override name = "ConsistencySizesError" as const
  override readonly code = "CONSISTENCY_SIZES"
  readonly first: number
  readonly second: number

  constructor({ first, second }: { first: number; second: number }) {
    super(`A tree of ${second} cannot extend a tree of ${first}.`, {
      hint: "Give the smaller tree first.",
      docs: "docs/errors.md#consistency-sizes",
    })
    this.first = first
    this.second = second
  }
}

/** A proof was asked of a tree that keeps only its upper levels, without the right hashes below them. */
export class TreeSectionError extends MerkleError {
  override name = "TreeSectionError" as const
  override readonly code = "TREE_SECTION"
  /** Bytes of credential hashes that this section holds. */
  readonly expected: number
  readonly found: number

  constructor({ expected, found }: { expected: number; found: number }) {
    super(`This tree keeps upper levels only: the section needs ${expected} bytes of hashes, ${found} were given.`, {
      hint: "Read `sectionOf(index)` from the manifest and pass those hashes.",
      docs: "docs/errors.md#tree-section",
    })
    this.expected = expected
    this.found = found
  }
}

/** A tree was asked of a builder that was not told to keep any level. */
export class TreeLevelsNotKeptError extends MerkleError {
  override name = "TreeLevelsNotKeptError" as const
  override readonly code = "TREE_LEVELS_NOT_KEPT"

  constructor() {
    super("This builder kept no levels, so it has a root but no tree.", {
      hint: "Make it with `new MerkleTreeBuilder({ keepLevel: 8 })`.",
      docs: "docs/errors.md#tree-levels-not-kept",
    })
  }
}

/** A field of a manifest or a receipt lies outside its range; nothing was written or read. */
export class PlaceFieldError extends MerkleError {
  override name = "PlaceFieldError" as const
  override readonly code = "PLACE_FIELD"
  readonly field: string
  readonly value: string
  readonly allowed: string

  constructor({ field, value, allowed }: { field: string; value: string; allowed: string }) {
    super(`${field} is ${value}; allowed: ${allowed}.`, {
      hint: "See docs/formats.md for the range of every field.",
      docs: "docs/errors.md#place-field",
    })
    this.field = field
    this.value = value
    this.allowed = allowed
  }
}

/** The parent of the errors about a manifest file. */
export class ManifestError extends MerkleError {
  override name = "ManifestError"
  override readonly code: string = "MANIFEST"
}

/** The file does not begin with "FRMF". */
export class ManifestMagicError extends ManifestError {
  override name = "ManifestMagicError" as const
  override readonly code = "MANIFEST_MAGIC"
  /** The first four bytes, as hex. */
  readonly found: string

  constructor({ found }: { found: string }) {
    super(`This is not a manifest: it begins with ${found}, not with 0x46524d46 ("FRMF").`, {
      hint: "Pass the file that `batch register --manifest` wrote.",
      docs: "docs/errors.md#manifest-magic",
    })
    this.found = found
  }
}

/** A manifest of a version that this library does not know. */
export class ManifestVersionError extends ManifestError {
  override name = "ManifestVersionError" as const
  override readonly code = "MANIFEST_VERSION"
  readonly found: number

  constructor({ found }: { found: number }) {
    super(`Manifest version ${found}; this library reads version 1.`, {
      hint: "Use a release that knows this version.",
      docs: "docs/errors.md#manifest-version",
    })
    this.found = found
  }
}

/** Bytes of the header that must be zero are not. */
export class ManifestReservedError extends ManifestError {
  override name = "ManifestReservedError" as const
  override readonly code = "MANIFEST_RESERVED"
  readonly offset: number

  constructor({ offset }: { offset: number }) {
    super(`Reserved byte ${offset} of the manifest header is not zero.`, {
      hint: "The file was changed, or is of a later version.",
      docs: "docs/errors.md#manifest-reserved",
    })
    this.offset = offset
  }
}

/** A manifest whose length is not header + size × 32 bytes. */
export class ManifestLengthError extends ManifestError {
  override name = "ManifestLengthError" as const
  override readonly code = "MANIFEST_LENGTH"
  readonly expected: number
  readonly found: number

  constructor({ expected, found }: { expected: number; found: number }) {
    super(`The manifest has ${found} bytes; ${expected} are needed.`, {
      hint: found < expected ? "It was cut short: fetch it again." : "Something was appended: fetch it again.",
      docs: "docs/errors.md#manifest-length",
    })
    this.expected = expected
    this.found = found
  }
}

/** The credential hashes in a manifest do not lead to the root expected of it. */
export class ManifestRootError extends ManifestError {
  override name = "ManifestRootError" as const
  override readonly code = "MANIFEST_ROOT"
  readonly expected: string
  readonly found: string

  constructor({ expected, found }: { expected: string; found: string }) {
    super(`The manifest's credential hashes lead to root ${found}, not to ${expected}.`, {
      hint: "It was changed, or belongs to another batch: fetch it from another mirror.",
      docs: "docs/errors.md#manifest-root",
    })
    this.expected = expected
    this.found = found
  }
}

/** A source gave another number of bytes than it was asked for. */
export class ManifestReadError extends ManifestError {
  override name = "ManifestReadError" as const
  override readonly code = "MANIFEST_READ"
  readonly offset: number
  readonly expected: number
  readonly found: number

  constructor({ offset, expected, found }: { offset: number; expected: number; found: number }) {
    super(`Asked for ${expected} bytes of the manifest at ${offset}, got ${found}.`, {
      hint: "The file or mirror changed while it was read: try again.",
      docs: "docs/errors.md#manifest-read",
    })
    this.offset = offset
    this.expected = expected
    this.found = found
  }
}

/** The parent of the errors about a receipt. */
export class ReceiptError extends MerkleError {
  override name = "ReceiptError"
  override readonly code: string = "RECEIPT"
}

/** Bytes that are not a receipt in its one deterministic encoding. */
export class ReceiptMalformedError extends ReceiptError {
  override name = "ReceiptMalformedError" as const
  override readonly code = "RECEIPT_MALFORMED"

  constructor(message: string, cause?: unknown) {
    super(`Not a receipt: ${message}`, {
      hint: "Pass the file that `batch register --receipts` or `batch receipt` wrote.",
      docs: "docs/errors.md#receipt-malformed",
      cause,
    })
  }
}

/** A receipt of a version that this library does not know. */
export class ReceiptVersionError extends ReceiptError {
  override name = "ReceiptVersionError" as const
  override readonly code = "RECEIPT_VERSION"
  readonly found: string

  constructor({ found }: { found: string }) {
    super(`Receipt version ${found}; this library reads version 1.`, {
      hint: "Use a release that knows this version.",
      docs: "docs/errors.md#receipt-version",
    })
    this.found = found
  }
}
