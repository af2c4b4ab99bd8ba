import type {
  Certificate,
  Deployment,
  FleetState,
  Hex,
  KeySigner,
  ReceiptSource,
  CheckOptions,
  Verifier,
} from "../../client/index.ts"
import type { Sequencer } from "../sequencer/sequencer.ts"
import type { EnrolmentStore } from "../store/enrolmentStore.ts"
import type { ChannelLinking } from "./linking.ts"

/** An issuer as EST clients reach it: `/.well-known/est/` for the label "", `/.well-known/est/LABEL/` for others. RFC 7030, 3.2.2. */
export type EstLabel = {
  /** Letters, digits, - and _; "" for the one without a name. */
  readonly label: string
  /** The CA whose name stands in the certificates. */
  readonly certificate: Certificate
  /** DER of further certificates for `cacerts`: those above the CA. Default: none. */
  readonly chain?: readonly Uint8Array[]
  /** The CA's key, of P-256: the one that the sequencer has. */
  readonly signer: KeySigner
  readonly sequencer: Sequencer
  /** How long certificates live, in seconds. Default: 90 days; never longer than the CA and its key on the ledger. */
  readonly validitySeconds?: number
  /** Purposes of the certificates, as dotted OIDs. Default: id-kp-clientAuth. */
  readonly purposes?: readonly string[]
  /** URL of the OCSP responder that goes into certificates. */
  readonly aiaOcsp?: string
  /** URL of the CA's certificate. */
  readonly aiaIssuers?: string
  readonly crlUrl?: string
  /** Whether who has a token may choose alternative names. Default: no. */
  readonly alternativeNames?: boolean
  /** Manufacturers whose devices may enrol with the certificates that they were made with. Default: the issuer's own. */
  readonly manufacturers?: readonly number[]
  /** Whether the server makes keys for devices that cannot. Default: yes. */
  readonly serverKeys?: boolean
  /**
   * Secrets of 16 or 32 octets that devices have, too, by the names (in hex) that they call them by: such a device may have a key that
   * the server makes encrypted with one. Default: none.
   */
  readonly sharedSecrets?: ReadonlyMap<Hex, Uint8Array>
  /**
   * Whether certificates let a key be encrypted for their own: keyAgreement for keys on a curve, keyEncipherment for RSA. Default: no,
   * their keys sign only.
   */
  readonly keyEncryption?: boolean
  /** How requests are linked to the TLS connection that they come in. Default: checked. */
  readonly channelLinking?: ChannelLinking
}

/** What happened, for metrics and logs. It names no device and nobody who asked. */
export type EstEvent = {
  /** `cacerts`, `simpleenroll`, … */
  readonly operation: string
  readonly label: string
  /** The HTTP status. */
  readonly status: number
  /** The error's code, or `revokedLineage`, … */
  readonly why?: string
  readonly error?: unknown
}

export type EstContext = {
  readonly labels: readonly EstLabel[]
  readonly store: EnrolmentStore
  /** The ledger in memory: a `Replica` that is kept up to date. */
  readonly replica: { readonly deployment: Deployment; readonly head: FleetState; readonly settled: FleetState }
  /**
   * Judges client certificates, over the replica. Its `registrationFinality` says how soon a certificate that was just issued may be
   * used here.
   */
  readonly verifier: Verifier
  /** Receipts of certificates that were not issued here. Default: none. */
  readonly receipts?: ReceiptSource
  /** The index of checked manifests, for the same. Default: none. */
  readonly places?: NonNullable<CheckOptions["places"]>
  /** Oldest newest block that anything may be issued upon, in seconds. Default: 120. */
  readonly maxAgeSeconds?: number
  /** How long a request waits for its certificate before it gets 202, in milliseconds. Default: 10,000. */
  readonly holdMs?: number
  /** What 202 and 503 say in Retry-After, in seconds. Default: 2. */
  readonly retryAfterSeconds?: number
  /** A request that was made again this soon gets the certificate that was made for it; later a new one. In seconds. Default: 86,400. */
  readonly repeatSeconds?: number
  /** Most new certificates that one client certificate gets in an hour. Default: 20. */
  readonly perDeviceAndHour?: number
  /** The clock. Default: the platform's. */
  readonly now?: () => Date
  /** Told of every answer. Default: nobody. */
  readonly report?: (event: EstEvent) => void
}

export const DEFAULTS = {
  validitySeconds: 90 * 86_400,
  purposes: ["1.3.6.1.5.5.7.3.2"],
  holdMs: 10_000,
  retryAfterSeconds: 2,
  repeatSeconds: 86_400,
  perDeviceAndHour: 20,
} as const

/** Whole Unix seconds of the clock. */
export function secondsNow({ now }: Pick<EstContext, "now">): number {
  return Math.floor((now?.() ?? new Date()).getTime() / 1000)
}
