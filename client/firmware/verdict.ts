import type { Hex } from "../crypto/hex.ts"
import type { ImageCheck } from "../errors/firmware.ts"
import type { Evidence, Finality } from "../ledger/ledger.ts"

/** How an image is signed and what it is made of. */
export type FirmwareFormat = "mcuboot" | "suit" | "detached"

/**
 * What is checked. Of the image: `format`, `size`, `padding`, `algorithm`, `manifest`, `imageDigest`, `signature`. Of the signer:
 * `signerKey` (on the ledger, of this manufacturer), `signerPurpose` (firmware), `signerStanding` (window, retirement,
 * compromise). Of the ledger: `manufacturer`, `published`, `final`, `recall`, `releaseSignatures`, `securityVersion` (the
 * image's own counter is the release's), `minimum`, `rollback`.
 */
export type FirmwareCheckName =
  | ImageCheck
  | "signerKey"
  | "signerPurpose"
  | "signerStanding"
  | "manufacturer"
  | "published"
  | "final"
  | "recall"
  | "releaseSignatures"
  | "securityVersion"
  | "minimum"
  | "rollback"

/** One check and its result. */
export type FirmwareCheck = {
  readonly name: FirmwareCheckName
  readonly ok: boolean
  /** One sentence for a person. */
  readonly detail: string
}

/** A release, for people. */
export type VerdictRelease = {
  readonly securityVersion: number
  /** Null where the ledger's events do not tell. */
  readonly version: string | null
  readonly uri: string | null
  readonly imageDigest: Hex
  readonly manifestDigest: Hex | null
  readonly releasedAt: Date
  readonly recalledAt: Date | null
  readonly threshold: number
  /** Indices of the keys that signed it. */
  readonly signers: readonly number[]
  /** Whether nothing with a higher security version was released since. */
  readonly latest: boolean
}

/** The answer about an image. Only `installable` is a yes, and only if every check that the case needs was made and held. */
export type FirmwareVerdict = {
  readonly installable: boolean
  /** Null if the image is in no format that could be read. */
  readonly format: FirmwareFormat | null
  /** How the ledger knows the image: docs/formats.md says for each format which bytes it covers. */
  readonly imageDigest: Hex | null
  /** SHA-256 of the SUIT manifest. */
  readonly manifestDigest: Hex | null
  /** The security version that the image claims for itself; null if it claims none. */
  readonly securityVersion: number | null
  /** The key that signed the image itself; null if none on the ledger did. */
  readonly keyId: Hex | null
  readonly checks: readonly FirmwareCheck[]
  readonly release: VerdictRelease | null
  /** Whether a good signature was accepted in place of a release, because the caller asked for it. */
  readonly unpublished: boolean
  readonly manufacturer: { readonly id: number; readonly name: string } | null
  readonly block: {
    readonly number: number
    readonly hash: Hex
    readonly timestamp: Date
    readonly finality: Finality
  }
  /** How old that block was. */
  readonly staleSeconds: number
  readonly evidence: readonly Evidence[]
}
