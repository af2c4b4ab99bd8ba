import type { Hex } from "../crypto/hex.ts"
import type { Deployment } from "./deployment.ts"

/** How sure it is that a block stays. */
export type Finality = "latest" | "safe" | "finalized"

/** The block at which an answer was read. Times are Unix seconds. */
export type Block = {
  readonly number: number
  readonly hash: Hex
  readonly timestamp: number
  readonly finality: Finality
}

/** Where an answer's trust comes from. */
export type Evidence = {
  /** `singleNode`: one node was believed. */
  readonly kind: string
  readonly detail: string
}

export type ManufacturerStatus = "active" | "suspended" | "left"

/** A manufacturer as it stood at a block. */
export type Manufacturer = {
  readonly id: number
  readonly name: string
  readonly metadataURI: string
  readonly controller: Hex
  readonly pendingController: Hex | undefined
  readonly proposedController: Hex | undefined
  /** From when the proposed controller may be put in place; undefined without a proposal. */
  readonly replacementAt: number | undefined
  readonly status: ManufacturerStatus
  readonly statusSince: number
  /** When a suspension lapses; undefined if it does not. */
  readonly suspendedUntil: number | undefined
  readonly keyCount: number
}

export type KeyPurpose = "issuer" | "openIssuer" | "firmware"

/** A manufacturer's public key at a block. */
export type LedgerKey = {
  readonly manufacturerId: number
  readonly index: number
  /** SHA-256 of the DER SubjectPublicKeyInfo. */
  readonly keyId: Hex
  readonly purpose: KeyPurpose
  /** Whether the contract checked possession (P-256). Of other keys, `spki` was checked by this client. */
  readonly proven: boolean
  readonly registeredAt: number
  readonly notBefore: number
  readonly notAfter: number
  readonly revokedAt: number | undefined
  readonly compromisedSince: number | undefined
  /** DER SubjectPublicKeyInfo, checked against `keyId`. */
  readonly spki: Uint8Array
}

/** The rights of an operator's account as the contract's bits, and until when (exclusive, Unix seconds). */
export type OperatorGrant = { readonly rights: number; readonly until: number }

export type Mark = "none" | "held" | "revoked"

/** A registered batch at a block. */
export type Batch = {
  readonly manufacturerId: number
  readonly series: number
  readonly root: Hex
  readonly size: number
  readonly keyIndex: number
  readonly registeredAt: number
  readonly notAfter: number
  readonly mark: Mark
  /** Whether the issuer key itself authorised the batch. */
  readonly byKey: boolean
  readonly rawPublicKeys: boolean
  readonly revokedCount: number
  readonly changedAt: number
  /** RFC 5280 CRLReason of `mark`. */
  readonly reason: number
}

/** What the ledger holds about one subject (a credential hash or a device key id) at a block. */
export type CredentialRecord = {
  readonly manufacturerId: number
  readonly subject: Hex
  /** When the credential was registered by itself; undefined if it was not. */
  readonly registeredAt: number | undefined
  readonly notAfter: number | undefined
  readonly keyIndex: number
  readonly mark: Mark
  readonly changedAt: number
  readonly reason: number
  readonly invalidityDate: number | undefined
}

/** When and why a status bit was set. */
export type BitRevocation = { readonly revokedAt: number; readonly reason: number }

/** A published firmware release at a block. */
export type Release = {
  readonly manufacturerId: number
  /** The product's name, 32 octets. */
  readonly product: Hex
  /** The anti-rollback counter, unique within the product, from 1. */
  readonly securityVersion: number
  readonly imageDigest: Hex
  /** SHA-256 of the update manifest; undefined if the release names none. */
  readonly manifestDigest: Hex | undefined
  readonly releasedAt: number
  readonly recalledAt: number | undefined
  /** How many signatures it needed. */
  readonly threshold: number
  /** Indices of the firmware keys that signed it, ascending. */
  readonly signers: readonly number[]
}

/** The texts of a release, which only its event holds. */
export type ReleaseTexts = { readonly version: string; readonly uri: string }

/** How many signatures a manufacturer's releases need. */
export type ReleaseThreshold = {
  readonly current: number
  /** A lower threshold that is not due yet. */
  readonly pending: { readonly threshold: number; readonly from: number } | undefined
}

/** The head of a manufacturer's log in one registry. */
export type LogHead = { readonly head: Hex; readonly length: number }

/** Which registry a log belongs to. */
export type LoggedContract = "manufacturers" | "devices" | "firmware"

/**
 * Everything that a verdict needs, read at one block. Absence is `undefined`; an error means that no answer could be had.
 */
export interface LedgerView {
  readonly block: Block
  readonly evidence: Evidence
  /** Views of heads beyond this one that one endpoint alone tells of: bad news from there makes good doubtful, nothing else counts. */
  readonly unconfirmed?: readonly LedgerView[]
  manufacturer(manufacturerId: number): Promise<Manufacturer | undefined>
  /** What an account may do for a manufacturer as its operator; undefined if nothing. The controller may do everything. */
  operator(manufacturerId: number, account: Hex): Promise<OperatorGrant | undefined>
  key(manufacturerId: number, keyIndex: number): Promise<LedgerKey | undefined>
  /**
   * The keys that have this key id and that somebody proved possession of.
   * @throws KeyOwnerAmbiguousError when two manufacturers did.
   */
  keyById(keyId: Hex): Promise<LedgerKey | undefined>
  /** The keys that an authorityKeyIdentifier may mean: RFC 5280, 4.2.1.2, and RFC 7093. */
  keysByIdentifier(identifier: Hex): Promise<readonly LedgerKey[]>
  batch(manufacturerId: number, series: number): Promise<Batch | undefined>
  /** 256 status bits: bit i of word w is the device at 256 w + i. */
  word(manufacturerId: number, series: number, word: number): Promise<bigint>
  /** `count` status words from `firstWord` on. */
  words(manufacturerId: number, series: number, firstWord: number, count: number): Promise<readonly bigint[]>
  /** When the bit of a place was set; undefined if the ledger's events do not tell. */
  bitRevocation(manufacturerId: number, series: number, index: number): Promise<BitRevocation | undefined>
  record(manufacturerId: number, subject: Hex): Promise<CredentialRecord>
  logHead(contract: LoggedContract, manufacturerId: number): Promise<LogHead>
  /** The head over all logs of a registry: one word that commits to every entry of every manufacturer, in order. */
  globalLogHead(contract: LoggedContract): Promise<Hex>
  /** @throws FirmwareRegistryMissingError, as do all that follow, when the deployment has none. */
  release(manufacturerId: number, product: Hex, securityVersion: number): Promise<Release | undefined>
  releaseByImage(manufacturerId: number, product: Hex, imageDigest: Hex): Promise<Release | undefined>
  /** The release with the highest security version, recalled or not. */
  latestRelease(manufacturerId: number, product: Hex): Promise<Release | undefined>
  /** The oldest security version of a product that may be installed; 0 if none was set. */
  minimumSecurityVersion(manufacturerId: number, product: Hex): Promise<number>
  releaseThreshold(manufacturerId: number): Promise<ReleaseThreshold>
  /** What a release's event says of it; undefined if the ledger's events do not tell. For information only. */
  releaseTexts(release: Release): Promise<ReleaseTexts | undefined>
}

/** What an answer will probably rest on: known from a receipt or a serial number before anything is read. Only a hint. */
export type Interest = {
  readonly manufacturerId: number
  /** Series and index of a credential's place in a batch. */
  readonly place?: { readonly series: number; readonly index: number }
  /** Credential hashes and device key ids. */
  readonly subjects?: readonly Hex[]
  /** The index of the issuer's key. */
  readonly keyIndex?: number
}

/** The seam between what reads the ledger and what draws conclusions. */
export interface Ledger {
  readonly deployment: Deployment
  /** The newest block of this finality. */
  at(finality: Finality): Promise<LedgerView>
  /**
   * The newest block, and the newest one of this finality, as one picture: the first is never older than the second, and they are
   * one view when they are one block.
   *
   * @param interest What will be asked of them, for readers that can save a round trip by it.
   */
  heads(settled: Finality, interest?: Interest): Promise<{ readonly head: LedgerView; readonly settled: LedgerView }>
  /** The last block whose time is at or before `timestamp` (Unix seconds), provided that it is final. */
  atTime(timestamp: number): Promise<LedgerView>
}
