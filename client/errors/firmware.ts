import { FleetrootError } from "./base.ts"

/** The checks of an image itself, before anybody is asked about it; each error about an image belongs to one of them. */
export type ImageCheck = "format" | "size" | "padding" | "imageDigest" | "algorithm" | "manifest" | "signature"

type ImageErrorOptions = { check: ImageCheck; hint: string; docs: string; cause?: unknown }

/** The parent of every error about a firmware image, its signature or its update manifest. */
export class ImageError extends FleetrootError {
  override name = "ImageError"
  override readonly code: string = "IMAGE"
  /** The check that fails with it. */
  readonly check: ImageCheck

  constructor(message: string, { check, hint, docs, cause }: ImageErrorOptions) {
    super(message, { hint, docs, cause })
    this.check = check
  }
}

const FETCH_AGAIN = "The file was cut or changed on its way: fetch it again."

/** The image ends before it should. */
export class ImageTruncatedError extends ImageError {
  override name = "ImageTruncatedError" as const
  override readonly code = "IMAGE_TRUNCATED"
  readonly what: string
  readonly needed: number
  readonly left: number

  constructor({ what, needed, left }: { what: string; needed: number; left: number }) {
    super(`The image ends inside ${what}: ${needed} bytes are needed, ${left} are left.`, {
      check: "size",
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#image-truncated",
    })
    this.what = what
    this.needed = needed
    this.left = left
  }
}

/** The image is longer than it says, or than the caller allows. Reading stopped one byte behind the limit. */
export class ImageTooLongError extends ImageError {
  override name = "ImageTooLongError" as const
  override readonly code = "IMAGE_TOO_LONG"
  readonly limit: number

  constructor({ limit, why }: { limit: number; why: string }) {
    super(`The image goes on behind ${limit} bytes, ${why}.`, {
      check: "size",
      hint: "Fetch it again; raise `maximumBytes` if images of this size are expected.",
      docs: "docs/errors.md#image-too-long",
    })
    this.limit = limit
  }
}

/** What should give the image's bytes gave something else, or nothing for too long. */
export class ImageSourceError extends ImageError {
  override name = "ImageSourceError" as const
  override readonly code = "IMAGE_SOURCE"
  readonly problem: string

  constructor({ problem, cause }: { problem: string; cause?: unknown }) {
    super(`The image cannot be read: ${problem}.`, {
      check: "size",
      hint: "Pass a Uint8Array, a stream of Uint8Array, or an object with `size` and `read(offset, length)`.",
      docs: "docs/errors.md#image-source",
      cause,
    })
    this.problem = problem
  }
}

/** The image was different when it was read a second time. */
export class ImageChangedError extends ImageError {
  override name = "ImageChangedError" as const
  override readonly code = "IMAGE_CHANGED"

  constructor() {
    super("The image changed while it was checked.", {
      check: "imageDigest",
      hint: "Check a file that nobody writes to.",
      docs: "docs/errors.md#image-changed",
    })
  }
}

/** A field of an MCUboot header, or of the header of a TLV area, has an impossible value. */
export class McubootHeaderError extends ImageError {
  override name = "McubootHeaderError" as const
  override readonly code = "MCUBOOT_HEADER"
  readonly field: string
  readonly expected: string
  readonly found: string

  constructor({ field, expected, found }: { field: string; expected: string; found: string }) {
    super(`MCUboot ${field} should be ${expected}; found ${found}.`, {
      check: "format",
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#mcuboot-header",
    })
    this.field = field
    this.expected = expected
    this.found = found
  }
}

/** The image is encrypted: its signature covers the plain text, which only the device can make. */
export class ImageEncryptedError extends ImageError {
  override name = "ImageEncryptedError" as const
  override readonly code = "IMAGE_ENCRYPTED"

  constructor() {
    super("The image is encrypted.", {
      check: "format",
      hint: "Check the image before it is encrypted.",
      docs: "docs/errors.md#image-encrypted",
    })
  }
}

/** A TLV says that it is longer than its area. */
export class TlvOverflowError extends ImageError {
  override name = "TlvOverflowError" as const
  override readonly code = "TLV_OVERFLOW"
  readonly offset: number
  readonly needed: number
  readonly left: number

  constructor({ offset, needed, left }: { offset: number; needed: number; left: number }) {
    super(`The TLV at byte ${offset} needs ${needed} bytes; its area has ${left} left.`, {
      check: "format",
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#tlv-overflow",
    })
    this.offset = offset
    this.needed = needed
    this.left = left
  }
}

/** A TLV that may occur once occurs twice, or two that exclude each other are there. */
export class TlvDuplicateError extends ImageError {
  override name = "TlvDuplicateError" as const
  override readonly code = "TLV_DUPLICATE"
  readonly type: number

  constructor({ type }: { type: number }) {
    super(`The image has more than one TLV of the kind of 0x${type.toString(16)}.`, {
      check: "format",
      hint: "Sign the image once.",
      docs: "docs/errors.md#tlv-duplicate",
    })
    this.type = type
  }
}

/** A TLV stands in an area where it has no business, or its type is unknown there. */
export class TlvMisplacedError extends ImageError {
  override name = "TlvMisplacedError" as const
  override readonly code = "TLV_MISPLACED"
  readonly type: number
  readonly area: "protected" | "unprotected"

  constructor({ type, area }: { type: number; area: "protected" | "unprotected" }) {
    super(`A TLV of type 0x${type.toString(16)} must not be in the ${area} area.`, {
      check: "format",
      hint: "Put what the signature must cover in the protected area.",
      docs: "docs/errors.md#tlv-misplaced",
    })
    this.type = type
    this.area = area
  }
}

/** A TLV has another length than its type demands. */
export class TlvLengthError extends ImageError {
  override name = "TlvLengthError" as const
  override readonly code = "TLV_LENGTH"
  readonly type: number
  readonly expected: string
  readonly found: number

  constructor({ type, expected, found }: { type: number; expected: string; found: number }) {
    super(`A TLV of type 0x${type.toString(16)} has ${expected} bytes; found ${found}.`, {
      check: "format",
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#tlv-length",
    })
    this.type = type
    this.expected = expected
    this.found = found
  }
}

/** An MCUboot image without a hash of itself. */
export class ImageHashMissingError extends ImageError {
  override name = "ImageHashMissingError" as const
  override readonly code = "IMAGE_HASH_MISSING"

  constructor() {
    super("The image holds no SHA-256, SHA-384 or SHA-512 of itself.", {
      check: "imageDigest",
      hint: "Make it with `imgtool sign`.",
      docs: "docs/errors.md#image-hash-missing",
    })
  }
}

/** The image's bytes are not those that its hash, or its manifest, was made for. */
export class ImageDigestMismatchError extends ImageError {
  override name = "ImageDigestMismatchError" as const
  override readonly code = "IMAGE_DIGEST_MISMATCH"
  readonly what: string
  readonly expected: string
  readonly found: string

  constructor({ what, expected, found }: { what: string; expected: string; found: string }) {
    super(`${what} should be ${expected}; the bytes give ${found}.`, {
      check: "imageDigest",
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#image-digest-mismatch",
    })
    this.what = what
    this.expected = expected
    this.found = found
  }
}

/** Behind the image there are bytes that nothing covers and that are no padding. */
export class ImageTrailingDataError extends ImageError {
  override name = "ImageTrailingDataError" as const
  override readonly code = "IMAGE_TRAILING_DATA"
  readonly offset: number

  constructor({ offset }: { offset: number }) {
    super(`Byte ${offset} lies behind the image and is neither padding nor a slot's trailer.`, {
      check: "padding",
      hint: "Behind an image there may be erased flash (0xff or 0x00) and MCUboot's trailer, nothing else.",
      docs: "docs/errors.md#image-trailing-data",
    })
    this.offset = offset
  }
}

/** The image or its manifest names a hash or signature algorithm that is unknown, or does not go with the rest. */
export class ImageAlgorithmError extends ImageError {
  override name = "ImageAlgorithmError" as const
  override readonly code = "IMAGE_ALGORITHM"
  readonly algorithm: string

  constructor({ algorithm, problem }: { algorithm: string; problem: string }) {
    super(`Algorithm ${algorithm}: ${problem}.`, {
      check: "algorithm",
      hint: "Sign with ECDSA P-256 or P-384, RSA-2048 or -3072 PSS, or Ed25519.",
      docs: "docs/errors.md#image-algorithm",
    })
    this.algorithm = algorithm
  }
}

/** Bytes that should be a SUIT envelope or manifest and are none. */
export class SuitMalformedError extends ImageError {
  override name = "SuitMalformedError" as const
  override readonly code = "SUIT_MALFORMED"
  readonly problem: string

  constructor({ problem, cause }: { problem: string; cause?: unknown }) {
    super(`Malformed SUIT envelope: ${problem}.`, {
      check: "manifest",
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#suit-malformed",
      cause,
    })
    this.problem = problem
  }
}

/** A SUIT envelope that is in order but asks for something that this library does not do. */
export class SuitUnsupportedError extends ImageError {
  override name = "SuitUnsupportedError" as const
  override readonly code = "SUIT_UNSUPPORTED"
  readonly feature: string

  constructor({ feature }: { feature: string }) {
    super(`This SUIT manifest uses ${feature}, which is not supported.`, {
      check: "manifest",
      hint: "Supported: manifest version 1, component digests by override-parameters, no nested dependencies.",
      docs: "docs/errors.md#suit-unsupported",
    })
    this.feature = feature
  }
}

/** The manifest or a severed part of the envelope is not what its digest was made for. */
export class SuitDigestMismatchError extends ImageError {
  override name = "SuitDigestMismatchError" as const
  override readonly code = "SUIT_DIGEST_MISMATCH"
  readonly element: string

  constructor({ element }: { element: string }) {
    super(`The digest of the envelope's ${element} is wrong.`, {
      check: "manifest",
      hint: FETCH_AGAIN,
      docs: "docs/errors.md#suit-digest-mismatch",
    })
    this.element = element
  }
}

/** A manifest's component and the files given for it do not go together. */
export class SuitComponentError extends ImageError {
  override name = "SuitComponentError" as const
  override readonly code = "SUIT_COMPONENT"
  readonly problem: string

  constructor({ problem }: { problem: string }) {
    super(`${problem}.`, {
      check: "imageDigest",
      hint: "Give one file for each component of the manifest, those of the same release.",
      docs: "docs/errors.md#suit-component",
    })
    this.problem = problem
  }
}

/** A detached signature that is in none of the known forms. */
export class DetachedSignatureError extends ImageError {
  override name = "DetachedSignatureError" as const
  override readonly code = "DETACHED_SIGNATURE"
  readonly length: number

  constructor({ length }: { length: number }) {
    super(`A file of ${length} bytes is no signature.`, {
      check: "signature",
      hint: "Give the file that `openssl dgst -sign` or `openssl pkeyutl -sign` wrote, in binary.",
      docs: "docs/errors.md#detached-signature",
    })
    this.length = length
  }
}

/** The parent of every error about releases: their preparation, signing and publication. */
export class ReleaseError extends FleetrootError {
  override name = "ReleaseError"
  override readonly code: string = "RELEASE"
}

/** A field of a release has a value that the ledger would refuse. */
export class ReleaseFieldError extends ReleaseError {
  override name = "ReleaseFieldError" as const
  override readonly code = "RELEASE_FIELD"
  readonly field: string
  readonly expected: string
  readonly found: string

  constructor({ field, expected, found }: { field: string; expected: string; found: string }) {
    super(`The release's ${field} should be ${expected}; found ${found}.`, {
      hint: "Correct the field and prepare the release again.",
      docs: "docs/errors.md#release-field",
    })
    this.field = field
    this.expected = expected
    this.found = found
  }
}

/** A file that should be a release on its way between signers and is none. */
export class ReleaseFileError extends ReleaseError {
  override name = "ReleaseFileError" as const
  override readonly code = "RELEASE_FILE"
  readonly field: string

  constructor({ field, expected, found }: { field: string; expected: string; found: string }) {
    super(`Release file: ${field} should be ${expected}; found ${found}.`, {
      hint: "Do not edit the file by hand; prepare the release again.",
      docs: "docs/errors.md#release-file",
    })
    this.field = field
  }
}

/** The release is for another chain, registry or manufacturer. */
export class ReleaseForeignError extends ReleaseError {
  override name = "ReleaseForeignError" as const
  override readonly code = "RELEASE_FOREIGN"
  readonly expected: string
  readonly found: string

  constructor({ expected, found }: { expected: string; found: string }) {
    super(`The release was prepared for ${found}, not for ${expected}.`, {
      hint: "Use the deployment that it was prepared with; a signature counts on one ledger only.",
      docs: "docs/errors.md#release-foreign",
    })
    this.expected = expected
    this.found = found
  }
}

/** A signature in the release is not the key's over this very release. */
export class ReleaseSignatureInvalidError extends ReleaseError {
  override name = "ReleaseSignatureInvalidError" as const
  override readonly code = "RELEASE_SIGNATURE_INVALID"
  readonly keyId: string

  constructor({ keyId }: { keyId: string }) {
    super(`The signature of key ${keyId} does not belong to this release.`, {
      hint: "The release was changed after it was signed: prepare it again and let everybody sign again.",
      docs: "docs/errors.md#release-signature-invalid",
    })
    this.keyId = keyId
  }
}

/** A key that cannot sign releases for the ledger. */
export class ReleaseSignerError extends ReleaseError {
  override name = "ReleaseSignerError" as const
  override readonly code = "RELEASE_SIGNER"
  readonly keyId: string
  readonly problem: string

  constructor({ keyId, problem }: { keyId: string; problem: string }) {
    super(`Key ${keyId} cannot sign this release: ${problem}.`, {
      hint: "Sign with a current P-256 firmware key of the manufacturer (`fleetroot key list`).",
      docs: "docs/errors.md#release-signer",
    })
    this.keyId = keyId
    this.problem = problem
  }
}

/** Fewer signatures than the manufacturer's threshold, or more than a release can carry. */
export class ReleaseSignaturesCountError extends ReleaseError {
  override name = "ReleaseSignaturesCountError" as const
  override readonly code = "RELEASE_SIGNATURES_COUNT"
  readonly count: number
  readonly needed: number

  constructor({ count, needed, maximum }: { count: number; needed: number; maximum: number }) {
    super(`The release has ${count} signatures; it needs ${needed} and can carry ${maximum}.`, {
      hint: count < needed ? "Have another signer run `fleetroot firmware sign`." : "Take the surplus signatures out.",
      docs: "docs/errors.md#release-signatures-count",
    })
    this.count = count
    this.needed = needed
  }
}

/** The security version or the image has another release already, or a version that must not be given. */
export class ReleaseConflictError extends ReleaseError {
  override name = "ReleaseConflictError" as const
  override readonly code = "RELEASE_CONFLICT"
  readonly problem: string

  constructor({ problem }: { problem: string }) {
    super(`The release cannot be published: ${problem}.`, {
      hint: "Security versions rise by 1 to 1,024 with each release; an image is released once.",
      docs: "docs/errors.md#release-conflict",
    })
    this.problem = problem
  }
}

/** There is no such release. */
export class ReleaseUnknownError extends ReleaseError {
  override name = "ReleaseUnknownError" as const
  override readonly code = "RELEASE_UNKNOWN"
  readonly securityVersion: number

  constructor({ product, securityVersion }: { product: string; securityVersion: number }) {
    super(`There is no release ${securityVersion} of product ${product}.`, {
      hint: "List them with `fleetroot firmware list`.",
      docs: "docs/errors.md#release-unknown",
    })
    this.securityVersion = securityVersion
  }
}

/** The deployment has no firmware registry. */
export class FirmwareRegistryMissingError extends ReleaseError {
  override name = "FirmwareRegistryMissingError" as const
  override readonly code = "FIRMWARE_REGISTRY_MISSING"

  constructor() {
    super("The deployment names no firmware registry.", {
      hint: "Use a deployment file that has `contracts.firmware`.",
      docs: "docs/errors.md#firmware-registry-missing",
    })
  }
}
