import { describe, expect, it } from "vitest"
import { FirmwareVerifier, processFirmwareMemory } from "../../../client/index.ts"
import type { CheckFirmwareParameters, FirmwareMemory, Hex } from "../../../client/index.ts"
import { inspect, publicKey, streamOf, vector } from "./inspect.ts"
import { PaperLedger } from "./paperLedger.ts"
import { failed, PRODUCT } from "./world.ts"

// key-a, key-ed and key-rsa are on the ledger, key-b is not.
const ON_LEDGER = ["key-a", "key-ed", "key-rsa"].map((name) => publicKey(`mcuboot/${name}.pub.pem`))
const SUIT_KEY = publicKey("suit/example_key.pub.pem")

async function paper(): Promise<PaperLedger> {
  const ledger = new PaperLedger(...ON_LEDGER, SUIT_KEY)
  ledger.show({
    releases: [
      ledger.release(await digestOf("p256-a-v1.3.9.bin"), 6),
      ledger.release(await digestOf("p256-a-v1.4.0.bin"), 7),
      ledger.release(await digestOf("p256-a-v1.4.1-padded.bin"), 8),
    ],
  })
  return ledger
}

async function digestOf(file: string): Promise<Hex> {
  return (await inspect(vector(`mcuboot/${file}`))).imageDigest
}

async function failing(ledger: PaperLedger, parameters: Partial<CheckFirmwareParameters>, memory?: FirmwareMemory) {
  const verifier = new FirmwareVerifier({ ledger, now: ledger.now, ...(memory === undefined ? {} : { memory }) })
  return failed(await verifier.check({ image: new Uint8Array(0), manufacturerId: 2, product: PRODUCT, ...parameters }))
}

describe("the MCUboot vectors, released and checked", () => {
  it.each<[string, string[]]>([
    ["p256-a-v1.4.0.bin", []],
    ["p256-a-v1.3.9.bin", []],
    ["p256-a-v1.4.1-padded.bin", []],
    ["p256-b-v1.4.0.bin", ["signature", "signerKey"]],
    ["ed25519-v1.4.0.bin", []],
    ["rsa2048-v1.4.0.bin", []],
    ["unsigned-v1.4.0.bin", ["signature", "published"]],
  ])("%s", async (file, expected) => {
    const ledger = await paper()
    const image = vector(`mcuboot/${file}`)
    expect(await failing(ledger, { image })).toEqual(expected)
    expect(await failing(ledger, { image: streamOf(image, 4_096) })).toEqual(expected)
  })

  it("refuses 1.3.9 as a roll-back once 7 is the minimum, or runs", async () => {
    const ledger = await paper()
    const image = vector("mcuboot/p256-a-v1.3.9.bin")
    expect(await failing(ledger, { image, installedSecurityVersion: 7 })).toEqual(["rollback"])
    ledger.show({ minimum: 7 })
    expect(await failing(ledger, { image })).toEqual(["minimum"])
    expect(await failing(ledger, { image: vector("mcuboot/p256-a-v1.4.0.bin") })).toEqual([])
  })

  it("takes the detached signature by key-a, unpublished", async () => {
    const ledger = await paper()
    const image = vector("mcuboot/htc_9271-1.4.0.fw")
    const signature = vector("mcuboot/htc_9271-1.4.0.fw.sig")
    expect(await failing(ledger, { image, signature, unpublished: true })).toEqual([])
    expect(await failing(ledger, { image, signature })).toEqual(["published"])
    ledger.keys.splice(0, 1)
    expect(await failing(ledger, { image, signature, unpublished: true })).toEqual(["signature"])
  })
})

describe("histories", () => {
  it("count a release when its block is final", async () => {
    const ledger = await paper()
    const { releases } = ledger.latest
    ledger.final = { ...ledger.latest, number: 9, releases: [] }
    const image = vector("mcuboot/p256-a-v1.4.0.bin")
    expect(await failing(ledger, { image })).toEqual(["final"])
    ledger.show({ releases })
    expect(await failing(ledger, { image })).toEqual([])
    // The same release in another block than the final one's is not that release.
    ledger.final = { ...ledger.latest, releases: releases.map((one) => ({ ...one, releasedAt: one.releasedAt - 1 })) }
    expect(await failing(ledger, { image })).toEqual(["final"])
  })

  it("count a recall at once, and keep it until the chain is final without it", async () => {
    const ledger = await paper()
    const memory = processFirmwareMemory()
    const image = vector("mcuboot/p256-a-v1.4.0.bin")
    const sound = ledger.latest
    const recalled = { ...sound, number: 11, releases: sound.releases.map((one) => ({ ...one, recalledAt: 1 })) }
    ledger.latest = recalled
    expect(await failing(ledger, { image }, memory)).toEqual(["recall"])
    // A reorganisation takes the recall away: until the chain is final past it, it stands.
    ledger.latest = { ...sound, number: 12 }
    expect(await failing(ledger, { image }, memory)).toEqual(["recall"])
    expect(await failing(ledger, { image })).toEqual([])
    ledger.show({ ...sound, number: 12 })
    expect(await failing(ledger, { image }, memory)).toEqual([])
    expect(
      await memory.recallSeen({ manufacturerId: 2, product: sound.releases[0]?.product ?? "0x" }, "0x"),
    ).toBeUndefined()
  })

  it("count the end of a suspension, and a new key, when their block is final", async () => {
    const ledger = await paper()
    const image = vector("mcuboot/p256-a-v1.4.0.bin")
    const sound = ledger.latest
    ledger.final = { ...sound, number: 9, status: "suspended" }
    expect(await failing(ledger, { image })).toEqual(["manufacturer"])
    ledger.final = sound
    ledger.latest = { ...sound, number: 11, status: "suspended" }
    expect(await failing(ledger, { image })).toEqual(["manufacturer"])
    ledger.latest = sound
    const file = vector("mcuboot/htc_9271-1.4.0.fw")
    const signature = vector("mcuboot/htc_9271-1.4.0.fw.sig")
    expect(await failing(ledger, { image: file, signature, unpublished: true })).toEqual([])
    ledger.final = { ...sound, number: 9, keyCount: 0 }
    expect(await failing(ledger, { image: file, signature, unpublished: true })).toEqual(["signerStanding"])
  })

  it("never take a minimum back", async () => {
    const ledger = await paper()
    const memory = processFirmwareMemory()
    const image = vector("mcuboot/p256-a-v1.3.9.bin")
    ledger.show({ minimum: 7 })
    expect(await failing(ledger, { image }, memory)).toEqual(["minimum"])
    ledger.show({ minimum: 0 })
    expect(await failing(ledger, { image })).toEqual([])
    expect(await failing(ledger, { image }, memory)).toEqual(["minimum"])
    expect(await failing(ledger, { image: vector("mcuboot/p256-a-v1.4.0.bin") }, memory)).toEqual(["minimum"])
  })

  it("need signatures that a contract would not have taken to be worth nothing", async () => {
    const ledger = await paper()
    const [release] = ledger.latest.releases.slice(1)
    if (release === undefined) throw new Error("no release")
    const image = vector("mcuboot/p256-a-v1.4.0.bin")
    const outcomes: string[][] = []
    for (const odd of [{ threshold: 0 }, { signers: [] }, { signers: [1, 1], threshold: 2 }, { signers: [99] }]) {
      ledger.show({ releases: [{ ...release, ...odd }] })
      outcomes.push(await failing(ledger, { image }))
    }
    expect(outcomes).toEqual(outcomes.map(() => ["releaseSignatures"]))
  })
})

describe("sources", () => {
  const failingSource = (size: number) => ({
    size,
    read: async () => {
      throw new Error("the disk is gone")
    },
  })

  it.each<[string, () => CheckFirmwareParameters["image"], string[]]>([
    ["one that gives too little", () => ({ size: 100, read: async () => new Uint8Array(50) }), ["size"]],
    ["one that gives no bytes", () => ({ size: 100, read: async () => "x" as never }), ["size"]],
    ["one with half a size", () => ({ size: 0.5, read: async () => new Uint8Array(0) }), ["size"]],
    ["one that fails", () => failingSource(100), ["size"]],
    ["a stream of text", () => chunks("text" as never), ["size"]],
    ["a stream that fails", () => broken(), ["size"]],
    ["a stream of nothing, for ever", () => endless(new Uint8Array(0)), ["size"]],
    ["a stream of 0xff, for ever", () => endless(new Uint8Array(65_536).fill(0xff)), ["size"]],
    ["an image that never ends", () => image0xff(), ["size"]],
  ])("refuses %s", async (_what, input, expected) => {
    expect(await failing(await paper(), { image: input(), maximumBytes: 10_000_000 })).toEqual(expected)
  })

  it("stops a download one chunk behind the limit, and tells whoever sends", async () => {
    let sent = 0
    let stopped = false
    async function* download(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          sent += 1_000
          yield new Uint8Array(1_000)
        }
      } finally {
        stopped = true
      }
    }
    expect(await failing(await paper(), { image: download(), maximumBytes: 50_000 })).toEqual(["size"])
    expect(sent).toBeLessThanOrEqual(52_000)
    await expect.poll(() => stopped).toBe(true)
  })
})

async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10)
  throw new Error("connection reset")
}

async function* endless(part: Uint8Array): AsyncGenerator<Uint8Array> {
  for (;;) yield part
}

/** A sound image with padding that goes on. */
async function* image0xff(): AsyncGenerator<Uint8Array> {
  yield vector("mcuboot/p256-a-v1.4.0.bin")
  yield* endless(new Uint8Array(65_536).fill(0xff))
}
