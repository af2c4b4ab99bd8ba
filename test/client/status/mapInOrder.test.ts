import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mapInOrder } from "../../../client/status/mapInOrder.ts"

/** A promise that somebody else settles. */
function gate<Value>(): { promise: Promise<Value>; open: (value: Value) => void; fail: (error: unknown) => void } {
  let open: (value: Value) => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const promise = new Promise<Value>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open, fail }
}

function later<Value>(value: Value): Promise<Value> {
  return new Promise((resolve) => {
    setImmediate(resolve, value)
  })
}

async function all<Value>(stream: AsyncIterable<Value>): Promise<Value[]> {
  const values: Value[] = []
  for await (const value of stream) values.push(value)
  return values
}

/** 0, 1, 2 … below `end`, and how many were asked for and whether somebody said that no more are wanted. */
function counting(end: number) {
  const seen = { asked: 0, closed: 0 }
  function* numbers(): Generator<number> {
    try {
      for (; seen.asked < end;) yield seen.asked++
    } finally {
      seen.closed++
    }
  }
  return { seen, numbers }
}

async function* asynchronously<Value>(values: Iterable<Value>): AsyncGenerator<Value> {
  for (const value of values) {
    await Promise.resolve()
    yield value
  }
}

describe("mapInOrder", () => {
  it("keeps the order, whoever is there first, from any source, for any bound", async () => {
    const kinds = fc.array(fc.constantFrom("now", "soon", "late"), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(kinds, fc.integer({ min: 1, max: 9 }), fc.boolean(), async (answers, bound, promised) => {
        const work = (i: number) => {
          if (answers[i] === "now") return i
          return answers[i] === "soon" ? Promise.resolve(i) : later(i)
        }
        const indices = answers.map((_, i) => i)
        const source = promised ? asynchronously(indices) : indices
        expect(await all(mapInOrder(source, work, bound))).toEqual(indices)
      }),
      { numRuns: 200 },
    )
  })

  it("asks for no more than there is room, and for nothing while nobody takes", async () => {
    const { seen, numbers } = counting(1_000)
    const gates = Array.from({ length: 1_000 }, () => gate<string>())
    const stream = mapInOrder(numbers(), (i) => gates[i]?.promise, 4)
    expect(seen.asked).toBe(0)

    const first = stream.next()
    await Promise.resolve()
    expect(seen.asked).toBe(4)
    gates[0]?.open("a")
    expect((await first).value).toBe("a")
    expect(seen.asked).toBe(4)

    const second = stream.next()
    await Promise.resolve()
    expect(seen.asked).toBe(5)
    gates[1]?.open("b")
    await second
    await stream.return()
    expect(seen.closed).toBe(1)
  })

  it("asks for one at a time where answers are there at once", async () => {
    const { seen, numbers } = counting(1_000)
    const stream = mapInOrder(numbers(), (i) => i, 100)
    await stream.next()
    expect(seen.asked).toBe(1)
    await stream.return()
    expect(seen.closed).toBe(1)
  })

  it("hands out an answer while its source is silent", async () => {
    const silence = gate<never>()
    async function* source() {
      yield 1
      yield 2
      await silence.promise
    }
    const stream = mapInOrder(source(), (i) => Promise.resolve(i), 10)
    expect(await stream.next()).toEqual({ done: false, value: 1 })
    expect(await stream.next()).toEqual({ done: false, value: 2 })
    const third = stream.next()
    silence.fail(new Error("closed"))
    await expect(third).rejects.toThrow("closed")
  })

  it("can be left while its source is silent", async () => {
    let left = 0
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => {
        let asked = 0
        return {
          next: () => (asked++ === 0 ? Promise.resolve({ done: false, value: 7 }) : new Promise(() => {})),
          return: () => {
            left++
            return new Promise(() => {})
          },
        }
      },
    }
    for await (const value of mapInOrder(source, (i) => Promise.resolve(i), 10)) {
      expect(value).toBe(7)
      break
    }
    expect(left).toBe(1)
  })

  it("gives the answers before a failure of the work, then the failure, and closes the source", async () => {
    for (const failing of [
      () => {
        throw new Error("the third")
      },
      () => Promise.reject(new Error("the third")),
    ]) {
      const { seen, numbers } = counting(1_000)
      const taken: number[] = []
      const taking = (async () => {
        for await (const value of mapInOrder(numbers(), (i) => (i === 2 ? failing() : Promise.resolve(i)), 8))
          taken.push(value)
      })()
      await expect(taking).rejects.toThrow("the third")
      expect(taken).toEqual([0, 1])
      expect(seen.closed).toBe(1)
    }
  })

  it("gives the answers before a failure of the source, then the failure", async () => {
    function* source() {
      yield 1
      yield 2
      throw new Error("the disk is gone")
    }
    for (const from of [source(), asynchronously(source())]) {
      for (const work of [(i: number) => i, (i: number) => later(i)]) {
        const taken: number[] = []
        const taking = (async () => {
          for await (const value of mapInOrder(from, work, 8)) taken.push(value)
        })()
        await expect(taking).rejects.toThrow("the disk is gone")
        expect(taken).toEqual([1, 2])
        break
      }
    }
  })

  it("lets others have their turn between answers that are there at once", async () => {
    let turns = 0
    const others = setInterval(() => turns++, 0)
    const busy = (i: number): number => {
      const until = performance.now() + 0.1
      while (performance.now() < until);
      return i
    }
    await all(mapInOrder(counting(1_000).numbers(), busy, 8))
    clearInterval(others)
    expect(turns).toBeGreaterThan(0)
  })
})
