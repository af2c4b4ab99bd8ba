import type { Hex } from "../../client/index.ts"
import { shardOf } from "./shards.ts"

/** Where the CRLs of an issuer are. */
export type CrlAddresses = {
  readonly complete: string
  readonly delta: string
  /** @param name As {@link shardOf} gives it. */
  readonly shard: (name: string) => string
  /** The shard of a place: what its certificate may name as cRLDistributionPoints. */
  readonly shardOf: (place: { readonly series: number; readonly index: number }) => string
}

/** Addresses of CRLs below a gateway's own. */
export function crlAddresses(publicUrl: string, issuerKeyId: Hex): CrlAddresses {
  const base = `${publicUrl.replace(/\/+$/, "")}/crl/${issuerKeyId.slice(2)}`
  const shard = (name: string): string => `${base}/${name}.crl`
  return {
    complete: `${base}.crl`,
    delta: `${base}-delta.crl`,
    shard,
    shardOf: (place) => shard(shardOf(place).name),
  }
}
