import type { Hex, KeySigner, Ledger, ManufacturerClient } from "../../client/index.ts"
import type { EnrolmentClaim, EnrolmentStore, SealedWindow, WindowPlace } from "../store/enrolmentStore.ts"

/** How far a window or a request came; for logs, metrics and tests. */
export type SequencerStep =
  | "reserved"
  | "claimed"
  | "signed"
  | "sealed"
  | "anchoring"
  | "inBlock"
  | "recorded"
  | "handedOut"
  | "final"
  | "superseded"

/** What happened, for metrics and logs. It names no device. */
export type SequencerEvent =
  | { readonly kind: "step"; readonly step: SequencerStep; readonly count: number }
  /** Something failed and is tried again. */
  | { readonly kind: "retry"; readonly what: "anchor" | "watch" | "supersede" | "store"; readonly error: unknown }
  /** A batch with issued certificates can never be registered: its series is another batch's. Needs a person. */
  | { readonly kind: "lost"; readonly window: WindowPlace; readonly error: unknown }

export type SequencerContext = {
  readonly store: EnrolmentStore
  /** The ledger as nodes tell it now. Not a replica: that one learns of a batch a little later. */
  readonly ledger: Ledger
  /**
   * Who registers batches; each over a `LedgerWriter` of its own account with its own journal on disk, so that each has one
   * transaction under way at a time. Their accounts need the right REVOKE to mark what was superseded, and none to register.
   */
  readonly clients: readonly [ManufacturerClient, ...ManufacturerClient[]]
  readonly manufacturerId: number
  /** The issuer's key, of P-256: signs certificates and batches. */
  readonly signer: KeySigner
  /** The name of this gateway in the store; the same after a restart, and no other gateway's. Default: "gateway". */
  readonly owner?: string
  /** How long a window collects requests, in milliseconds. Default: 1,000. */
  readonly windowMs?: number
  /** Most certificates of a batch. Default: 10,000. */
  readonly windowSize?: number
  /** Requests in memory that wait for their certificates; more are refused. Default: 20,000. */
  readonly queueLimit?: number
  /** How final a batch must be before its certificates are handed out. Default: `latest`, in a block. */
  readonly finality?: "latest" | "finalized"
  /** How long a window stays this gateway's when it is not heard of, in seconds. Default: 60. */
  readonly leaseSeconds?: number
  /** How often the ledger is asked about batches that are not final yet, in milliseconds. Default: 4,000. */
  readonly watchMs?: number
  /** The clock. Default: the platform's. */
  readonly now?: () => Date
  /** Told of everything. Default: nobody. */
  readonly report?: (event: SequencerEvent) => void
}

/** A certificate to be issued. */
export type EnrolmentRequest = EnrolmentClaim & {
  /** Fingerprint of the certificate that it is to replace. */
  readonly replaces?: Hex
  /** Makes the certificate for its place. May be called more than once; only one of the results is ever issued. */
  make(serial: Uint8Array): Promise<Uint8Array>
}

/** `elsewhere`: another gateway has the same request under way; ask the store later. */
export type EnrolmentOutcome =
  { readonly state: "anchored"; readonly der: Uint8Array; readonly fingerprint: Hex } | { readonly state: "elsewhere" }

/** Settings with their defaults, as the parts of the sequencer share them. */
export type Settings = Required<SequencerContext>

export function settingsOf(context: SequencerContext): Settings {
  return {
    owner: "gateway",
    windowMs: 1_000,
    windowSize: 10_000,
    queueLimit: 20_000,
    finality: "latest",
    leaseSeconds: 60,
    watchMs: 4_000,
    now: () => new Date(),
    report: () => undefined,
    ...context,
  }
}

/** Whole Unix seconds of the sequencer's clock. */
export function secondsNow({ now }: Pick<Settings, "now">): number {
  return Math.floor(now().getTime() / 1000)
}

/** Whether a window's certificates may be handed out. */
export function isAnchored(window: SealedWindow, finality: Settings["finality"]): boolean {
  return window.state === "final" || (window.state === "mined" && finality === "latest")
}
