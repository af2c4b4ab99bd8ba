import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { placeRuns, toHex } from "../../../client/index.ts"
import type { FleetChange, Hex, PlaceMark } from "../../../client/index.ts"
import { credentialFacts } from "../../../gateway/api/credentialFacts.ts"
import { CrlBook } from "../../../gateway/crl/index.ts"
import { readCrl } from "../../../gateway/crl/crlReader.ts"
import type { FreshFleet } from "../../../gateway/issuers/freshFleet.ts"
import { LocatedMarks } from "../../../gateway/issuers/locatedMarks.ts"
import type { AskPlaces } from "../../../gateway/issuers/locatedMarks.ts"
import type { CredentialPlace } from "../../../gateway/issuers/placeFinder.ts"
import { findSerial, serialStatus } from "../../../gateway/issuers/serialStatus.ts"
import type { SerialEntry } from "../../../gateway/store/serialMap.ts"
import { FakeFactory, MAKER, MemorySerials, SERIES } from "../fakeFactory.ts"
import { paperHash } from "../paperManifest.ts"

const SIZE = 12
const NOW = 1_800_000_000
let factory: FakeFactory
let known: Map<Hex, CredentialPlace>
let marks: LocatedMarks

beforeEach(async () => {
  factory = await FakeFactory.make(SIZE, NOW)
  known = new Map()
  marks = located()
})
afterEach(() => {
  marks.close()
})

function located(ask?: AskPlaces): LocatedMarks {
  const finder = { placesOf: (hash: Hex) => [known.get(hash) ?? []].flat() }
  return new LocatedMarks({ source: factory.source, finder, manufacturers: () => [MAKER], ask })
}

function place(index: number, series = SERIES): CredentialPlace {
  return { manufacturerId: MAKER, series, index, root: factory.fleet.batch(MAKER, series)!.root }
}

/** A mark that names no place, in a new block. */
function mark(subject: Hex, mark: "revoked" | "held" | "none" = "revoked", reason = mark === "held" ? 6 : 4): void {
  factory.fleet.mine()
  factory.fleet.addRecord(MAKER, subject, { mark, changedAt: factory.fleet.timestamp, reason })
  factory.source.changed({ kind: "subject", manufacturerId: MAKER, subject })
}

async function bySerial(index: number): Promise<[string, number]> {
  const { head, settled } = marks
  const subject = await findSerial({ replica: marks }, factory.signer.keyId, factory.serial(index))
  const { status, reason } = serialStatus(subject, factory.signer.keyId, { head, settled })
  return [status, reason]
}

describe("LocatedMarks", () => {
  it("bars the place of a credential that was revoked by its hash alone", async () => {
    known.set(paperHash(1), place(3))
    expect(await bySerial(3)).toEqual(["good", 0])
    mark(paperHash(1))
    expect(await bySerial(3)).toEqual(["revoked", 4])
    expect(await bySerial(2)).toEqual(["good", 0])
    mark(paperHash(2))
    for (let index = 0; index < SIZE; index++) {
      expect((await bySerial(index))[0]).toBe(index === 3 ? "revoked" : "good")
    }
  })

  it("lists it on the CRL, which is made anew at once, and takes a hold off that has ended", async () => {
    known.set(paperHash(1), place(3)).set(paperHash(2), place(5))
    const clock = (): Date => new Date(factory.fleet.timestamp * 1000)
    const context = { replica: marks, issuers: [factory.issuer], publicUrl: "http://gateway.example", now: clock }
    const book = new CrlBook(context)
    const listed = async (): Promise<string[]> => {
      const { der } = await book.complete(factory.signer.keyId)
      return [...readCrl(der).entries()].map(({ serial, reason }) => `${toHex(serial)} ${reason}`)
    }
    expect(await listed()).toEqual([])
    mark(paperHash(1))
    mark(paperHash(2), "held")
    expect(await listed()).toEqual([`${toHex(factory.serial(3))} 4`, `${toHex(factory.serial(5))} 6`])
    mark(paperHash(2), "none", 0)
    expect(await listed()).toEqual([`${toHex(factory.serial(3))} 4`])
    book.close()
  })

  it("tells of places that are found later, and of marks that were there before", async () => {
    mark(paperHash(1))
    const told: FleetChange[] = []
    marks.onChange((changes) => told.push(...changes))
    known.set(paperHash(1), place(7))
    marks.locateAll()
    expect(told).toEqual([{ kind: "places", manufacturerId: MAKER, series: SERIES, first: 7, last: 7 }])
    expect(await bySerial(7)).toEqual(["revoked", 4])
    marks.locateAll()
    expect(told).toHaveLength(1)
  })

  it("asks who takes a while, again until there is an answer", async () => {
    let ready = false
    marks.close()
    marks = located(async (hash) => {
      if (!ready) throw new Error("not ready")
      return hash === paperHash(1) ? [place(4)] : []
    })
    mark(paperHash(1))
    mark(paperHash(2))
    await expect(marks.askOwed()).rejects.toThrow("not ready")
    expect(await bySerial(4)).toEqual(["good", 0])
    ready = true
    const told: FleetChange[] = []
    marks.onChange((changes) => told.push(...changes))
    await marks.askOwed()
    expect(await bySerial(4)).toEqual(["revoked", 4])
    expect(told).toEqual([{ kind: "places", manufacturerId: MAKER, series: SERIES, first: 4, last: 4 }])
  })

  it("says nothing about another batch of the same series", async () => {
    known.set(paperHash(1), place(3))
    mark(paperHash(1))
    factory.fleet.changeBatch(MAKER, SERIES, { root: paperHash(99) })
    expect(await bySerial(3)).toEqual(["good", 0])
  })

  it("finds the place of imported certificates that came without", async () => {
    const certificate = await factory.certificate(2, { serial: Uint8Array.of(0x21, 7) })
    const serials = new MemorySerials()
    await serials.put([factory.entryOf(certificate, undefined)])
    const status = async (): Promise<string> => {
      const subject = await findSerial({ replica: marks, serials }, factory.signer.keyId, certificate.serial)
      const { head, settled } = marks
      return serialStatus(subject, factory.signer.keyId, { head, settled }, { placesOf: () => [...known.values()] })
        .status
    }
    expect(await status()).toBe("unknown")
    known.set(certificate.credentialHash, { ...place(2), root: paperHash(98) })
    expect(await status()).toBe("unknown")
    known.set(certificate.credentialHash, place(2))
    expect(await status()).toBe("good")
    factory.fleet.mark(MAKER, SERIES, 2)
    expect(await status()).toBe("revoked")
  })

  it("finds no certificate among raw public keys, as no verifier does", async () => {
    const certificate = await factory.certificate(2, { serial: Uint8Array.of(0x21, 7) })
    const { head, settled } = marks
    factory.fleet.changeBatch(MAKER, SERIES, { rawPublicKeys: true })
    const statusOf = (entry: SerialEntry): string =>
      serialStatus({ kind: "entry", entry }, factory.signer.keyId, { head, settled }, { placesOf: () => [place(2)] })
        .status

    for (const known of [place(2), undefined]) expect(statusOf(factory.entryOf(certificate, known))).toBe("unknown")
    const entry = factory.entryOf(certificate, place(2))
    const fleet = { head, settled, now: NOW } as FreshFleet
    const asked = { hash: entry.credentialHash, entry, entryFrom: "import", fleet } as const
    const facts = credentialFacts({ ...asked, deviceKeyId: undefined, manufacturerId: undefined })
    expect(facts["status"]).toBe("unknown")
    factory.fleet.changeBatch(MAKER, SERIES, { rawPublicKeys: false })
    expect(statusOf(entry)).toBe("good")
  })

  it("shows the worst mark of each place, in order, whatever the order in which they came", () => {
    const mark = fc.record({
      index: fc.integer({ min: 0, max: SIZE + 2 }),
      mark: fc.constantFrom("revoked" as const, "held" as const),
      since: fc.integer({ min: 1, max: 50 }),
      placed: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(mark, { maxLength: 20 }), (all) => {
        const { fleet } = factory
        fleet.marks.clear()
        fleet.recordList.length = 0
        known.clear()
        const worst = new Map<number, [string, number]>()
        const placed = new Set<number>()
        for (const [i, { index, mark, since, placed: isPlaced }] of all.entries()) {
          // The ledger itself names each place once here, and shows none beyond its batch.
          if (isPlaced && (placed.has(index) || index >= SIZE)) continue
          const subject = paperHash(i)
          if (isPlaced) {
            placed.add(index)
            fleet.mark(MAKER, SERIES, index, { mark, since, subject })
          } else {
            known.set(subject, place(index))
            fleet.addRecord(MAKER, subject, { mark, changedAt: since, reason: 4 })
          }
          const before = worst.get(index)
          const order = ({ mark, since }: { mark: string; since: number }): number =>
            (mark === "held" ? 100 : 0) + since
          if (before === undefined || order({ mark, since }) < order({ mark: before[0], since: before[1] })) {
            worst.set(index, [mark, since])
          }
        }
        const view = located()
        view.locateAll()
        const shown: PlaceMark[] = [...view.head.placeMarks(MAKER, SERIES)]
        const expected = [...worst].filter(([index]) => index < SIZE).sort(([a], [b]) => a - b)
        expect(shown.map(({ index, mark, since }) => [index, [mark, since]])).toEqual(expected)
        for (const { index, ...rest } of shown) {
          expect(view.head.placeMark(MAKER, SERIES, index)).toEqual({ index, ...rest })
        }
        const { head, settled } = view
        const runs = [...placeRuns({ head, settled, manufacturerId: MAKER, series: SERIES })]
        expect(runs.flatMap(({ first }) => first)).toEqual(expected.map(([index]) => index))
        view.close()
      }),
      { numRuns: 300 },
    )
  })
})
