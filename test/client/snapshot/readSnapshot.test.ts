import { describe, expect, it } from "vitest"
import { sha256 } from "../../../client/index.ts"
import {
  SnapshotChecksumError,
  SnapshotError,
  SnapshotFieldError,
  SnapshotMagicError,
  SnapshotMalformedError,
  SnapshotSetError,
  SnapshotSpellingError,
  SnapshotTooLargeError,
  SnapshotTruncatedError,
  SnapshotVersionError,
} from "../../../client/errors/snapshot.ts"
import { encodeSnapshot } from "../../../client/snapshot/encodeSnapshot.ts"
import { readSnapshot } from "../../../client/snapshot/readSnapshot.ts"
import { paperEntry, paperSnapshot, smallSnapshot } from "./paperSnapshot.ts"

/** The bytes with a right checksum, so that what stands before it is read. */
function sealed(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 8)
  bytes.set(body)
  bytes.set(sha256(body).subarray(0, 8), body.length)
  return bytes
}

const good = encodeSnapshot(smallSnapshot())
const body = good.subarray(0, -8)

function changed(offset: number, ...bytes: number[]): Uint8Array {
  const copy = body.slice()
  copy.set(bytes, offset)
  return sealed(copy)
}

describe("readSnapshot", () => {
  it("gives back what was written", () => {
    expect(readSnapshot(good)).toEqual(smallSnapshot())
    const one = paperSnapshot([paperEntry(3, 1, [])], 3)
    expect(readSnapshot(encodeSnapshot(one))).toEqual(one)
    const none = paperSnapshot([])
    expect(readSnapshot(encodeSnapshot(none))).toEqual(none)
  })

  // In a batch of five with one record: its sets follow 55 octets of facts.
  const tiny = (bits: number[], marked: [number, number][] = []): Uint8Array =>
    encodeSnapshot(paperSnapshot([paperEntry(1, 3, [{ series: 1, size: 5, bits, marked }])])).subarray(0, -8)
  const empty = tiny([])
  const withSets = (...sets: number[]): Uint8Array => sealed(new Uint8Array([...empty.subarray(0, -2), ...sets]))

  it.each<[string, Uint8Array, new (...parameters: never[]) => Error]>([
    ["nothing", new Uint8Array(0), SnapshotMagicError],
    ["another file", new TextEncoder().encode("FRMF and so on, for long enough to be one"), SnapshotMagicError],
    ["the first bytes only", good.subarray(0, 12), SnapshotTruncatedError],
    ["a later version", changed(4, 2), SnapshotVersionError],
    ["a byte damaged", Uint8Array.from(good, (byte, at) => (at === 200 ? byte ^ 1 : byte)), SnapshotChecksumError],
    ["the end cut off", good.subarray(0, -1), SnapshotChecksumError],
    ["the end cut off and sealed", sealed(body.subarray(0, -1)), SnapshotTruncatedError],
    ["something appended", sealed(new Uint8Array([...body, 0])), SnapshotFieldError],
    ["a scope that is none", changed(5, 2), SnapshotFieldError],
    ["a scope of one with two manufacturers", changed(5, 1), SnapshotFieldError],
    ["a reserved byte set", changed(7, 1), SnapshotSpellingError],
    ["a block number beyond 2^53", changed(76, 0xff), SnapshotFieldError],
    ["four billion manufacturers", changed(121, 0xff, 0xff, 0xff, 0xff), SnapshotMalformedError],
    ["a name that is no UTF-8", changed(131, 0xff), SnapshotFieldError],
    ["a coding that is none", withSets(5, 0), SnapshotSetError],
    ["a set spelled in a longer way", withSets(4, 0, 0), SnapshotSpellingError],
    ["an empty set spelled as a list", withSets(1, 0, 0, 0, 0, 0, 0), SnapshotSpellingError],
    ["a set with another parameter", withSets(1, 1, 0, 0, 0, 1, 0b00000000, 0), SnapshotSpellingError],
    ["a parameter that is none", withSets(1, 32, 0, 0, 0, 1, 0, 0), SnapshotSetError],
    ["a filling that is not zero", withSets(1, 0, 0, 0, 0, 1, 0b01000000, 0), SnapshotSpellingError],
    ["a member beyond the batch", withSets(1, 0, 0, 0, 0, 1, 0b11111000, 0), SnapshotSetError],
    ["more members than places", withSets(1, 0, 0, 0, 0, 6, 0, 0), SnapshotSetError],
    ["a run beyond the batch", withSets(3, 0, 0, 0, 0, 0, 1, 0b01111110, 0), SnapshotSetError],
    ["a bitmap beyond the batch", withSets(4, 0xff, 0), SnapshotSetError],
    ["a set that is cut short", withSets(1, 0, 0, 0, 0, 5), SnapshotTruncatedError],
    ["a place marked by a record without mark", withSets(0, 1, 0, 0, 0, 0, 1, 0, 0), SnapshotSetError],
    ["a place marked by no record", withSets(0, 1, 0, 0, 0, 0, 1, 0, 0b11000000), SnapshotSetError],
  ])("refuses %s", (_what, bytes, error) => {
    expect(() => readSnapshot(bytes)).toThrow(error)
  })

  it("accepts those bytes where they are right", () => {
    expect(sealed(empty)).toEqual(withSets(0, 0))
    expect(readSnapshot(withSets(4, 0b00001, 0)).manufacturers[0]?.batches[0]?.bits.count).toBe(1)
    expect(() => readSnapshot(withSets(0, 4, 0b00001, 0b01000000))).not.toThrow()
  })

  it("takes no more bytes than it may", () => {
    expect(() => readSnapshot(good, { maxBytes: good.length - 1 })).toThrow(SnapshotTooLargeError)
    expect(() => readSnapshot(good, { maxBytes: good.length })).not.toThrow()
  })

  it("is not filled up by few bytes that stand for many places", () => {
    const entry = (series: number): { series: number; size: number; bits: number[] } => ({ series, size: 5, bits: [] })
    const bytes = encodeSnapshot(paperSnapshot([paperEntry(1, 3, [entry(1)])])).subarray(0, -8)
    const sizeAt = bytes.length - 2 - 55 + 36
    const huge = bytes.slice()
    huge.set([0xff, 0xff, 0xff, 0xff], sizeAt)
    const all = [2, 0, 0, 0, 0, 0]
    const marked = new Uint8Array([...huge.subarray(0, -2), 0, ...all, ...new Uint8Array(100)])
    expect(() => readSnapshot(sealed(marked))).toThrow(SnapshotTooLargeError)
    const bits = new Uint8Array([...huge.subarray(0, -2), ...all, 0])
    expect(readSnapshot(sealed(bits)).manufacturers[0]?.batches[0]?.bits.count).toBe(0xffff_ffff)
  })

  it("meets twenty thousand mutations with its own errors, in one spelling", () => {
    let state = 1
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return Math.floor(((state >>> 8) / 2 ** 24) * below)
    }
    const small = [body, empty, tiny([1, 2], [[3, 1]])]
    let accepted = 0
    for (let i = 0; i < 20_000; i++) {
      const source = small[random(small.length)]!
      const copy = source.slice(0, random(20) === 0 ? random(source.length) : source.length)
      for (let change = random(3); change >= 0; change--) {
        copy[random(copy.length)] = random(2) === 0 ? random(256) : [0, 1, 0xff, 0x80][random(4)]!
      }
      const bytes = sealed(copy)
      try {
        const read = readSnapshot(bytes)
        accepted++
        if (accepted % 50 === 0) expect(encodeSnapshot(read)).toEqual(bytes)
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error
      }
    }
    expect(accepted).toBeGreaterThan(100)
  }, 120_000)
})
