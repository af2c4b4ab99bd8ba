import type { Hex } from "../../client/index.ts"

/** A batch in the making belongs to one manufacturer and one series, for ever. */
export type WindowPlace = { readonly manufacturerId: number; readonly series: number }

/**
 * How far a batch is. `open`: its series is taken, nothing is issued. `sealed`: its certificates are written and its root is fixed;
 * nobody has one yet. `mined`: it is in a block. `displaced`: a reorganisation took that block away, after certificates may have been
 * handed out; it is to be registered again. `final`: its block stays.
 */
export type WindowState = "open" | "sealed" | "mined" | "displaced" | "final"

/** A batch whose certificates are written. */
export type SealedWindow = WindowPlace & {
  readonly state: Exclude<WindowState, "open">
  readonly issuerKeyId: Hex
  readonly root: Hex
  readonly size: number
  /** When the last of its certificates ends, in Unix seconds. */
  readonly notAfter: number
}

/** A certificate as it was issued, with what it was issued for. */
export type IssuedCertificate = {
  /** Who asked for what: the same question has the same id. */
  readonly requestId: Hex
  readonly index: number
  /** SHA-256 of `der`. */
  readonly fingerprint: Hex
  readonly credentialHash: Hex
  readonly der: Uint8Array
  /** Unix seconds. */
  readonly issuedAt: number
  /** Fingerprint of the certificate that this one is to replace; undefined for a first enrolment. */
  readonly replaces: Hex | undefined
}

/** A certificate as it is written; the id of its device's key is what a mark may name. */
export type SealedCertificate = IssuedCertificate & { readonly deviceKeyId: Hex }

/** Where an issued certificate stands. */
export type EnrolmentPlace = WindowPlace & { readonly index: number; readonly root: Hex }

/** An issued certificate and the batch that holds it. */
export type Enrolment = IssuedCertificate & {
  readonly window: SealedWindow
  /** When it was first seen in use, in Unix seconds. */
  readonly usedAt: number | undefined
  /** Since when it has been replaced by one that was used, in Unix seconds, whether or not the ledger knows yet. */
  readonly supersededAt: number | undefined
}

/** What a request wants to have for itself. */
export type EnrolmentClaim = {
  readonly requestId: Hex
  /** Hashes of the names in the certificate to be. */
  readonly names: readonly Hex[]
  /** Whether the requester proved to be the one that these names belong to. */
  readonly ownsNames: boolean
  /** The one-time token that it uses up, by its hash, and the request that a token may be used for again: this one, as it first came. */
  readonly token?: { readonly hash: Hex; readonly requestId: Hex }
}

/**
 * `claimed`: it is this window's. `elsewhere`: another window has it, or had it. `nameTaken`: a name is another device's. `tokenUsed`:
 * its token was used for another request.
 */
export type ClaimOutcome = "claimed" | "elsewhere" | "nameTaken" | "tokenUsed"

/** A one-time password. Only its hash is kept. */
export type EnrolmentToken = {
  /** SHA-256 of the token's text. */
  readonly hash: Hex
  /** The EST label that it is for; "" for the one without a name. */
  readonly label: string
  /** The subject that it is for, as `readSubject` writes it; undefined: any that is nobody's. */
  readonly subject: string | undefined
  /** Unix seconds, inclusive. */
  readonly expiresAt: number
}

/** A certificate to be revoked on the ledger, because its successor is in use. */
export type Supersession = WindowPlace & {
  readonly fingerprint: Hex
  readonly credentialHash: Hex
  readonly index: number
}

export type OpenWindowParameters = {
  readonly manufacturerId: number
  readonly issuerKeyId: Hex
  /** The gateway that works on it. */
  readonly owner: string
  /** Until when nobody else may take it over, in Unix seconds. */
  readonly leaseUntil: number
  /** The first series that the ledger has free. */
  readonly firstSeries: number
}

export type SealParameters = WindowPlace & {
  readonly owner: string
  readonly root: Hex
  readonly notAfter: number
  /** In the order of their indices, without a gap. */
  readonly certificates: readonly SealedCertificate[]
}

/**
 * What enrolment remembers of one deployment. Every method is one transaction: it takes effect wholly and durably, or not at all.
 * Several gateways may work on one store at the same time.
 *
 * @throws EnrolmentStoreError, all of them.
 */
export interface EnrolmentStore {
  /** Takes a series that nobody took before. */
  openWindow(parameters: OpenWindowParameters): Promise<number>
  /** Takes requests for an open window, and uses up their tokens; what another one has is left with it. */
  claim(place: WindowPlace, claims: readonly EnrolmentClaim[]): Promise<ClaimOutcome[]>
  /** Writes an open window's certificates and fixes its root. False if the window is not the owner's any more: then nothing was written. */
  seal(parameters: SealParameters): Promise<boolean>
  /**
   * Forgets a window of which nothing was handed out, with all that was claimed for it; its series is never used again. False if it
   * is not in the state that the caller takes it to be in: then nothing was done.
   */
  abandon(place: WindowPlace, from: "open" | "sealed"): Promise<boolean>
  /** From `sealed` or `displaced` to `mined`, from there to `final`, or to `displaced`; what is final stays so. */
  setState(place: WindowPlace, state: SealedWindow["state"]): Promise<void>
  /** Keeps what the owner works on. */
  renewLease(owner: string, leaseUntil: number): Promise<void>
  /**
   * Makes the owner's own what others left behind (their lease ended before `now`), abandons open windows that nobody works on,
   * and gives all windows of the owner that are not final. `restarted`: the owner's own open windows are left behind too.
   */
  takeOver(parameters: {
    readonly owner: string
    readonly issuerKeyId: Hex
    readonly now: number
    readonly leaseUntil: number
    readonly restarted: boolean
  }): Promise<SealedWindow[]>

  /** What was issued for a request. */
  byRequest(requestId: Hex): Promise<Enrolment | undefined>
  /** Whether a window that is still open has the request. */
  isClaimed(requestId: Hex): Promise<boolean>
  byFingerprint(fingerprint: Hex): Promise<Enrolment | undefined>
  byCredential(credentialHash: Hex): Promise<Enrolment | undefined>
  /** Where the certificates stand that a mark of this subject bars: that with this credential hash, those of the key with this id. */
  placesOf(subject: Hex): Promise<EnrolmentPlace[]>
  /** Credential hashes of a window in order, one behind the other. */
  credentialHashes(place: WindowPlace): Promise<Uint8Array>

  addToken(token: EnrolmentToken): Promise<void>
  token(hash: Hex): Promise<EnrolmentToken | undefined>

  /** Remembers a certificate that was not issued here and will be replaced by one that is. */
  addPredecessor(certificate: Supersession): Promise<void>
  /**
   * Notes that a certificate is in use. The first time, what it replaces is superseded: the certificate before it, and those of its
   * siblings that nobody used. False if it has itself been superseded.
   */
  noteUsed(fingerprint: Hex, now: number): Promise<boolean>
  /** Superseded certificates that the ledger does not know of yet. */
  supersessions(manufacturerId: number, limit: number): Promise<Supersession[]>
  supersessionsDone(fingerprints: readonly Hex[]): Promise<void>
  close(): Promise<void>
}
