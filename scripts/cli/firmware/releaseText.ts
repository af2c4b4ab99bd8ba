import type { Release, ReleaseDraft, ReleaseTexts } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"
import { columns, printable } from "../output/printable.ts"

type Client = OpenLedger["client"]

/** What a release on its way says, for programs. */
export function draftJson(client: Client, draft: ReleaseDraft): Record<string, string | number | null | string[]> {
  const { manufacturerId, product, securityVersion, imageDigest, manifestDigest, version, uri, signatures } = draft
  return {
    manufacturer: manufacturerId,
    product: client.productName(product) ?? product,
    securityVersion,
    version,
    uri,
    imageDigest,
    manifestDigest: manifestDigest ?? null,
    chainId: draft.chainId,
    registry: draft.registry,
    signers: signatures.map(({ keyId }) => keyId),
  }
}

/** The same for people, line by line: what a signer must look at. */
export function draftText(client: Client, draft: ReleaseDraft): string {
  return columns(
    Object.entries(draftJson(client, draft)).flatMap(([name, value]) => {
      if (value === null || value === "") return []
      const text = Array.isArray(value) ? value.join(", ") || "nobody yet" : String(value)
      return [[`${name}:`, printable(text)]]
    }),
  )
}

/** A published release, for programs. */
export function releaseJson(client: Client, release: Release, texts: ReleaseTexts): Record<string, unknown> {
  const { manufacturerId, product, securityVersion, imageDigest, manifestDigest, releasedAt, recalledAt } = release
  return {
    manufacturer: manufacturerId,
    product: client.productName(product) ?? product,
    securityVersion,
    version: texts.version,
    uri: texts.uri,
    imageDigest,
    manifestDigest: manifestDigest ?? null,
    releasedAt: new Date(releasedAt * 1000).toISOString(),
    recalledAt: recalledAt === undefined ? null : new Date(recalledAt * 1000).toISOString(),
    threshold: release.threshold,
    signers: release.signers,
  }
}
