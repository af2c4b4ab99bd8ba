import { SnapshotSetError, SnapshotTooLargeError } from "../errors/snapshot.ts"
import { BitWriter } from "./bits.ts"
import type { ByteReader } from "./byteReader.ts"
import { PlaceSet, RunList } from "./placeSet.ts"
import { MAX_RICE_PARAMETER, RiceTally, readRice, writeRice } from "./rice.ts"

/** How a set is written: docs/formats.md, "Snapshot". The smallest is taken, of several the first. */
const NONE = 0
/** Rice codes of how many non-members come before each member. */
const MEMBERS = 1
/** The same of the non-members. */
const OTHERS = 2
/** Rice codes of the lengths of gaps and runs in turn, each less what it cannot be below. */
const RUNS = 3
/** One bit a place. */
const BITMAP = 4

type Runs = Iterable<readonly [from: number, end: number]>
type Coding = { readonly id: number; readonly bytes: number; readonly write: () => Uint8Array }

/** The one encoding of a set: a coding's number, then the set. */
export function encodePlaceSet(set: PlaceSet): Uint8Array {
  if (set.count === 0) return Uint8Array.of(NONE)
  const codings = [
    gapsCoding(MEMBERS, () => set.runs(), set.count),
    gapsCoding(OTHERS, () => gapsOf(set), set.size - set.count),
    runsCoding(set),
    bitmapCoding(set),
  ]
  return codings.reduce((best, coding) => (coding.bytes < best.bytes ? coding : best)).write()
}

/**
 * Reads a set of places below `size`. That it is in its one encoding must be checked by encoding it again.
 *
 * @param maxRuns Most runs that are taken into memory.
 * @throws {@link SnapshotSetError} {@link SnapshotTruncatedError} {@link SnapshotTooLargeError}
 */
export function readPlaceSet(reader: ByteReader, size: number, maxRuns: number): PlaceSet {
  const { offset } = reader
  const coding = reader.uint(1)
  const runs = new BoundedRuns(maxRuns)
  if (coding === MEMBERS || coding === OTHERS) readGaps(reader, { offset, size, runs })
  else if (coding === RUNS) readRuns(reader, { offset, size, runs })
  else if (coding === BITMAP) readBitmap(reader, { offset, size, runs })
  else if (coding !== NONE) throw new SnapshotSetError({ offset, problem: `coding ${coding} is not known` })
  const set = new PlaceSet(size, runs.bounds())
  return coding === OTHERS ? new PlaceSet(size, complementOf(set)) : set
}

/** One octet for the parameter, four for how many there are, then the codes. */
function gapsCoding(id: number, runs: () => Runs, count: number): Coding {
  const tally = new RiceTally()
  let next = 0
  for (const [from, end] of runs()) {
    tally.add(from - next)
    tally.addZeros(end - from - 1)
    next = end
  }
  const { parameter, bits } = count === 0 ? { parameter: 0, bits: 0 } : tally.best()
  const write = (): Uint8Array => {
    const writer = new BitWriter()
    writer.write(id, 8)
    writer.write(parameter, 8)
    writer.write(count, 32)
    let after = 0
    for (const [from, end] of runs()) {
      writeRice(writer, from - after, parameter)
      for (let i = from + 1; i < end; i++) writeRice(writer, 0, parameter)
      after = end
    }
    return writer.bytes()
  }
  return { id, bytes: 6 + Math.ceil(bits / 8), write }
}

/** An octet for the gaps' parameter, one for the runs', four for how many runs there are, then the codes. */
function runsCoding(set: PlaceSet): Coding {
  const [gaps, lengths] = [new RiceTally(), new RiceTally()]
  for (const { gap, length } of gapsAndLengths(set)) {
    gaps.add(gap)
    lengths.add(length)
  }
  const [bestGap, bestLength] = [gaps.best(), lengths.best()]
  const write = (): Uint8Array => {
    const writer = new BitWriter()
    writer.write(RUNS, 8)
    writer.write(bestGap.parameter, 8)
    writer.write(bestLength.parameter, 8)
    writer.write(set.runCount, 32)
    for (const { gap, length } of gapsAndLengths(set)) {
      writeRice(writer, gap, bestGap.parameter)
      writeRice(writer, length, bestLength.parameter)
    }
    return writer.bytes()
  }
  return { id: RUNS, bytes: 7 + Math.ceil((bestGap.bits + bestLength.bits) / 8), write }
}

/** Only the first gap can be nothing, and no run is. */
function* gapsAndLengths(set: PlaceSet): Generator<{ gap: number; length: number }> {
  let next = 0
  let least = 0
  for (const [from, end] of set.runs()) {
    yield { gap: from - next - least, length: end - from - 1 }
    next = end
    least = 1
  }
}

function bitmapCoding(set: PlaceSet): Coding {
  const write = (): Uint8Array => {
    const bytes = new Uint8Array(1 + Math.ceil(set.size / 8))
    bytes[0] = BITMAP
    for (const index of set.members()) (bytes[1 + (index >>> 3)] as number) |= 1 << (index & 7)
    return bytes
  }
  return { id: BITMAP, bytes: 1 + Math.ceil(set.size / 8), write }
}

type Reading = { offset: number; size: number; runs: BoundedRuns }

function readGaps(reader: ByteReader, { offset, size, runs }: Reading): void {
  const parameter = parameterOf(reader)
  const count = reader.uint(4)
  if (count > size) throw new SnapshotSetError({ offset, problem: `${count} members in a batch of ${size}` })
  reader.bits((bits) => {
    let next = 0
    for (let i = 0; i < count; i++) {
      const index = next + readRice(bits, parameter)
      if (index >= size) throw new SnapshotSetError({ offset, problem: `member ${index} in a batch of ${size}` })
      runs.add(index, index + 1)
      next = index + 1
    }
  })
}

function readRuns(reader: ByteReader, { offset, size, runs }: Reading): void {
  const gapParameter = parameterOf(reader)
  const lengthParameter = parameterOf(reader)
  const count = reader.uint(4)
  reader.bits((bits) => {
    let next = 0
    for (let i = 0; i < count; i++) {
      const from = next + readRice(bits, gapParameter) + (i === 0 ? 0 : 1)
      const end = from + readRice(bits, lengthParameter) + 1
      if (end > size) throw new SnapshotSetError({ offset, problem: `a run to ${end} in a batch of ${size}` })
      runs.add(from, end)
      next = end
    }
  })
}

function readBitmap(reader: ByteReader, { offset, size, runs }: Reading): void {
  const bytes = reader.bytes(Math.ceil(size / 8))
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    for (let bit = 0; bit < 8; bit++) {
      if ((byte & (1 << bit)) === 0) continue
      const index = 8 * at + bit
      if (index >= size) throw new SnapshotSetError({ offset, problem: `member ${index} in a batch of ${size}` })
      runs.add(index, index + 1)
    }
  }
}

function parameterOf(reader: ByteReader): number {
  const { offset } = reader
  const parameter = reader.uint(1)
  if (parameter > MAX_RICE_PARAMETER) throw new SnapshotSetError({ offset, problem: `Rice parameter ${parameter}` })
  return parameter
}

function* gapsOf(set: PlaceSet): Generator<readonly [from: number, end: number]> {
  let next = 0
  for (const [from, end] of set.runs()) {
    if (from > next) yield [next, from]
    next = end
  }
  if (next < set.size) yield [next, set.size]
}

function complementOf(set: PlaceSet): Uint32Array {
  const runs = new RunList()
  for (const [from, end] of gapsOf(set)) runs.add(from, end)
  return runs.bounds()
}

/** Runs until there are too many: eight octets of memory can come from two bits of a file. */
class BoundedRuns {
  readonly #runs = new RunList()
  readonly #maxRuns: number

  constructor(maxRuns: number) {
    this.#maxRuns = maxRuns
  }

  add(from: number, end: number): void {
    if (this.#runs.count >= this.#maxRuns) throw new SnapshotTooLargeError({ what: "runs", limit: this.#maxRuns })
    this.#runs.add(from, end)
  }

  bounds(): Uint32Array {
    return this.#runs.bounds()
  }
}
