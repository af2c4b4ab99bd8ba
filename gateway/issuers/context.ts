import type { Deployment, FleetChange, FleetState } from "../../client/index.ts"
import type { SerialMap } from "../store/serialMap.ts"
import type { PlaceFinder } from "./placeFinder.ts"
import type { Issuer } from "./issuer.ts"

/** Where the gateway reads the ledger: a `Replica` that is kept up to date. */
export interface FleetSource {
  readonly deployment: Deployment
  /** The newest block. @throws the replica's fault while it refuses to answer. */
  readonly head: FleetState
  /** The newest final block. @throws like `head`. */
  readonly settled: FleetState
  /** Called after each sync that changed something; gives the function that ends it. */
  onChange(listener: (changes: readonly FleetChange[]) => void): () => void
}

/** What happened, for metrics and logs. It names no certificate and nobody who asked. */
export type RevocationEvent = {
  readonly door: "ocsp" | "crl" | "mqtt"
  /** `good`, `revoked`, … of OCSP answers, `cached` for those that cost no signature, a failure's name, `published` of CRLs. */
  readonly outcome: string
  readonly error?: unknown
}

/** What OCSP and CRLs are made from. */
export type RevocationContext = {
  readonly replica: FleetSource
  readonly issuers: readonly Issuer[]
  /** Certificates whose serials are no positions. Default: none. */
  readonly serials?: SerialMap
  /** Where certificates stand that were imported without their places. Default: nobody knows. */
  readonly places?: PlaceFinder | undefined
  /** The clock. Default: the platform's. */
  readonly now?: () => Date
  /** Oldest newest block that an answer may be made from, in seconds. Default: 120. */
  readonly maxAgeSeconds?: number
  /** Told of everything. Default: nobody. */
  readonly report?: (event: RevocationEvent) => void
}

/** Default of `maxAgeSeconds`: the verifiers' own. */
export const MAX_AGE_SECONDS = 120
