import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { defaultCrypto, StaleHeadError, toHex } from "../../../client/index.ts"
import * as revocationErrors from "../../../gateway/errors/revocation.ts"
import { CrlBook, crlAddresses, crlRoutes, writeStatic } from "../../../gateway/crl/index.ts"
import type { CrlContext, SignedCrl } from "../../../gateway/crl/index.ts"
import { CRL_FAILURE } from "../../../gateway/crl/failures.ts"
import { readCrl, verifyCrl } from "../../../gateway/crl/crlReader.ts"
import { writeCrl } from "../../../gateway/crl/crlWriter.ts"
import { numberInShard, placeInShard, shardEnds, shardNamed, shardOf } from "../../../gateway/crl/shards.ts"
import { FakeFactory, MAKER, MemorySerials, SERIES } from "../fakeFactory.ts"
import { findRoute } from "../serveRoutes.ts"

const NOW = 1_800_000_000
const SIZE = 20_000
let factory: FakeFactory
let clock: number
let book: CrlBook
let published: number

beforeEach(async () => {
  factory = await FakeFactory.make(SIZE, NOW)
  clock = NOW
  published = 0
  book = new CrlBook(context())
})

afterEach(() => {
  book.close()
})

function context(more: Partial<CrlContext> = {}): CrlContext {
  return {
    replica: factory.source,
    issuers: [factory.issuer],
    publicUrl: "http://gateway.example",
    now: () => new Date(clock * 1000),
    report: ({ outcome }) => {
      if (outcome === "published") published++
    },
    ...more,
  }
}

const complete = async (): Promise<SignedCrl> => book.complete(factory.signer.keyId)
const delta = async (): Promise<SignedCrl> => book.delta(factory.signer.keyId)

/** Changes the ledger in a new block and tells the gateway. */
function block(change: () => void = () => undefined, seconds = 2): void {
  factory.fleet.mine(seconds)
  clock += seconds
  change()
  factory.source.changed({ kind: "places", manufacturerId: MAKER, series: SERIES, first: 0, last: SIZE - 1 })
}

/** What a CRL lists: index and reason, for serials of places. */
function listed(crl: SignedCrl): [index: number, reason: number][] {
  return [...readCrl(crl.der).entries()].map(({ serial, reason }) => {
    const index = new DataView(serial.buffer, serial.byteOffset).getUint32(9)
    expect(toHex(serial)).toBe(toHex(factory.serial(index)))
    return [index, reason]
  })
}

function byPlace(entries: [index: number, reason: number][]): [index: number, reason: number][] {
  return entries.sort(([a], [b]) => a - b)
}

describe("the complete CRL", () => {
  it("is the issuer's, dated by the block, and empty while nobody is barred", async () => {
    const { der, thisUpdate, nextUpdate } = await complete()
    const crl = readCrl(der)
    expect(await verifyCrl(crl, factory.signer.spki, defaultCrypto())).toBe(true)
    expect(crl.issuerDer).toEqual(factory.issuer.certificate.subjectDer)
    expect(crl.authorityKeyIdentifier).toEqual(factory.issuer.certificate.subjectKeyIdentifier)
    expect([crl.thisUpdate, crl.nextUpdate]).toEqual([NOW - 2, NOW - 2 + 3_600])
    expect([thisUpdate, nextUpdate]).toEqual([crl.thisUpdate, crl.nextUpdate])
    expect(crl.number).toBe((BigInt(NOW - 2) << 32n) | 100n)
    expect([crl.baseNumber, crl.issuingDistributionPoint]).toEqual([undefined, undefined])
    expect([...crl.entries()]).toEqual([])
  })

  it("lists who is revoked or on hold, with time, reason and invalidity date", async () => {
    factory.fleet.mark(MAKER, SERIES, 4, { since: NOW - 50, reason: 0 })
    factory.fleet.mark(MAKER, SERIES, 15_000, { since: NOW - 40, reason: 1, subject: "0x1", invalidityDate: NOW - 999 })
    factory.fleet.mark(MAKER, SERIES, 5, { since: NOW - 30, reason: 6, mark: "held", subject: "0x2" })
    const entries = [...readCrl((await complete()).der).entries()]
    expect(entries.map(({ revokedAt, reason, invalidityDate }) => [revokedAt, reason, invalidityDate])).toEqual([
      [NOW - 50, 0, undefined],
      [NOW - 30, 6, undefined],
      [NOW - 40, 1, NOW - 999],
    ])
    expect(listed(await complete()).map(([index]) => index)).toEqual([4, 5, 15_000])
  })

  it("lists the imported by their own serials", async () => {
    const serials = new MemorySerials()
    book = new CrlBook(context({ serials }))
    const certificates = await Promise.all(
      [0, 1, 2].map((index) => factory.certificate(index, { serial: Uint8Array.of(0x20 + index, 7) })),
    )
    const place = (index: number) => ({ manufacturerId: MAKER, series: SERIES, index })
    await serials.put(certificates.map((certificate, index) => factory.entryOf(certificate, place(index))))
    factory.fleet.mark(MAKER, SERIES, 2)
    factory.fleet.addRecord(MAKER, certificates[1]!.credentialHash, { mark: "revoked", changedAt: NOW - 9, reason: 5 })
    const found = [...readCrl((await complete()).der).entries()].map(({ serial, reason }) => [toHex(serial), reason])
    expect(found).toEqual([
      [toHex(factory.serial(2)), 1],
      ["0x2107", 5],
      ["0x2207", 1],
    ])
  })

  it("lists every place of a batch, a key or a manufacturer that is barred as a whole", async () => {
    const changes: [() => void, number][] = [
      [() => factory.fleet.changeBatch(MAKER, SERIES, { mark: "revoked", changedAt: NOW, reason: 5 }), 5],
      [() => factory.fleet.admit(MAKER, { status: "suspended", statusSince: NOW }), 6],
      [() => factory.fleet.changeKey(factory.signer.keyId, { compromisedSince: NOW }), 2],
    ]
    for (const [change, reason] of changes) {
      factory = await FakeFactory.make(SIZE, NOW)
      book = new CrlBook(context())
      change()
      const entries = listed(await complete())
      expect(entries).toHaveLength(SIZE)
      expect(new Set(entries.map(([, reason]) => reason))).toEqual(new Set([reason]))
    }
  })

  it("leaves out what is not final yet, but not its bad news, and keeps holds until their end is final", async () => {
    factory.fleet.mark(MAKER, SERIES, 3, { mark: "held", reason: 6, subject: "0x1" })
    factory.source.settledFleet = factory.fleet.copy()
    factory.fleet.mine()
    factory.fleet.unmark(MAKER, SERIES, 3)
    factory.fleet.addBatch(MAKER, SERIES + 1, 10)
    factory.fleet.mark(MAKER, SERIES + 1, 4)
    const serials = [...readCrl((await complete()).der).entries()].map(({ serial }) => toHex(serial))
    expect(serials).toEqual([toHex(factory.serial(3)), toHex(factory.serial(4, SERIES + 1))])
    factory.source.settledFleet = factory.fleet.copy()
    factory.fleet.mine()
    expect([...readCrl((await complete()).der).entries()]).toHaveLength(1)
  })

  it("keeps what a reorganisation took back until the chain is final past it", async () => {
    factory.source.settledFleet = factory.fleet.copy()
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 3)
    })
    expect(listed(await complete())).toEqual([[3, 1]])
    block(() => {
      factory.fleet.unmark(MAKER, SERIES, 3)
    })
    expect(listed(await complete())).toEqual([[3, 1]])
    factory.source.settledFleet = factory.fleet.copy()
    block()
    expect(listed(await complete())).toEqual([])
  })

  it("is signed once while it is true and not due", async () => {
    const first = await complete()
    block()
    expect(await complete()).toBe(first)
    expect(published).toBe(1)
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 3)
    })
    const second = await complete()
    expect(second.number).toBeGreaterThan(first.number)
    expect(second.entityTag).not.toBe(first.entityTag)
    block(undefined, 599)
    expect(await complete()).toBe(second)
    block(undefined, 2)
    const third = await complete()
    expect(third.thisUpdate).toBe(second.thisUpdate + 601)
    expect(published).toBe(3)
  })

  it("never goes back to a lower number", async () => {
    const first = await complete()
    factory.fleet.blockNumber -= 3
    factory.fleet.timestamp -= 6
    factory.fleet.mark(MAKER, SERIES, 3)
    factory.source.changed({ kind: "subject", manufacturerId: MAKER, subject: "0x1" })
    expect(await complete()).toBe(first)
    block(() => undefined, 8)
    const second = await complete()
    expect(second.number).toBeGreaterThan(first.number)
    expect(listed(second)).toEqual([[3, 1]])
  })

  it("numbers like any other gateway on the same block", async () => {
    factory.fleet.mark(MAKER, SERIES, 3)
    const other = await new CrlBook(context()).complete(factory.signer.keyId)
    const mine = await complete()
    expect([other.number, other.entityTag]).toEqual([mine.number, mine.entityTag])
  })

  it("stays while the ledger is silent, until it ends, and is refused then", async () => {
    const first = await complete()
    factory.source.fault = new StaleHeadError({ ageSeconds: 9, maxAgeSeconds: 1 })
    clock = first.nextUpdate - 1
    expect(await complete()).toBe(first)
    clock = first.nextUpdate
    await expect(complete()).rejects.toMatchObject({ code: "CRL_ENDED" })
    factory.source.fault = undefined
    await expect(complete()).rejects.toMatchObject({ code: "CRL_ENDED", cause: { code: "STALE_HEAD" } })
  })

  it("is refused when it would be too large for anybody, while its shards are there", async () => {
    book = new CrlBook(context({ mostEntries: 100 }))
    factory.fleet.changeBatch(MAKER, SERIES, { mark: "revoked", changedAt: NOW, reason: 5 })
    await expect(complete()).rejects.toMatchObject({ code: "CRL_TOO_LARGE", entries: SIZE })
    const shard = await book.shard(factory.signer.keyId, shardOf({ series: SERIES, index: 8_192 }).name)
    expect(listed(shard)).toHaveLength(8_192)
    expect(shard.der.length).toBeLessThan(2 ** 20)
  })

  it("is made by no open issuer, whose key signs device certificates alone", async () => {
    factory.fleet.changeKey(factory.signer.keyId, { purpose: "openIssuer" })
    await expect(complete()).rejects.toMatchObject({ code: "ISSUER_KEY_ABSENT" })
  })

  it("must live for three publish intervals", () => {
    expect(() => new CrlBook(context({ publishIntervalSeconds: 600, crlLifetimeSeconds: 1_919 }))).toThrow(
      expect.objectContaining({ code: "CRL_LIFETIME_SHORT", leastSeconds: 1_920 }),
    )
    expect(new CrlBook(context({ publishIntervalSeconds: 600, crlLifetimeSeconds: 1_920 })).issuers).toHaveLength(1)
  })
})

describe("the delta CRL", () => {
  it("lists what changed since the first list of this gateway, and what was taken off it", async () => {
    factory.fleet.mark(MAKER, SERIES, 1)
    factory.fleet.mark(MAKER, SERIES, 2, { mark: "held", reason: 6, subject: "0x2" })
    const base = await complete()
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 3, { reason: 4 })
      factory.fleet.mark(MAKER, SERIES, 4, { mark: "held", reason: 6, subject: "0x4" })
      factory.fleet.unmark(MAKER, SERIES, 2)
    })
    const first = await delta()
    const read = readCrl(first.der)
    expect(read.baseNumber).toBe(base.number)
    expect(first.number).toBeGreaterThan(base.number)
    expect(await verifyCrl(read, factory.signer.spki, defaultCrypto())).toBe(true)
    expect(byPlace(listed(first))).toEqual([
      [2, 8],
      [3, 4],
      [4, 6],
    ])
    block(() => {
      factory.fleet.unmark(MAKER, SERIES, 4)
    })
    expect(byPlace(listed(await delta()))).toEqual([
      [2, 8],
      [3, 4],
      [4, 8],
    ])
  })

  it("gives with any complete CRL since its base what the newest complete CRL gives", async () => {
    // A seeded walk of revocations, holds and their ends.
    let seed = 7
    const random = (end: number): number => (seed = (seed * 48_271) % 2_147_483_647) % end
    const held = new Set<number>()
    const all: SignedCrl[] = [await complete()]
    for (let step = 0; step < 45; step++) {
      block(() => {
        const index = random(12)
        if (held.has(index) && random(2) === 0) {
          held.delete(index)
          factory.fleet.unmark(MAKER, SERIES, index)
        } else if (random(3) === 0) factory.fleet.mark(MAKER, SERIES, 100 + random(500))
        else {
          held.add(index)
          factory.fleet.mark(MAKER, SERIES, index, { mark: "held", reason: 6, subject: "0x2" })
        }
      }, 120)
      all.push(await complete())
      const newest = await delta()
      const { baseNumber } = readCrl(newest.der)
      for (const old of all.filter(({ number }) => number >= baseNumber!)) {
        const together = new Map(listed(old))
        for (const [index, reason] of listed(newest)) {
          if (reason === 8) together.delete(index)
          else together.set(index, reason)
        }
        expect(byPlace([...together])).toEqual(listed(await complete()))
      }
    }
    // The base moves along: what has ended needs no delta.
    expect(readCrl((await delta()).der).baseNumber).toBeGreaterThan(all[0]!.number)
    expect(readCrl((await delta()).der).baseNumber! >> 32n).toBeLessThanOrEqual(BigInt(clock - 3_599))
  })

  it("starts again when more changed than a delta is good for", async () => {
    factory.fleet.changeBatch(MAKER, SERIES, { size: 70_000 })
    await complete()
    block(() => {
      factory.fleet.changeBatch(MAKER, SERIES, { mark: "revoked", changedAt: NOW, reason: 5 })
    })
    const { der, number } = await delta()
    expect(readCrl(der).baseNumber).toBe(number)
    expect([...readCrl(der).entries()]).toEqual([])
  })
})

describe("shards", () => {
  it("list the places of their part alone, and name their own address", async () => {
    for (const index of [0, 8_191, 8_192, 19_999]) factory.fleet.mark(MAKER, SERIES, index)
    const names = await book.shardNames(factory.signer.keyId)
    expect(names).toHaveLength(16)
    const shards = await Promise.all(names.map((name) => book.shard(factory.signer.keyId, name)))
    const found = shards.map((shard) => listed(shard).map(([index]) => index))
    expect(found.filter(({ length }) => length > 0)).toEqual([[0], [8_191], [8_192], [19_999]])
    const addresses = crlAddresses("http://gateway.example", factory.signer.keyId)
    const address = addresses.shardOf({ series: SERIES, index: 8_192 })
    const point = readCrl(shards[14]!.der).issuingDistributionPoint!
    expect(new TextDecoder().decode(point)).toContain(address)
  })

  it("are signed anew only where something changed", async () => {
    const { keyId } = factory.signer
    const all = async () => Promise.all((await book.shardNames(keyId)).map((name) => book.shard(keyId, name)))
    const before = await all()
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 8_200)
    })
    const after = await all()
    expect(after.flatMap((shard, i) => (shard === before[i] ? [] : [i]))).toEqual([14])
  })

  it("are shared by batches of neighbouring series", async () => {
    const { keyId } = factory.signer
    const batches = 100
    for (let batch = 1; batch <= batches; batch++) factory.fleet.addBatch(MAKER, SERIES + batch, 5)
    const names = await book.shardNames(keyId)
    expect(names).toHaveLength(16)
    const name = shardOf({ series: SERIES + 1, index: 4 }).name
    expect(names).toContain(name)
    // In another order than that of their series.
    for (const batch of [70, 3, 4]) factory.fleet.mark(MAKER, SERIES + batch, 4)
    block(() => {
      factory.fleet.mark(MAKER, SERIES + 3, 3)
    })
    const serials = [...readCrl((await book.shard(keyId, name)).der).entries()].map(({ serial }) => toHex(serial))
    expect(serials).toEqual([3, 4, 70].map((batch) => toHex(factory.serial(4, SERIES + batch))))
    const before = await book.shard(keyId, name)
    block(() => {
      factory.fleet.addBatch(MAKER, SERIES + batches + 1, 5)
    })
    expect(await book.shard(keyId, name)).toBe(before)
    // Deltas know their serials too.
    block(() => {
      factory.fleet.mark(MAKER, SERIES + 9, 4, { reason: 4 })
    })
    const changed = [...readCrl((await delta()).der).entries()].map(({ serial }) => toHex(serial))
    expect(changed).toContain(toHex(factory.serial(4, SERIES + 9)))
  })

  it("stay below 1 MiB with everybody in them revoked, of whatever batches", async () => {
    const { keyId } = factory.signer
    const more = { since: NOW - 9, reason: 1, subject: "0x1", invalidityDate: NOW - 999 } as const
    const series = SERIES - 1 + 16
    for (let batch = 0; batch < 16; batch++) {
      factory.fleet.addBatch(MAKER, series + batch, 1_024)
      for (let index = 512; index < 1_024; index++) factory.fleet.mark(MAKER, series + batch, index, more)
    }
    const { name } = shardOf({ series, index: 512 })
    const shard = await book.shard(keyId, name)
    expect([...readCrl(shard.der).entries()]).toHaveLength(8_192)
    expect(shard.der.length).toBeLessThan(2 ** 20)
  })

  it("are as few as the devices need, whatever the batches", () => {
    // A day of one batch a second, and one batch for a whole factory.
    const day = Array.from({ length: 86_400 }, (_, i) => ({ series: SERIES + i, size: 5, notAfter: 0 }))
    expect(shardEnds(day).size).toBeLessThan(130)
    expect(shardEnds([{ series: SERIES, size: 1_000_000, notAfter: 0 }]).size).toBe(14 + 122)
  })

  it("have each place in one of them, told by series and index alone", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }),
        fc.integer({ min: 0, max: 2 ** 32 - 2 }),
        (series, i) => {
          for (const index of [i, i % 8_192, i % 64]) {
            const shard = shardOf({ series, index })
            const number = numberInShard(shard, { series, index })
            expect(number).toBeGreaterThanOrEqual(0)
            expect(number).toBeLessThan(8_192)
            expect(placeInShard(shard, number)).toEqual({ series, index })
            expect(shardOf(placeInShard(shard, 8_191)).name).toBe(shard.name)
            expect(shardOf(placeInShard(shard, 0)).name).toBe(shard.name)
            expect(shardNamed(shard.name)).toEqual(shard)
          }
        },
      ),
    )
    for (const name of ["", "x", "2147483649-0-0", "2147483648-0-1", "2147483648-3-3", "02147483648-0-0"]) {
      expect(shardNamed(name)).toBeUndefined()
    }
  })

  it("are there for the places of the ledger alone", async () => {
    const beyond = shardOf({ series: SERIES, index: 24_576 }).name
    for (const name of [beyond, `${SERIES}-0-0`, `${SERIES + 8_192}-0-0`, "1-0-0", "imported-0"]) {
      await expect(book.shard(factory.signer.keyId, name)).rejects.toMatchObject({ code: "CRL_UNKNOWN" })
    }
  })
})

describe("the CRL routes", () => {
  async function call(path: string, headers: Record<string, string> = {}) {
    return findRoute(crlRoutes(context(), book), path, "GET")!.handle({
      method: "GET",
      path,
      query: new URLSearchParams(),
      headers,
      body: new Uint8Array(0),
      clientCertificate: undefined,
      secure: false,
      remoteAddress: "127.0.0.1",
      signal: AbortSignal.timeout(10_000),
    })
  }

  it("give each CRL at its address, with an entity tag", async () => {
    const digits = factory.signer.keyId.slice(2)
    for (const path of [`/crl/${digits}.crl`, `/crl/${digits}-delta.crl`, `/crl/${digits}/${SERIES}-8192-16383.crl`]) {
      const { status, headers, body } = await call(path)
      expect([status, headers["Content-Type"]]).toEqual([200, "application/pkix-crl"])
      expect(readCrl(body as Uint8Array).number).toBeDefined()
      const again = await call(path, { "if-none-match": `"x", ${headers["ETag"]}` })
      expect([again.status, again.body]).toEqual([304, new Uint8Array(0)])
    }
  })

  it("know no others", async () => {
    const digits = factory.signer.keyId.slice(2)
    const paths = ["", "x.crl", digits, `${digits.toUpperCase()}.crl`, `${"0".repeat(64)}.crl`, `${digits}/1-1-1.crl`]
    for (const path of [...paths, `${digits}/../${digits}.crl`, `${digits}/%2e%2e.crl`]) {
      expect((await call(`/crl/${path}`)).status).toBe(404)
    }
  })

  it("ask to come again while there is none", async () => {
    factory.source.fault = new StaleHeadError({ ageSeconds: 9, maxAgeSeconds: 1 })
    const { status, headers, body } = await call(`/crl/${factory.signer.keyId.slice(2)}.crl`)
    expect([status, headers["Retry-After"], body]).toEqual([503, "10", new Uint8Array(0)])
  })

  it("have a table of failures whose errors are explained", () => {
    const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8")
    for (const name of Object.keys(CRL_FAILURE)) expect(page).toContain(`\`${name}\``)
    const asked = Object.keys(revocationErrors).filter((name) => /^Crl(Unknown|TooLarge|Ended)/.test(name))
    expect(asked).toHaveLength(3)
    expect(asked.filter((name) => !Object.hasOwn(CRL_FAILURE, name))).toEqual([])
  })
})

describe("writeStatic", () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fleetroot-crl-"))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it("writes the files of all addresses, and again only those that are newer", async () => {
    expect(await writeStatic(book, folder)).toEqual({ written: 18, left: 0, removed: 0, failed: [] })
    const digits = factory.signer.keyId.slice(2)
    expect(readdirSync(join(folder, "crl")).sort()).toEqual([digits, `${digits}-delta.crl`, `${digits}.crl`].sort())
    expect(readdirSync(join(folder, "crl", digits))).toHaveLength(16)
    expect(await writeStatic(book, folder)).toEqual({ written: 0, left: 18, removed: 0, failed: [] })
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 8_200)
    })
    expect(await writeStatic(book, folder)).toEqual({ written: 3, left: 15, removed: 0, failed: [] })
  })

  it("never puts an older list in the place of a newer one, but replaces what is damaged", async () => {
    await writeStatic(book, folder)
    const file = join(folder, "crl", `${factory.signer.keyId.slice(2)}.crl`)
    const newer = await writeCrl({
      issuerDer: factory.issuer.certificate.subjectDer,
      signer: factory.signer,
      authorityKeyIdentifier: factory.issuer.keyIdentifier,
      thisUpdate: NOW + 100,
      nextUpdate: NOW + 200,
      number: BigInt(NOW + 100) << 32n,
      entries: [],
    })
    writeFileSync(file, newer)
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 8_200)
    })
    await writeStatic(book, folder)
    expect(new Uint8Array(readFileSync(file))).toEqual(newer)
    writeFileSync(file, newer.subarray(0, 50))
    await writeStatic(book, folder)
    expect(readCrl(new Uint8Array(readFileSync(file))).number).toBe((await complete()).number)
  })

  it("removes shards whose certificates have all ended, and no other file", async () => {
    const digits = factory.signer.keyId.slice(2)
    const shards = (): string[] => readdirSync(join(folder, "crl", digits)).sort()
    const later = SERIES + 8_192
    factory.fleet.addBatch(MAKER, later, 2, { notAfter: NOW + 1_000 })
    await writeStatic(book, folder)
    const all = shards()
    writeFileSync(join(folder, "crl", digits, "notes.txt"), "ours")
    writeFileSync(join(folder, "crl", digits, "2147483648-0.crl"), "another's")
    block(() => undefined, 1_000 + 30 * 86_400 - 10)
    expect((await writeStatic(book, folder)).removed).toBe(0)
    block(() => undefined, 20)
    // A gateway that knows more of the ledger has written one of them.
    const newer = new CrlBook(context())
    const [kept = "", gone = ""] = [0, 1].map((index) => `${shardOf({ series: later, index }).name}.crl`)
    const { der } = await newer.shard(factory.signer.keyId, kept.slice(0, -4))
    expect(all).toEqual(expect.arrayContaining([kept, gone]))
    const numbered = await writeCrl({
      issuerDer: factory.issuer.certificate.subjectDer,
      signer: factory.signer,
      authorityKeyIdentifier: factory.issuer.keyIdentifier,
      thisUpdate: clock + 2,
      nextUpdate: clock + 100,
      number: readCrl(der).number! + 1n,
      entries: [],
    })
    writeFileSync(join(folder, "crl", digits, kept), numbered)
    expect((await writeStatic(book, folder)).removed).toBe(1)
    expect(shards()).toEqual([...all.filter((name) => name !== gone), "2147483648-0.crl", "notes.txt"].sort())
    // Somebody registers a batch of a series in between: its shard is there again.
    block(() => {
      factory.fleet.addBatch(MAKER, later + 1, 2)
    })
    await writeStatic(book, folder)
    expect(shards()).toContain(gone)
  })

  it("says what it could not make, and leaves it as it was", async () => {
    await writeStatic(book, folder)
    book = new CrlBook(context({ mostEntries: 10 }))
    factory.fleet.mine()
    factory.fleet.changeBatch(MAKER, SERIES, { mark: "revoked", changedAt: NOW, reason: 5 })
    const { written, failed } = await writeStatic(book, folder)
    expect(written).toBe(17)
    expect(failed.map(({ error }) => error.name)).toEqual(["CrlTooLargeError"])
  })
})
