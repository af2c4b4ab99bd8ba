import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BytesTable } from "../../../client/batch/bytesTable.ts"
import { BytesColumn, NumberColumn } from "../../../client/batch/columns.ts"
import { naturalOrder } from "../../../client/batch/naturalOrder.ts"
import { SourceNames } from "../../../client/batch/sourceNames.ts"

describe("BytesColumn and BytesTable", () => {
  it("find what is in, and nothing else, like a Map", () => {
    // Few distinct values of few distinct bytes, so that places collide and values are near each other.
    const value = fc.uint8Array({ minLength: 4, maxLength: 4, max: 3 })
    fc.assert(
      fc.property(fc.array(value, { maxLength: 300 }), (values) => {
        const column = new BytesColumn(4)
        const table = new BytesTable(column)
        const model = new Map<string, number>()
        for (const bytes of values) {
          const key = bytes.join()
          const padded = Uint8Array.of(9, ...bytes, 9)
          expect(table.find(padded, 1)).toBe(model.get(key) ?? -1)
          if (model.has(key)) continue
          model.set(key, column.length)
          column.push(bytes)
          table.add(column.length - 1)
        }
        for (const [key, entry] of model) expect(column.at(entry).join()).toBe(key)
      }),
    )
  })

  it("hold more than one chunk", () => {
    const column = new BytesColumn(16)
    const numbers = new NumberColumn("float64")
    const table = new BytesTable(column)
    const bytes = new Uint8Array(16)
    const view = new DataView(bytes.buffer)
    const count = 100_000
    for (let i = 0; i < count; i++) {
      view.setUint32(12, i)
      column.push(bytes)
      numbers.push(2 ** 40 + i)
      table.add(i)
    }
    for (const i of [0, 32_767, 32_768, 65_535, 65_536, count - 1]) {
      view.setUint32(12, i)
      expect(table.find(bytes)).toBe(i)
      expect(numbers.at(i)).toBe(2 ** 40 + i)
      const target = new Uint8Array(20)
      column.copy(i, target, 3)
      expect(target.subarray(3, 19)).toEqual(bytes)
    }
    view.setUint32(12, count)
    expect(table.find(bytes)).toBe(-1)
  })
})

describe("SourceNames", () => {
  it("gives back what was put in", () => {
    const line = fc.record({ name: fc.constantFrom("a.csv", "b:c.csv", ""), line: fc.nat(2_000_000_000) })
    const source = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.toWellFormed()),
      line.map(({ name, line: number }) => `${name}:${number}`),
      fc.constantFrom(
        "\u{feff}a",
        ":",
        "a:",
        "a:0",
        "a:01",
        "a:1",
        "a:-1",
        "a:1e3",
        "a:999999999",
        "a:1000000000",
        "10:20:30",
      ),
    )
    fc.assert(
      fc.property(fc.array(source), (sources) => {
        const names = new SourceNames()
        for (const text of sources) names.add(text)
        expect(sources.map((_, i) => names.at(i))).toEqual(sources)
      }),
    )
  })

  it("cuts names that no file system would allow", () => {
    const names = new SourceNames()
    names.add("x".repeat(100_000))
    names.add("next")
    expect(names.at(0)).toBe("x".repeat(4096))
    expect(names.at(1)).toBe("next")
  })
})

describe("naturalOrder", () => {
  it.each([
    ["dev2 dev10", "dev10 dev2"],
    ["1.pem 2.pem 10.pem 11.pem 100.pem", "100.pem 11.pem 10.pem 2.pem 1.pem"],
    ["a a01 a1 a2 b", "b a2 a1 a01 a"],
    ["A a Ä ä", "ä a Ä A"],
    ["x9y2 x9y10 x10y1", "x10y1 x9y10 x9y2"],
    ["1 9007199254740992 9007199254740993", "9007199254740993 9007199254740992 1"],
    ["00 000 1", "1 000 00"],
  ])("sorts %s", (expected, given) => {
    expect(given.split(" ").toSorted(naturalOrder)).toEqual(expected.split(" "))
  })

  it("is a total order", () => {
    const name = fc.string({ unit: fc.constantFrom("0", "1", "2", "a", ".", "/"), maxLength: 6 })
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        const sign = (x: string, y: string): number => Math.sign(naturalOrder(x, y))
        expect(sign(a, b)).toBe(0 - sign(b, a))
        expect(sign(a, b) === 0).toBe(a === b)
        if (sign(a, b) <= 0 && sign(b, c) <= 0) expect(sign(a, c)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 2000 },
    )
  })
})
