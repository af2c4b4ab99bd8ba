import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import type { Hex } from "../crypto/hex.ts"
import { parsePublicKey } from "../crypto/publicKey.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { BatchEmptyError, BatchIssuerError, BatchOptionError, BatchRefusedError } from "../errors/batch.ts"
import type { CredentialKind } from "../merkle/manifest.ts"
import { MAX_TIME, assertPlace } from "../merkle/place.ts"
import type { BatchRow } from "./batchRow.ts"
import { BuiltBatch } from "./builtBatch.ts"
import type { OpenBatchPlace } from "./builtBatch.ts"
import { CollectedRows } from "./collectedRows.ts"
import { dropEarlier } from "./dropEarlier.ts"
import type { EarlierBatch } from "./dropEarlier.ts"
import { FindingList } from "./findingList.ts"
import { isSound, judgeRow } from "./judgeRow.ts"
import type { JudgedRow, RowRules, SoundRow } from "./judgeRow.ts"
import { OrderedBatch } from "./orderedBatch.ts"
import { firstPositioned, orderRows } from "./orderRows.ts"

/** How far the builder is. `total` is unknown while rows come in. */
export type BatchProgress = { step: "rows" | "earlier" | "tree"; done: number; total?: number }

export type BuildBatchParameters = {
  /** The devices, in the order of the batch. */
  rows: AsyncIterable<BatchRow> | Iterable<BatchRow>
  /** Where the batch will be registered. Without a series, position serials decide, or whoever registers it. */
  place: OpenBatchPlace
  /** The issuer key that the batch will name: every certificate must be signed by it. */
  issuer: { keyId: Hex; spki: Uint8Array }
  /** Default: x509. */
  kind?: CredentialKind
  /** What is expired is judged by this: a date, or Unix seconds. */
  now: Date | number
  /** For rows of hashes that give none: when the credential ends, in Unix seconds. */
  notAfter?: number
  /** Batches registered before, whose credentials may not come again. A manifest of this very batch does no harm. */
  earlier?: readonly EarlierBatch[]
  /** Leave bad rows out instead of refusing. Default: false. */
  skipBad?: boolean
  /** Order the batch by this secret of 16 bytes or more, so that an index shows nothing about when a device was made. */
  shuffleSecret?: Uint8Array
  /** Default: the platform's fastest. */
  crypto?: CryptoBackend
  /** Bad rows to list; all are counted. Default: 1,000. */
  maxFindings?: number
  /** Called now and then, and at the end of each step. */
  onProgress?: (progress: BatchProgress) => void
}

// More would help no back end: WebCrypto has as many threads as there are cores.
const ROWS_AT_ONCE = 64
const ROWS_PER_REPORT = 1024
const MIN_SECRET_BYTES = 16

/**
 * Reads a fleet row by row, refuses whatever is not a sound device credential of this issuer, and builds the batch.
 *
 * Nothing is registered here, and there is no batch at all unless every row is good or `skipBad` leaves the bad ones
 * out. A row is bad when it cannot be read; breaks the device certificate profile; is a CA's, the issuer key's own, or
 * not signed by the issuer key; is expired; has a position serial of another place, a taken index, or one that leaves a
 * gap; or repeats a credential or a device key, of this batch or, as to credentials, of an earlier one.
 *
 * @throws {@link BatchRefusedError} with the bad rows. {@link BatchEmptyError} when none is left.
 * @throws {@link BatchIssuerError} {@link BatchOptionError} {@link PlaceFieldError} {@link PublicKeyInvalidError}
 *   {@link BatchShuffleError} for settings that cannot be.
 * @throws {@link AlgorithmUnsupportedError} when this platform cannot check the issuer's signatures.
 */
export async function buildBatch(parameters: BuildBatchParameters): Promise<BuiltBatch> {
  const { rows: source, place, issuer, shuffleSecret, skipBad = false, onProgress } = parameters
  const rules = rowRules(parameters)
  const findings = new FindingList(parameters.maxFindings ?? 1000)
  const rows = new CollectedRows(findings)

  const { count, series, seriesDisputed } = await collect({ source, rules, place, rows, findings, onProgress })
  await dropEarlier(rows, parameters.earlier ?? [], { ...place, series }, (done) =>
    onProgress?.({ step: "earlier", done }),
  )
  const order = orderRows(rows, shuffleSecret)

  const report = findings.report(count)
  const skippable = !findings.has("positionGap") && !seriesDisputed
  if (report.badRows > 0 && !(skipBad && skippable)) throw new BatchRefusedError({ ...report, skippable })
  if (rows.keptCount === 0) throw new BatchEmptyError(report)
  const content = new OrderedBatch({
    rows,
    order,
    onProgress: (done, total) => onProgress?.({ step: "tree", done, total }),
  })
  const { kind } = rules
  const positioned = firstPositioned(rows) !== undefined
  return new BuiltBatch({ place: { ...place, series }, kind, issuerKeyId: issuer.keyId, content, positioned, report })
}

function rowRules(parameters: BuildBatchParameters): RowRules {
  const {
    place,
    issuer,
    kind = "x509",
    crypto = defaultCrypto(),
    now,
    notAfter,
    shuffleSecret,
    maxFindings,
  } = parameters
  assertPlace({ ...place, series: place.series ?? 1 })
  parsePublicKey(issuer.spki)
  const found = keyIdOf(issuer.spki)
  if (found !== issuer.keyId) throw new BatchIssuerError({ expected: issuer.keyId, found })
  if (kind !== "x509" && kind !== "rawPublicKey") {
    throw new BatchOptionError({ option: "kind", value: String(kind), allowed: "x509 or rawPublicKey" })
  }
  const seconds = now instanceof Date ? Math.floor(now.getTime() / 1000) : now
  assertOption("now", seconds, 0, MAX_TIME)
  if (notAfter !== undefined) assertOption("notAfter", notAfter, 1, MAX_TIME)
  if (maxFindings !== undefined) assertOption("maxFindings", maxFindings, 0, Number.MAX_SAFE_INTEGER)
  if (shuffleSecret !== undefined && shuffleSecret.length < MIN_SECRET_BYTES) {
    const value = `${shuffleSecret.length} bytes`
    throw new BatchOptionError({ option: "shuffleSecret", value, allowed: `${MIN_SECRET_BYTES} bytes or more` })
  }
  const { chainId, registry } = place
  return { kind, crypto, chainId, registry, issuer, now: seconds, notAfter }
}

function assertOption(option: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new BatchOptionError({ option, value: String(value), allowed: `an integer in ${min}..${max}` })
}

type Collecting = {
  source: BuildBatchParameters["rows"]
  rules: RowRules
  place: OpenBatchPlace
  rows: CollectedRows
  findings: FindingList
  onProgress: BuildBatchParameters["onProgress"]
}

type Collected = {
  count: number
  series: number | undefined
  /** No series was given, and the serial numbers name more than one: leaving rows out would leave it to the first row. */
  seriesDisputed: boolean
}

/** Judges rows some at a time and takes them in their order. */
async function collect(task: Collecting): Promise<Collected> {
  const { source, rules, place, rows, findings, onProgress } = task
  const pending: (JudgedRow | Promise<JudgedRow>)[] = []
  let series = place.series
  let seriesDisputed = false
  let count = 0

  const take = (row: JudgedRow): void => {
    count++
    if (!isSound(row)) return findings.add({ ...row, row: count })
    const own = row.position?.manufacturerId === place.manufacturerId ? row.position.series : undefined
    series ??= own
    if (place.series === undefined && own !== undefined && own !== series) seriesDisputed = true
    const elsewhere = elsewhereMessage(row, place.manufacturerId, series)
    if (elsewhere === undefined) rows.add(row, count)
    else findings.add({ code: "positionElsewhere", source: row.source, row: count, message: elsewhere })
    if (count % ROWS_PER_REPORT === 0) onProgress?.({ step: "rows", done: count })
  }
  // Rows that need no waiting are taken at once as long as none before them is waited for.
  for await (const row of source) {
    const judged = judgeRow(row, rules)
    if (pending.length === 0 && !(judged instanceof Promise)) {
      take(judged)
      continue
    }
    if (judged instanceof Promise) judged.catch(() => undefined) // rejections are met below, in order
    pending.push(judged)
    if (pending.length >= ROWS_AT_ONCE) take(await (pending.shift() as JudgedRow | Promise<JudgedRow>))
  }
  for (const judged of pending) take(await judged)
  onProgress?.({ step: "rows", done: count, total: count })
  return { count, series, seriesDisputed }
}

function elsewhereMessage(
  { position }: SoundRow,
  manufacturerId: number,
  series: number | undefined,
): string | undefined {
  if (position === undefined) return undefined
  if (position.manufacturerId === manufacturerId && position.series === series) return undefined
  return (
    `Its serial number names manufacturer ${position.manufacturerId}, series ${position.series}, index ${position.index}; ` +
    `this batch is manufacturer ${manufacturerId}, series ${series ?? "not chosen"}.`
  )
}
