import { Counter, Gauge } from "prom-client"
import type { GaugeConfiguration } from "prom-client"
import type { Logger } from "pino"
import type { Certificate, LedgerKey, Replica } from "../client/index.ts"
import type { CrlBook } from "./crl/index.ts"
import type { Readiness } from "./http/health.ts"
import type { Metrics } from "./http/metrics.ts"
import type { RevocationEvent } from "./issuers/context.ts"
import type { ManifestHealth, ManifestShelf } from "./manifestShelf.ts"
import type { OpenIssuer } from "./openIssuers.ts"

export type Watched = {
  readonly replica: Replica
  readonly issuers: readonly OpenIssuer[]
  readonly maxAgeSeconds: number
  /** Whether this process has tried to read the ledger: what it found in its folder may be older than it need be. */
  readonly tried: () => boolean
}

/**
 * Whether the gateway answers from the ledger, and why not. A sync that failed is no reason as long as the block that is known is
 * young: the answers are right. It is told as a warning.
 */
export function readiness({ replica, issuers, maxAgeSeconds, tried }: Watched): Readiness {
  const { block, lagSeconds, fault, refusing, syncedAt, finalized } = replica.status
  const why: string[] = []
  if (refusing) why.push(`the ledger contradicts what was read: ${fault?.message ?? ""}`)
  else if (!tried()) why.push("the ledger is being read")
  else if (block === undefined)
    why.push(`the ledger was not read yet${fault === undefined ? "" : `: ${fault.message}`}`)
  else if (lagSeconds === undefined || lagSeconds > maxAgeSeconds) {
    const because = fault === undefined ? "" : `: ${fault.message}`
    why.push(`the newest block is ${lagSeconds} s old, older than ${maxAgeSeconds} s${because}`)
  }
  const warnings = why.length > 0 ? [] : [...issuerWarnings({ replica, issuers })]
  if (why.length === 0 && fault !== undefined) warnings.push(`the last sync failed: ${fault.message}`)
  return {
    ready: why.length === 0,
    why,
    warnings,
    block: block?.number ?? null,
    finalizedBlock: finalized?.number ?? null,
    lagSeconds: lagSeconds ?? null,
    syncedAt: syncedAt?.toISOString() ?? null,
  }
}

/**
 * Issuers that the ledger does not know, or knows as somebody else's: their devices are unknown to everybody. And those whose
 * devices nothing good is said of any more: their key is compromised, or what answers are checked by has ended.
 */
function* issuerWarnings({ replica, issuers }: Pick<Watched, "replica" | "issuers">): Generator<string> {
  const now = Date.now() / 1000
  for (const open of issuers) {
    const { issuer, config } = open
    const { notBefore, notAfter } = responderValidity(open)
    const why = now < notBefore ? "is not valid yet" : now > notAfter ? "has expired" : undefined
    if (why !== undefined)
      yield `issuer ${issuer.keyId}: its OCSP responder's certificate ${why}: nobody gets an answer`
    let key: LedgerKey | undefined
    try {
      key = replica.head.keyById(issuer.keyId)
    } catch (error) {
      yield `issuer ${issuer.keyId}: ${error instanceof Error ? error.message : String(error)}`
      continue
    }
    const owner = key?.manufacturerId
    if (key?.compromisedSince !== undefined) yield `issuer ${issuer.keyId} is compromised: all its devices are revoked`
    if (owner === undefined) yield `issuer ${issuer.keyId} is no key on the ledger: its devices are unknown`
    else if (config.manufacturer !== undefined && config.manufacturer !== owner) {
      yield `issuer ${issuer.keyId} is manufacturer ${owner}'s, not ${config.manufacturer}'s`
    }
  }
}

/** From when until when OCSP answers for an issuer are signed: what ends first of its certificate and its named responder's. */
function responderValidity({
  issuer: { certificate },
  responderCertificate,
}: OpenIssuer): Pick<Certificate, "notBefore" | "notAfter"> {
  const checkedBy = responderCertificate === undefined ? [certificate] : [certificate, responderCertificate]
  return {
    notBefore: Math.max(...checkedBy.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...checkedBy.map(({ notAfter }) => notAfter)),
  }
}

/** Until when there are OCSP answers: an alarm belongs on the seconds that are left. */
export function watchResponders({ registry }: Metrics, issuers: readonly OpenIssuer[]): void {
  addGauge(registry, {
    name: "fleetroot_ocsp_responder_seconds_left",
    help: "Until an issuer's certificate or its named OCSP responder's ends. Below 0 nobody gets an OCSP answer.",
    labelNames: ["issuer"],
    collect() {
      for (const open of issuers) {
        this.set({ issuer: open.issuer.keyId }, responderValidity(open).notAfter - Date.now() / 1000)
      }
    },
  })
}

/** Numbers about the replica, asked when somebody looks. */
export function watchReplica({ registry }: Metrics, watched: Watched): void {
  const { replica } = watched
  const gauge = (name: string, help: string, read: () => number | undefined): void => {
    addGauge(registry, {
      name: `fleetroot_replica_${name}`,
      help,
      collect() {
        const value = read()
        if (value === undefined) this.remove()
        else this.set(value)
      },
    })
  }
  gauge("block", "Newest block that is answered from.", () => replica.status.block?.number)
  gauge("finalized_block", "Newest final block.", () => replica.status.finalized?.number)
  gauge("lag_seconds", "Age of the newest block.", () => replica.status.lagSeconds)
  gauge("entries", "Entries of the ledger's logs.", () => replica.status.entries)
  gauge("synced_at_seconds", "When the logs were last found to be the ledger's.", () => {
    const at = replica.status.syncedAt
    return at === undefined ? undefined : at.getTime() / 1000
  })
  gauge("fault", "1 while the last sync failed.", () => (replica.status.fault === undefined ? 0 : 1))
  gauge("refusing", "1 while nothing is answered, for the ledger contradicts what was read.", () =>
    replica.status.refusing ? 1 : 0,
  )
  gauge("ready", "1 while the gateway answers from the ledger.", () => (readiness(watched).ready ? 1 : 0))
}

/** Numbers about the CRLs: an alarm belongs on the seconds that are left of them. */
export function watchCrls({ registry }: Metrics, book: CrlBook): void {
  const labelNames = ["issuer"]
  const now = (): number => Date.now() / 1000
  addGauge(registry, {
    name: "fleetroot_crl_entries",
    help: "Entries of an issuer's complete CRL.",
    labelNames,
    collect() {
      for (const { issuerKeyId, entries } of book.health()) this.set({ issuer: issuerKeyId }, entries)
    },
  })
  addGauge(registry, {
    name: "fleetroot_crl_this_update_age_seconds",
    help: "How old the newest CRL of an issuer is.",
    labelNames,
    collect() {
      for (const { issuerKeyId, thisUpdate } of book.health()) {
        if (thisUpdate !== undefined) this.set({ issuer: issuerKeyId }, now() - thisUpdate)
      }
    },
  })
  addGauge(registry, {
    name: "fleetroot_crl_seconds_left",
    help: "Until an issuer's newest CRL ends. Below a publish interval something stalls, and at 0 everybody is locked out.",
    labelNames,
    collect() {
      for (const { issuerKeyId, nextUpdate } of book.health()) {
        if (nextUpdate !== undefined) this.set({ issuer: issuerKeyId }, nextUpdate - now())
      }
    },
  })
}

/** Numbers about the manifests that credentials are found by. */
export function watchManifests({ registry }: Metrics, shelf: ManifestShelf): void {
  const gauge = (name: keyof ManifestHealth, help: string): void => {
    addGauge(registry, {
      name: `fleetroot_manifests_${name}`,
      help,
      collect() {
        this.set(shelf.health()[name])
      },
    })
  }
  gauge("devices", "Devices that are found by the manifests.")
  gauge("waiting", "Manifests of batches that the ledger does not have yet.")
  gauge("faults", "Manifests that cannot be used; the log says why.")
}

/** A gauge that is asked when somebody looks. */
function addGauge<Label extends string>(
  registry: Metrics["registry"],
  configuration: Omit<GaugeConfiguration<Label>, "registers">,
): void {
  registry.registerMetric(new Gauge({ ...configuration, registers: [] }))
}

/** Counts what the doors answer, and logs what went wrong with them: never about whom. */
export function revocationReporter({ registry }: Metrics, log: Logger): (event: RevocationEvent) => void {
  const answers = new Counter({
    name: "fleetroot_revocation_answers_total",
    help: "Answers about who is revoked, by door and outcome; `cached` cost no signature.",
    labelNames: ["door", "outcome"],
    registers: [registry],
  })
  return ({ door, outcome, error }) => {
    answers.inc({ door, outcome })
    if (error === undefined) return
    const { name, message } = error instanceof Error ? error : { name: "unknown", message: "" }
    log.debug({ door, outcome, error: name, message }, "no answer")
  }
}
