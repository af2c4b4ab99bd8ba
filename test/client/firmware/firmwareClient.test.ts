import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  formatReleaseFile,
  generateP256Key,
  isSignedBy,
  P256_ORDER,
  parseReleaseFile,
  prepareRelease,
  productId,
  releaseStatement,
  signerFromPkcs8,
  signRelease,
  toHex,
} from "../../../client/index.ts"
import type { KeySigner, ReleaseDraft } from "../../../client/index.ts"
import { writeMcuboot } from "../../helpers/mcuboot.ts"
import { payer } from "../../helpers/ledger.ts"
import { makeKey } from "./openssl.ts"
import { FirmwareWorld, PRODUCT } from "./world.ts"

let world: FirmwareWorld
let keys: KeySigner[]
let snapshot: unknown

const key = (i: number): KeySigner => keys[i] as KeySigner
const imageOf = (securityVersion: number) => writeMcuboot({ signer: key(0), securityCounter: securityVersion })

beforeAll(async () => {
  world = await FirmwareWorld.start()
  keys = await Promise.all(Array.from({ length: 9 }, () => generateP256Key()))
  await world.addKeys(...keys)
})
afterAll(() => world.net.close())
beforeEach(async () => {
  if (snapshot !== undefined) await world.net.ask("evm_revert", snapshot)
  snapshot = await world.net.ask("evm_snapshot")
  world = new FirmwareWorld(world.net.again(), world.maker, 1)
  await world.net.syncClock()
})

async function draftOf(securityVersion = 7, options: Partial<ReleaseDraft> = {}): Promise<ReleaseDraft> {
  const image = await imageOf(securityVersion)
  const draft = await world.firmware.prepare({ product: PRODUCT, image, version: "1.4.0", uri: "https://a.example/x" })
  return { ...draft, ...options }
}

async function signedBy(draft: ReleaseDraft, ...indices: readonly number[]): Promise<ReleaseDraft> {
  let signed = draft
  for (const i of indices) signed = await signRelease(signed, key(i))
  return signed
}

describe("a release on its way", () => {
  it("travels as a file between its signers, in any order", async () => {
    const first = formatReleaseFile(await draftOf())
    const second = formatReleaseFile(await signRelease(parseReleaseFile(first), key(4)))
    const third = formatReleaseFile(await signRelease(parseReleaseFile(second), key(1)))
    const { release, transaction } = await world.firmware.publish(parseReleaseFile(third))
    expect(release).toMatchObject({ securityVersion: 7, signers: [2, 5], threshold: 1 })
    expect(Number(transaction?.gasUsed)).toBeGreaterThan(20_000)
    expect(await world.firmware.list()).toMatchObject([{ texts: { version: "1.4.0", uri: "https://a.example/x" } }])
  })

  it("is signed once by each key, with low s, and by P-256 keys only", async () => {
    const once = await signedBy(await draftOf(), 0)
    expect(await signedBy(once, 0)).toEqual(once)
    for (let i = 0; i < 20; i++) {
      const { signatures } = await signedBy(await draftOf(7, { version: `v${i}` }), 0)
      expect(BigInt(signatures[0]?.s ?? "0x0") <= P256_ORDER / 2n).toBe(true)
    }
    const ed25519 = await signerFromPkcs8(await makeKey("ed25519"))
    await expect(signRelease(once, ed25519)).rejects.toMatchObject({ code: "RELEASE_SIGNER" })
    const eight = await signedBy(await draftOf(), 0, 1, 2, 3, 4, 5, 6, 7)
    await expect(signedBy(eight, 8)).rejects.toMatchObject({ code: "RELEASE_SIGNER" })
  })

  it("does not take a signer's wrong signature", async () => {
    const broken = { ...key(0), sign: async () => key(1).sign(new Uint8Array(1)) }
    await expect(signRelease(await draftOf(), broken)).rejects.toMatchObject({ code: "RELEASE_SIGNATURE_INVALID" })
  })

  it("has another statement for each thing that it says", async () => {
    const draft = await draftOf()
    const changes: Partial<ReleaseDraft>[] = [
      { chainId: 1 },
      { registry: `0x${"11".repeat(20)}` },
      { manufacturerId: 2 },
      { product: productId("other") },
      { securityVersion: 8 },
      { imageDigest: `0x${"22".repeat(32)}` },
      { manifestDigest: `0x${"33".repeat(32)}` },
      { version: "1.4.1" },
      { uri: "" },
    ]
    const statements = [draft, ...changes.map((change) => ({ ...draft, ...change }))].map((fields) =>
      toHex(releaseStatement(fields)),
    )
    expect(new Set(statements).size).toBe(statements.length)
    expect(statements.every((statement) => /^0x1901[0-9a-f]{128}$/.test(statement))).toBe(true)
    // A signature for one is one for none of the others.
    const { signatures } = await signedBy(draft, 0)
    const good = changes.map((change) => isSignedBy({ ...draft, ...change }, signatures[0] as never, key(0).spki))
    expect(good).toEqual(changes.map(() => false))
    expect(isSignedBy(draft, signatures[0] as never, key(0).spki)).toBe(true)
  })

  it("refuses the signature's twin and signatures that are none", async () => {
    const draft = await signedBy(await draftOf(), 0)
    const [signature] = draft.signatures
    if (signature === undefined) throw new Error("no signature")
    const twin = { ...signature, s: `0x${(P256_ORDER - BigInt(signature.s)).toString(16).padStart(64, "0")}` } as const
    const zero = { ...signature, s: `0x${"0".repeat(64)}` } as const
    expect([twin, zero].map((one) => isSignedBy(draft, one, key(0).spki))).toEqual([false, false])
    for (const one of [twin, zero]) {
      await expect(world.firmware.publish({ ...draft, signatures: [one] })).rejects.toMatchObject({
        code: "RELEASE_SIGNATURE_INVALID",
      })
    }
  })
})

describe("publication", () => {
  it("needs as many distinct current keys as the threshold says: all subsets of five keys", async () => {
    const rest = await world.net.ask("evm_snapshot")
    const wrong: string[] = []
    let held = rest
    for (const threshold of [1, 2, 3, 4, 5, 6]) {
      await world.net.ask("evm_revert", held)
      held = await world.net.ask("evm_snapshot")
      world = new FirmwareWorld(world.net.again(), world.maker, 1)
      if (threshold > 1) await world.firmware.setThreshold(threshold)
      const ready = await world.net.ask("evm_snapshot")
      let again = ready
      for (let subset = 0; subset < 32; subset++) {
        const members = [0, 1, 2, 3, 4].filter((i) => (subset & (1 << i)) !== 0)
        const enough = members.length >= threshold
        await world.net.ask("evm_revert", again)
        again = await world.net.ask("evm_snapshot")
        const here = new FirmwareWorld(world.net.again(), world.maker, 1)
        const draft = await signedBy(await draftOf(), ...members)
        const outcome = await here.firmware.publish(draft).then(
          () => "published",
          (error: unknown) => (error as { code: string }).code,
        )
        if (outcome !== (enough ? "published" : "RELEASE_SIGNATURES_COUNT")) {
          wrong.push(`${threshold} of ${members.join("")}: ${outcome}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it("counts a key once, and none that is removed", async () => {
    await world.firmware.setThreshold(2)
    const draft = await signedBy(await draftOf(), 0)
    const [signature] = draft.signatures
    const twice = { ...draft, signatures: [signature, signature] as never }
    await expect(world.firmware.publish(twice)).rejects.toMatchObject({ code: "CONTRACT_REVERTED" })
    const both = await signedBy(draft, 1)
    await world.maker.revokeKey(2)
    await expect(world.firmware.publish(both)).rejects.toMatchObject({ code: "RELEASE_SIGNER" })
    await expect(world.firmware.publish(await signedBy(draft, 2))).resolves.toMatchObject({
      release: { signers: [1, 3] },
    })
  })

  it("once is as good as twice, by anybody", async () => {
    const draft = await signedBy(await draftOf(), 0)
    expect((await world.firmware.publish(draft)).transaction).not.toBeNull()
    expect((await world.firmware.publish(draft)).transaction).toBeNull()
    const next = await signedBy(await draftOf(8), 0)
    const stranger = new FirmwareWorld(world.net, world.maker, 3)
    expect(payer(3).address).not.toBe(payer(1).address)
    expect((await stranger.firmware.publish(next)).transaction).not.toBeNull()
  })

  it.each<[string, () => Promise<ReleaseDraft>, string]>([
    ["no signature", () => draftOf(), "RELEASE_SIGNATURES_COUNT"],
    ["another chain", async () => signedBy(await draftOf(7, { chainId: 1 }), 0), "RELEASE_FOREIGN"],
    [
      "another registry",
      async () => signedBy(await draftOf(7, { registry: `0x${"11".repeat(20)}` }), 0),
      "RELEASE_FOREIGN",
    ],
    ["another manufacturer", async () => signedBy(await draftOf(7, { manufacturerId: 2 }), 0), "RELEASE_FOREIGN"],
    [
      "a change after signing",
      async () => ({ ...(await signedBy(await draftOf(), 0)), version: "2" }),
      "RELEASE_SIGNATURE_INVALID",
    ],
    [
      "a key that is not on the ledger",
      async () => signRelease(await draftOf(), await generateP256Key()),
      "RELEASE_SIGNER",
    ],
    ["a step beyond 1,024", async () => signedBy(await draftOf(1_025), 0), "CONTRACT_REVERTED"],
    ["a control character", async () => ({ ...(await draftOf()), uri: "a\u0001" }), "RELEASE_FIELD"],
    ["a version of 65 octets", async () => ({ ...(await draftOf()), version: "é".repeat(33) }), "RELEASE_FIELD"],
    ["no version", async () => ({ ...(await draftOf()), version: "" }), "RELEASE_FIELD"],
    ["security version 0", async () => ({ ...(await draftOf()), securityVersion: 0 }), "RELEASE_FIELD"],
  ])("refuses %s by name", async (_what, make, code) => {
    const draft = await make()
    await expect(world.firmware.publish(draft)).rejects.toMatchObject({ code })
    expect(await world.firmware.list()).toEqual([])
  })

  it("takes a step of 1,024, and no version that is not above the latest", async () => {
    await world.firmware.publish(await signedBy(await draftOf(1_024), 0))
    for (const version of [1_024, 1_023]) {
      const other = await signedBy(await draftOf(version, { imageDigest: `0x${"44".repeat(32)}` }), 0)
      await expect(world.firmware.publish(other)).rejects.toMatchObject({ code: "RELEASE_CONFLICT" })
    }
    const again = await draftOf(1_024, { securityVersion: 1_025 })
    await expect(world.firmware.publish(await signedBy(again, 0))).rejects.toMatchObject({ code: "RELEASE_CONFLICT" })
  })

  it("refuses keys of other purposes, and those whose time is not now", async () => {
    const issuer = await generateP256Key()
    await world.maker.addKey({ purpose: "issuer", signer: issuer })
    await expect(world.firmware.publish(await signRelease(await draftOf(), issuer))).rejects.toMatchObject({
      code: "RELEASE_SIGNER",
    })
    const later = await generateP256Key()
    const notBefore = new Date(world.net.clock.getTime() + 1_000_000)
    await world.maker.addKey({ purpose: "firmware", signer: later, notBefore })
    await expect(world.firmware.publish(await signRelease(await draftOf(), later))).rejects.toMatchObject({
      code: "RELEASE_SIGNER",
    })
  })
})

describe("after publication", () => {
  it("recalls and raises minimums once", async () => {
    await world.firmware.publish(await signedBy(await draftOf(), 0))
    expect(await world.firmware.recall(PRODUCT, 7, "bricks radio")).not.toBeNull()
    expect(await world.firmware.recall(PRODUCT, 7, "bricks radio")).toBeNull()
    await expect(world.firmware.recall(PRODUCT, 8, "x")).rejects.toMatchObject({ code: "RELEASE_UNKNOWN" })
    await expect(world.firmware.recall(PRODUCT, 7, "")).rejects.toMatchObject({ code: "RELEASE_FIELD" })
    expect(await world.firmware.raiseMinimum(PRODUCT, 7)).not.toBeNull()
    expect(await world.firmware.raiseMinimum(PRODUCT, 6)).toBeNull()
    expect(await world.firmware.minimum(PRODUCT)).toBe(7)
    await expect(world.firmware.raiseMinimum(PRODUCT, 8)).rejects.toMatchObject({ code: "RELEASE_CONFLICT" })
  })

  it("needs the right to release for that, not for publishing", async () => {
    const operator = new FirmwareWorld(world.net, world.maker, 3)
    await operator.firmware.publish(await signedBy(await draftOf(), 0))
    await expect(operator.firmware.recall(PRODUCT, 7, "x")).rejects.toMatchObject({ code: "CONTRACT_REVERTED" })
    await world.maker.setOperator(payer(3).address, ["release"], new Date(world.net.clock.getTime() + 1e7))
    expect(await operator.firmware.recall(PRODUCT, 7, "x")).not.toBeNull()
    await expect(operator.firmware.setThreshold(2)).rejects.toMatchObject({ code: "CONTRACT_REVERTED" })
  })

  it("sets the threshold: more at once, fewer after the delay, never 0 or 9", async () => {
    expect(await world.firmware.threshold()).toEqual({ current: 1, pending: undefined })
    expect(await world.firmware.setThreshold(3)).not.toBeNull()
    expect(await world.firmware.setThreshold(3)).toBeNull()
    expect((await world.firmware.threshold()).current).toBe(3)
    for (const bad of [0, 9, 1.5, Number.NaN]) {
      await expect(world.firmware.setThreshold(bad)).rejects.toMatchObject({ code: "RELEASE_FIELD" })
    }
  })

  it("shows a lower threshold that waits for its time", async () => {
    const slow = await FirmwareWorld.start({ keyDelay: 3_600 })
    try {
      await slow.firmware.setThreshold(3)
      await slow.firmware.setThreshold(2)
      const { current, pending } = await slow.firmware.threshold()
      expect([current, pending?.threshold]).toEqual([3, 2])
      expect(await slow.firmware.setThreshold(2)).toBeNull()
      await slow.net.pass(3_600)
      expect(await slow.firmware.threshold()).toEqual({ current: 2, pending: undefined })
    } finally {
      await slow.net.close()
    }
  })
})

describe("preparation", () => {
  it("takes the security version from the image, and no other", async () => {
    const image = await imageOf(12)
    const ask = { product: PRODUCT, version: "1", image }
    expect((await world.firmware.prepare(ask)).securityVersion).toBe(12)
    await expect(world.firmware.prepare({ ...ask, securityVersion: 13 })).rejects.toMatchObject({
      code: "RELEASE_FIELD",
    })
    const plain = new Uint8Array(100)
    await expect(world.firmware.prepare({ ...ask, image: plain })).rejects.toMatchObject({ code: "RELEASE_FIELD" })
    expect((await world.firmware.prepare({ ...ask, image: plain, securityVersion: 3 })).securityVersion).toBe(3)
  })

  it("refuses images that nobody could install, and ledgers without firmware", async () => {
    const image = await imageOf(1)
    image[40] = 0
    const ask = { product: PRODUCT, version: "1", image }
    await expect(world.firmware.prepare(ask)).rejects.toMatchObject({ code: "IMAGE_DIGEST_MISMATCH" })
    const { firmware, ...contracts } = world.net.deployment.contracts
    const deployment = { ...world.net.deployment, contracts }
    expect(firmware).toBeDefined()
    await expect(prepareRelease({ ...ask, deployment, manufacturerId: 1 })).rejects.toMatchObject({
      code: "FIRMWARE_REGISTRY_MISSING",
    })
  })

  it("signs what the contract will check", async () => {
    // The contract computes the same domain and struct hash: a release goes through only if both agree.
    const draft = await signedBy(await draftOf(7, { version: "ü 1.4.0", uri: "https://ä.example/?x=1" }), 0)
    await expect(world.firmware.publish(draft)).resolves.toMatchObject({ release: { signers: [1] } })
  })
})
