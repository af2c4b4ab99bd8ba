import type { Logger } from "pino"
import { KeyOwnerAmbiguousError, type FleetState, type Replica } from "../client/index.ts"
import type { GatewayConfig } from "./config.ts"
import { LocatedMarks } from "./issuers/locatedMarks.ts"
import type { AskPlaces } from "./issuers/locatedMarks.ts"
import { ManifestShelf } from "./manifestShelf.ts"
import type { OpenIssuer } from "./openIssuers.ts"

/** The manifests that a gateway was given. Nothing was read yet: see `ManifestShelf.refresh`. */
export function manifestShelf(
  { manifests }: Pick<GatewayConfig, "manifests">,
  { replica, log }: { replica: Replica; log: Logger },
): ManifestShelf {
  return new ManifestShelf({
    manifests,
    replica,
    warn: ({ manifest, error }) => {
      log.warn({ manifest, err: error }, "a manifest cannot be used")
    },
  })
}

/** The replica, which also shows the marks that name no place at the places that are known here. */
export function withKnownPlaces(
  replica: Replica,
  { shelf, issuers, ask }: { shelf: ManifestShelf; issuers: readonly OpenIssuer[]; ask?: AskPlaces | undefined },
): LocatedMarks {
  return new LocatedMarks({
    source: replica,
    finder: shelf,
    manufacturers: (head) => ownersOf(issuers, head),
    ask,
  })
}

/** Whose keys the issuers' are; a key with two owners is nobody's. */
function ownersOf(issuers: readonly OpenIssuer[], head: FleetState): Set<number> {
  const owners = new Set<number>()
  for (const { issuer } of issuers) {
    try {
      const owner = head.keyById(issuer.keyId)?.manufacturerId
      if (owner !== undefined) owners.add(owner)
    } catch (error) {
      if (!(error instanceof KeyOwnerAmbiguousError)) throw error
    }
  }
  return owners
}
