import { setImmediate } from "node:timers/promises"
import {
  credentialStatus,
  encodePositionSerial,
  fromHex,
  placeRuns,
  type Batch,
  type FleetState,
  type Hex,
  type LedgerKey,
  type PlaceStatus,
} from "../../client/index.ts"
import type { RevocationContext } from "../issuers/context.ts"
import { placed } from "../issuers/serialStatus.ts"
import { encodeEntryTail, EntryBuffer } from "./crlWriter.ts"
import { numberInShard, placeInShard, SHARD_PLACES, shardOf } from "./shards.ts"

/** Ended batches stay listed for so long: RFC 5280, 3.3, wants each entry once more after the certificate's end. */
const ENDED_BATCH_SECONDS = 30 * 86_400

/** Others run in between: enrolment makes a batch a second. */
const BATCHES_AT_ONCE = 1_024

/** Series from which on serial numbers can name places. */
const FIRST_POSITION_SERIES = 0x8000_0000

/** Neighbours that are listed for one reason. Times are Unix seconds. */
export type ListedRun = {
  readonly first: number
  readonly last: number
  /** RFC 5280 CRLReason. */
  readonly reason: number
  readonly since: number
  readonly invalidityDate: number | undefined
  /** The block in which it was first seen so. */
  readonly seenAt: number
}

/** A part of an issuer's list: a shard, or some imported certificates. Its runs and indexes number what is in it. */
export type Segment = {
  /** A shard's, or `imported-{number}`. */
  readonly name: string
  readonly runs: readonly ListedRun[]
  readonly count: number
  readonly serialOf: (index: number) => Uint8Array
}

/** All that is revoked or on hold of one issuer, at one block. */
export type Listing = {
  readonly number: bigint
  readonly settledNumber: number
  /** The head's time, but never later than the clock. */
  readonly thisUpdate: number
  /** Another object whenever an entry is another. */
  readonly contents: object
  /** Segments without entries are left out. */
  readonly segments: ReadonlyMap<string, Segment>
  readonly count: number
}

/**
 * Reads what is barred, and keeps of `previous` the very segments that did not change.
 *
 * What was listed from a head that was not final is kept until the chain is final past it, also when a reorganisation took it
 * back. What is not final yet, or unknown for another reason, is not listed: CRLs have no word for it.
 */
export async function readListing(
  context: RevocationContext,
  issuerKeyId: Hex,
  { head, settled, thisUpdate }: { head: FleetState; settled: FleetState; thisUpdate: number },
  previous: Listing | undefined,
): Promise<Listing> {
  const collected = new Map<string, Collected>()
  const key = head.keyById(issuerKeyId)
  if (key !== undefined) {
    const batches = placedBatches(head, key).filter((batch) => !hasEnded(batch.notAfter, head))
    for (const [done, { series }] of batches.entries()) {
      if (done % BATCHES_AT_ONCE === BATCHES_AT_ONCE - 1) await setImmediate()
      collectBatch(collected, context, { head, settled, key, series })
    }
    await collectImported(collected, context, key, { head, settled })
  }
  const segments = new Map<string, Segment>()
  const names = new Set([...collected.keys(), ...(previous?.segments.keys() ?? [])])
  for (const name of names) {
    const segment = settleSegment(name, collected.get(name), previous?.segments.get(name), head, settled)
    if (segment !== undefined) segments.set(name, segment)
  }
  let count = 0
  for (const segment of segments.values()) count += segment.count
  const contents = previous !== undefined && sameSegments(previous.segments, segments) ? previous.contents : {}
  const settledNumber = settled.block.number
  return { number: crlNumber(head.block), settledNumber, thisUpdate, contents, segments, count }
}

/**
 * The CRL number of a block: its time in seconds, then 32 bits of its number.
 *
 * So all gateways number alike without knowing of one another, also after a restart. The time comes first because blocks that a
 * reorganisation puts in the place of others are later ones; the number tells blocks of one second apart. Only a block that
 * takes the place of another with the same number and second gets the same CRL number, for other contents.
 */
export function crlNumber({ timestamp, number }: { readonly timestamp: number; readonly number: number }): bigint {
  return (BigInt(timestamp) << 32n) | BigInt.asUintN(32, BigInt(number))
}

type Collected = {
  readonly runs: Omit<ListedRun, "seenAt">[]
  readonly serialOf: (index: number) => Uint8Array
}
type Fleet = { readonly head: FleetState; readonly settled: FleetState }

/** The batches of a key whose certificates are known by the places in their serial numbers. */
export function placedBatches(head: FleetState, key: LedgerKey): Batch[] {
  return [...head.batches(key.manufacturerId)].filter(({ keyIndex, rawPublicKeys, series }) => {
    return keyIndex === key.index && !rawPublicKeys && series >= FIRST_POSITION_SERIES
  })
}

/** Whether what ended at `notAfter` need not be listed any more. Times are Unix seconds. */
export function hasEnded(notAfter: number, head: FleetState): boolean {
  return head.block.timestamp > notAfter + ENDED_BATCH_SECONDS
}

function collectBatch(
  collected: Map<string, Collected>,
  { replica }: RevocationContext,
  { head, settled, key, series }: Fleet & { key: LedgerKey; series: number },
): void {
  const { manufacturerId, keyId } = key
  const { chainId, contracts } = replica.deployment
  const binding = { chainId: BigInt(chainId), registry: contracts.devices.address, issuerKeyId: keyId }
  for (const run of placeRuns({ head, settled, manufacturerId, series, issuerKeyId: keyId, onlyBad: true })) {
    // A run may reach over several shards.
    for (let index = run.first; index <= run.last;) {
      const shard = shardOf({ series, index })
      const serialOf = (number: number): Uint8Array => {
        return encodePositionSerial({ ...binding, manufacturerId, ...placeInShard(shard, number) })
      }
      const last = numberInShard(shard, { series, index: Math.min(run.last, shard.lastIndex) })
      const first = numberInShard(shard, { series, index })
      runsOf(collected, shard.name, serialOf).push({ ...factsOf(run), first, last })
      index = shard.lastIndex + 1
    }
  }
}

async function collectImported(
  collected: Map<string, Collected>,
  { serials, places }: RevocationContext,
  key: LedgerKey,
  { head, settled }: Fleet,
): Promise<void> {
  if (serials === undefined) return
  let ordinal = -1
  let listed = new Map<number, Uint8Array>()
  for await (const entry of serials.ofIssuer(key.keyId)) {
    ordinal++
    if (ordinal % SHARD_PLACES === 0) listed = new Map()
    if (hasEnded(entry.notAfter, head)) continue
    const status = credentialStatus({ ...placed(entry, head, places), head, settled, issuerKeyId: key.keyId })
    if (status.status !== "revoked" && status.status !== "onHold") continue
    listed.set(ordinal, fromHex(entry.serial))
    const ofShard = listed
    const name = `imported-${Math.floor(ordinal / SHARD_PLACES)}`
    const serialOf = (index: number): Uint8Array => ofShard.get(index) as Uint8Array
    runsOf(collected, name, serialOf).push({ ...factsOf(status), first: ordinal, last: ordinal })
  }
}

function runsOf(collected: Map<string, Collected>, name: string, serialOf: Collected["serialOf"]): Collected["runs"] {
  const found = collected.get(name)
  if (found !== undefined) return found.runs
  const made: Collected = { runs: [], serialOf }
  collected.set(name, made)
  return made.runs
}

function factsOf({
  reason,
  since,
  invalidityDate,
}: PlaceStatus): Pick<ListedRun, "reason" | "since" | "invalidityDate"> {
  return { reason, since: since ?? 0, invalidityDate }
}

/** The segment as it is now: the previous one if it says the same, undefined if nothing is listed. */
function settleSegment(
  name: string,
  found: Collected | undefined,
  previous: Segment | undefined,
  head: FleetState,
  settled: FleetState,
): Segment | undefined {
  // Of a shard's batches each brings its own, in the order in which they were registered.
  const runs = (found?.runs ?? []).toSorted((one, other) => one.first - other.first)
  if (previous !== undefined && sameRuns(runs, previous.runs)) return previous
  const seenAt = head.block.number
  const before = previous === undefined ? new Map<number, ListedRun>() : byIndex(previous.runs)
  const now = new Map<number, ListedRun>()
  const keptSerials = new Map<number, Uint8Array>()
  const serialOfNow = found?.serialOf ?? nobody
  const merged: ListedRun[] = runs.map((run) => {
    const earlier = before.get(run.first)
    return { ...run, seenAt: earlier !== undefined && sayTheSame(earlier, run) ? earlier.seenAt : seenAt }
  })
  for (const run of merged) for (let index = run.first; index <= run.last; index++) now.set(index, run)
  // Taken back, by a reorganisation: what ends in the regular way stays listed until that is final.
  for (const [index, run] of before) {
    if (previous === undefined || now.has(index) || run.seenAt <= settled.block.number) continue
    merged.push({ ...run, first: index, last: index })
    keptSerials.set(index, previous.serialOf(index))
  }
  if (merged.length === 0) return undefined
  merged.sort((a, b) => a.first - b.first)
  const count = merged.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  return { name, runs: merged, count, serialOf: (index) => keptSerials.get(index) ?? serialOfNow(index) }
}

function nobody(index: number): never {
  throw new RangeError(`nothing is listed at ${index}`)
}

function sameSegments(some: ReadonlyMap<string, Segment>, others: ReadonlyMap<string, Segment>): boolean {
  return some.size === others.size && [...some].every(([name, segment]) => others.get(name) === segment)
}

function sameRuns(runs: readonly Omit<ListedRun, "seenAt">[], others: readonly ListedRun[]): boolean {
  if (runs.length !== others.length) return false
  return runs.every((run, i) => {
    const other = others[i] as ListedRun
    return run.first === other.first && run.last === other.last && sayTheSame(run, other)
  })
}

type Facts = Pick<ListedRun, "reason" | "since" | "invalidityDate">

/** Whether two runs list a certificate alike. */
export function sayTheSame(one: Facts, other: Facts): boolean {
  return one.reason === other.reason && one.since === other.since && one.invalidityDate === other.invalidityDate
}

/** Each listed index with what is said of it. */
export function byIndex(runs: readonly ListedRun[]): Map<number, ListedRun> {
  const found = new Map<number, ListedRun>()
  for (const run of runs) for (let index = run.first; index <= run.last; index++) found.set(index, run)
  return found
}

const ENTRIES_AT_ONCE = 2_048

/** A segment's entries in DER. Lets others run in between. */
export async function encodeSegment({ runs, serialOf }: Segment): Promise<Uint8Array> {
  const buffer = new EntryBuffer()
  let tail = new Uint8Array(0)
  let tailOf: ListedRun | undefined
  let done = 0
  for (const run of runs) {
    if (tailOf === undefined || !sayTheSame(tailOf, run)) {
      tail = new Uint8Array(encodeEntryTail({ ...run, revokedAt: run.since }))
      tailOf = run
    }
    for (let index = run.first; index <= run.last; index++) {
      buffer.add(serialOf(index), tail)
      if (++done % ENTRIES_AT_ONCE === 0) await setImmediate()
    }
  }
  return buffer.take()
}
