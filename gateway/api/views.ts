import {
  productName,
  REVOCATION_REASONS,
  unmarkedPlaceStatus,
  type Batch,
  type Block,
  type LedgerKey,
  type Manufacturer,
  type PlaceStatus,
  type Release,
} from "../../client/index.ts"
import type { FreshFleet } from "../issuers/freshFleet.ts"

type View = Record<string, unknown>

/** RFC 3339, UTC; null where there is none. */
export function time(seconds: number | undefined): string | null {
  return seconds === undefined ? null : new Date(seconds * 1000).toISOString()
}

/** The name of a CRLReason; null of what is no revocation. */
export function reasonName({ status, reason }: Pick<PlaceStatus, "status" | "reason">): string | null {
  if (status !== "revoked" && status !== "onHold") return null
  return REVOCATION_REASONS[reason] ?? "unspecified"
}

export function blockView({ number, hash, timestamp, finality }: Block): View {
  return { number, hash, timestamp: time(timestamp), finality }
}

export function manufacturerView({ head }: FreshFleet, manufacturer: Manufacturer): View {
  const { id, name, metadataURI, controller, status, statusSince, suspendedUntil } = manufacturer
  return {
    id,
    name,
    metadataUri: metadataURI,
    controller,
    status,
    statusSince: time(statusSince),
    suspendedUntil: time(suspendedUntil),
    keys: [...head.keys(id)].map(keyView),
  }
}

function keyView({ index, keyId, purpose, proven, ...key }: LedgerKey): View {
  return {
    index,
    keyId,
    purpose,
    provenOnLedger: proven,
    registeredAt: time(key.registeredAt),
    notBefore: time(key.notBefore),
    notAfter: time(key.notAfter),
    revokedAt: time(key.revokedAt),
    compromisedSince: time(key.compromisedSince),
  }
}

/** A batch, with the status of a place in it that nothing bars by itself. */
export function batchView(fleet: FreshFleet, batch: Batch): View {
  const { manufacturerId, series } = batch
  const { head, settled } = fleet
  const standing = unmarkedPlaceStatus({ head, settled, manufacturerId, series })
  return {
    manufacturer: manufacturerId,
    series,
    root: batch.root,
    size: batch.size,
    kind: batch.rawPublicKeys ? "rawPublicKeys" : "x509",
    authorizedBy: batch.byKey ? "issuerKey" : "operator",
    issuerKey: head.key(manufacturerId, batch.keyIndex)?.keyId ?? null,
    registeredAt: time(batch.registeredAt),
    notAfter: time(batch.notAfter),
    status: standing.status,
    reason: reasonName(standing),
    since: time(standing.since),
    detail: standing.detail,
    revokedPlaces: batch.revokedCount,
  }
}

export function releaseView({ settled }: FreshFleet, release: Release): View {
  const { manufacturerId, product, securityVersion, imageDigest, manifestDigest } = release
  const known = [...settled.releases(manufacturerId)].some((other) => {
    return other.product === product && other.securityVersion === securityVersion && other.imageDigest === imageDigest
  })
  return {
    manufacturer: manufacturerId,
    product,
    productName: productName(product) ?? null,
    securityVersion,
    imageDigest,
    manifestDigest: manifestDigest ?? null,
    releasedAt: time(release.releasedAt),
    recalledAt: time(release.recalledAt),
    final: known,
    signatures: release.threshold,
    signers: release.signers,
  }
}
