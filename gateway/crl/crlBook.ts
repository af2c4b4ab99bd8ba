import { createHash } from "node:crypto"
import type { FleetChange, Hex } from "../../client/index.ts"
import {
  CrlEndedError,
  CrlLifetimeShortError,
  CrlTooLargeError,
  CrlUnknownError,
  IssuerKeyAbsentError,
} from "../errors/revocation.ts"
import { MAX_AGE_SECONDS } from "../issuers/context.ts"
import type { RevocationContext } from "../issuers/context.ts"
import { freshFleet, unixSeconds } from "../issuers/freshFleet.ts"
import type { FreshFleet } from "../issuers/freshFleet.ts"
import type { Issuer } from "../issuers/issuer.ts"
import { ChangeLog } from "./changeLog.ts"
import { crlAddresses } from "./crlAddresses.ts"
import { encodeEntryTail, EntryBuffer, writeCrl } from "./crlWriter.ts"
import { byIndex, crlNumber, encodeSegment, hasEnded, placedBatches, readListing } from "./listing.ts"
import type { Listing, ListedRun, Segment } from "./listing.ts"
import { shardEnds } from "./shards.ts"

export type CrlContext = RevocationContext & {
  /** Where clients find this gateway, or the files that it writes: the address before `/crl/…`. It is written into CRLs. */
  readonly publicUrl: string
  /** How often a CRL is made anew though nothing changed, in seconds. Default: 600. Bad news does not wait for it. */
  readonly publishIntervalSeconds?: number
  /** How long a CRL may be used, in seconds. Default: 3,600; at least three intervals and the oldest allowed block. */
  readonly crlLifetimeSeconds?: number
  /** Most entries of a complete CRL. Default: 1,000,000, about 50 MB. Shards have no such limit. */
  readonly mostEntries?: number
}

/** A CRL as it goes out. */
export type SignedCrl = {
  readonly der: Uint8Array
  /** The same for the same contents, whichever gateway signed them. */
  readonly entityTag: string
  readonly number: bigint
  /** Unix seconds. */
  readonly thisUpdate: number
  readonly nextUpdate: number
}

/** How the CRLs of one issuer stand, for metrics and alarms. */
export type CrlHealth = {
  readonly issuerKeyId: Hex
  readonly entries: number
  /** Unix seconds; when less than a publish interval is left, something stalls. */
  readonly thisUpdate: number | undefined
  readonly nextUpdate: number | undefined
}

export const PUBLISH_INTERVAL_SECONDS = 600
const CRL_LIFETIME_SECONDS = 3_600
const MOST_ENTRIES = 1_000_000
const REMOVE_FROM_CRL = 8
/** A list that takes longer to read is not read anew for a few times as long, however often the ledger changes. */
const LONG_READ_MS = 250
const REST_FACTOR = 3

/**
 * The CRLs of all issuers, made when they are asked for and kept while they are true: a new one is signed when something on its
 * list changed, or when a publish interval is over. While the ledger cannot be read the last ones are given, until they end.
 */
export class CrlBook {
  readonly #shelves = new Map<string, Shelf>()
  readonly #stop: () => void

  /** @throws CrlLifetimeShortError. */
  constructor(context: CrlContext) {
    const { publishIntervalSeconds = PUBLISH_INTERVAL_SECONDS, crlLifetimeSeconds = CRL_LIFETIME_SECONDS } = context
    const leastSeconds = 3 * publishIntervalSeconds + (context.maxAgeSeconds ?? MAX_AGE_SECONDS)
    if (!(crlLifetimeSeconds >= leastSeconds)) {
      throw new CrlLifetimeShortError({ lifetimeSeconds: crlLifetimeSeconds, leastSeconds })
    }
    for (const issuer of context.issuers) this.#shelves.set(issuer.keyId, new Shelf(context, issuer))
    this.#stop = context.replica.onChange((changes) => {
      if (!changes.some(concernsCrls)) return
      for (const shelf of this.#shelves.values()) shelf.dirty = true
    })
  }

  get issuers(): readonly Hex[] {
    return [...this.#shelves.keys()] as Hex[]
  }

  /** @throws CrlUnknownError, IssuerKeyAbsentError, CrlTooLargeError, CrlEndedError, KeyOwnerAmbiguousError. */
  async complete(issuerKeyId: Hex): Promise<SignedCrl> {
    return this.#shelf(issuerKeyId).complete()
  }

  /** What changed since some complete CRL. @throws like {@link complete}. */
  async delta(issuerKeyId: Hex): Promise<SignedCrl> {
    return this.#shelf(issuerKeyId).delta()
  }

  /** @param name As `shardOf` gives it. @throws like {@link complete}. */
  async shard(issuerKeyId: Hex, name: string): Promise<SignedCrl> {
    return this.#shelf(issuerKeyId).shard(name)
  }

  /** The names of all shards of an issuer, those without entries too, but not those whose certificates have all ended. */
  async shardNames(issuerKeyId: Hex): Promise<string[]> {
    return this.#shelf(issuerKeyId).shardNames()
  }

  /** The names of the shards that nobody needs any more: each of their certificates has ended. */
  async endedShardNames(issuerKeyId: Hex): Promise<ReadonlySet<string>> {
    return this.#shelf(issuerKeyId).endedShardNames()
  }

  health(): CrlHealth[] {
    return [...this.#shelves.values()].map((shelf) => shelf.health())
  }

  close(): void {
    this.#stop()
  }

  #shelf(issuerKeyId: Hex): Shelf {
    const shelf = this.#shelves.get(issuerKeyId)
    if (shelf === undefined) throw new CrlUnknownError()
    return shelf
  }
}

function concernsCrls({ kind }: FleetChange): boolean {
  return kind !== "release"
}

/** A signed CRL, and the contents that it was made of. */
type Kept = { readonly of: unknown; readonly listing: Listing; readonly crl: Promise<SignedCrl> }

class Shelf {
  readonly #context: CrlContext
  readonly #issuer: Issuer
  readonly #interval: number
  readonly #lifetime: number
  readonly #log: ChangeLog
  readonly #encoded = new WeakMap<Segment, Promise<Uint8Array>>()
  readonly #kept = new Map<string, Kept>()
  #listing: Listing | undefined
  #refreshing: Promise<Listing> | undefined
  #names = new Set<string>()
  #ended: ReadonlySet<string> = new Set()
  #restsUntil = 0
  dirty = true

  constructor(context: CrlContext, issuer: Issuer) {
    this.#context = context
    this.#issuer = issuer
    this.#interval = context.publishIntervalSeconds ?? PUBLISH_INTERVAL_SECONDS
    this.#lifetime = context.crlLifetimeSeconds ?? CRL_LIFETIME_SECONDS
    this.#log = new ChangeLog(this.#lifetime)
  }

  async complete(): Promise<SignedCrl> {
    const listing = await this.#current()
    const allowed = this.#context.mostEntries ?? MOST_ENTRIES
    if (listing.count > allowed) throw new CrlTooLargeError({ entries: listing.count, allowed })
    return this.#keep("complete", listing.contents, listing, async () => {
      const entries: Uint8Array[] = []
      for (const segment of listing.segments.values()) entries.push(await this.#encode(segment))
      const freshestCrl = crlAddresses(this.#context.publicUrl, this.#issuer.keyId).delta
      return this.#sign(listing, { entries, freshestCrl })
    })
  }

  async delta(): Promise<SignedCrl> {
    const listing = await this.#current()
    return this.#keep("delta", listing.contents, listing, async () => {
      const baseNumber = this.#log.baseNumber ?? listing.number
      return this.#sign(listing, { entries: [deltaEntries(this.#log, listing)], baseNumber })
    })
  }

  async shard(name: string): Promise<SignedCrl> {
    const listing = await this.#current()
    if (!this.#names.has(name) && !this.#ended.has(name)) throw new CrlUnknownError()
    const segment = listing.segments.get(name)
    return this.#keep(name, segment, listing, async () => {
      const entries = segment === undefined ? [] : [await this.#encode(segment)]
      const distributionPoint = crlAddresses(this.#context.publicUrl, this.#issuer.keyId).shard(name)
      return this.#sign(listing, { entries, distributionPoint })
    })
  }

  async shardNames(): Promise<string[]> {
    await this.#current()
    return [...this.#names]
  }

  async endedShardNames(): Promise<ReadonlySet<string>> {
    await this.#current()
    return this.#ended
  }

  health(): CrlHealth {
    const { keyId: issuerKeyId } = this.#issuer
    const listing = this.#listing
    if (listing === undefined) return { issuerKeyId, entries: 0, thisUpdate: undefined, nextUpdate: undefined }
    const { thisUpdate, count: entries } = listing
    return { issuerKeyId, entries, thisUpdate, nextUpdate: thisUpdate + this.#lifetime }
  }

  /** The list as it is now; while the ledger cannot be read, the last one until its CRLs end. */
  async #current(): Promise<Listing> {
    try {
      return await this.#refreshed()
    } catch (cause) {
      const listing = this.#listing
      this.#context.report?.({ door: "crl", outcome: cause instanceof Error ? cause.name : "unknown", error: cause })
      if (listing === undefined || cause instanceof IssuerKeyAbsentError) throw cause
      const now = unixSeconds(this.#context.now?.() ?? new Date())
      if (now >= listing.thisUpdate + this.#lifetime) throw new CrlEndedError({ cause })
      return listing
    }
  }

  async #refreshed(): Promise<Listing> {
    if (this.#refreshing !== undefined) return this.#refreshing
    const fleet = freshFleet(this.#context)
    const open = fleet.head.keyById(this.#issuer.keyId)?.purpose === "openIssuer"
    // An open issuer's key signs device certificates and nothing else (DESIGN, "Records").
    if (this.#issuer.signer === undefined || open) throw new IssuerKeyAbsentError({ what: "CRLs", open })
    const listing = this.#listing
    if (listing !== undefined && !this.#isDue(listing, fleet)) return listing
    this.#refreshing = this.#read(fleet)
    try {
      return await this.#refreshing
    } finally {
      this.#refreshing = undefined
    }
  }

  #isDue(listing: Listing, { head, settled, thisUpdate }: FreshFleet): boolean {
    // After a reorganisation the newest block may be an older one for a while: numbers never go back.
    if (crlNumber(head.block) <= listing.number) return false
    if (performance.now() < this.#restsUntil) return false
    if (this.dirty || thisUpdate - listing.thisUpdate >= this.#interval) return true
    return listing.count > 0 && settled.block.number !== listing.settledNumber
  }

  async #read(fleet: FreshFleet): Promise<Listing> {
    this.dirty = false
    const began = performance.now()
    try {
      const before = this.#listing
      const shards = shardsOf(fleet, this.#issuer.keyId)
      const after = await readListing(this.#context, this.#issuer.keyId, fleet, before)
      this.#log.follow(before, after)
      this.#names = shards.names
      this.#ended = shards.ended
      for (const name of this.#kept.keys()) if (shards.ended.has(name)) this.#kept.delete(name)
      this.#listing = after
      const ended = performance.now()
      if (ended - began > LONG_READ_MS) this.#restsUntil = ended + REST_FACTOR * (ended - began)
      return after
    } catch (error) {
      this.dirty = true
      throw error
    }
  }

  /** The CRL that was signed before, if its contents are the same and it is not due. */
  async #keep(name: string, of: unknown, listing: Listing, make: () => Promise<SignedCrl>): Promise<SignedCrl> {
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.of === of && listing.thisUpdate - kept.listing.thisUpdate < this.#interval) {
      return kept.crl
    }
    const crl = make()
    const mine: Kept = { of, listing, crl }
    this.#kept.set(name, mine)
    crl.catch(() => {
      if (this.#kept.get(name) === mine) this.#kept.delete(name)
    })
    const made = await crl
    this.#context.report?.({ door: "crl", outcome: "published" })
    return made
  }

  #encode(segment: Segment): Promise<Uint8Array> {
    const found = this.#encoded.get(segment) ?? encodeSegment(segment)
    this.#encoded.set(segment, found)
    return found
  }

  async #sign(
    { thisUpdate, number }: Listing,
    more: Pick<Parameters<typeof writeCrl>[0], "entries" | "baseNumber" | "distributionPoint" | "freshestCrl">,
  ): Promise<SignedCrl> {
    const { certificate, keyIdentifier, signer } = this.#issuer
    if (signer === undefined) throw new IssuerKeyAbsentError({ what: "CRLs" })
    const nextUpdate = thisUpdate + this.#lifetime
    const hash = createHash("sha256").update(`${number} ${nextUpdate} ${more.baseNumber}`)
    for (const piece of more.entries) hash.update(piece)
    const der = await writeCrl({
      issuerDer: certificate.subjectDer,
      signer,
      authorityKeyIdentifier: keyIdentifier,
      thisUpdate,
      nextUpdate,
      number,
      ...more,
    })
    return { der, entityTag: `"${hash.digest("hex").slice(0, 32)}"`, number, thisUpdate, nextUpdate }
  }
}

function shardsOf({ head }: FreshFleet, issuerKeyId: Hex): { names: Set<string>; ended: Set<string> } {
  const names = new Set<string>()
  const ended = new Set<string>()
  const key = head.keyById(issuerKeyId)
  if (key === undefined) return { names, ended }
  for (const [name, notAfter] of shardEnds(placedBatches(head, key)))
    (hasEnded(notAfter, head) ? ended : names).add(name)
  return { names, ended }
}

function deltaEntries(log: ChangeLog, listing: Listing): Uint8Array {
  const buffer = new EntryBuffer()
  const read = new Map<string, Map<number, ListedRun>>()
  for (const { segment, name, index, serial } of log.since(listing)) {
    const runs = read.get(name) ?? byIndex(segment?.runs ?? [])
    read.set(name, runs)
    const run = runs.get(index)
    // RFC 5280, 5.3.1: what was on the list of a complete CRL and is not any more.
    const facts =
      run === undefined
        ? { revokedAt: listing.thisUpdate, reason: REMOVE_FROM_CRL, invalidityDate: undefined }
        : { revokedAt: run.since, reason: run.reason, invalidityDate: run.invalidityDate }
    buffer.add(serial, encodeEntryTail(facts))
  }
  return buffer.take()
}
