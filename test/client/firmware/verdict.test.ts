import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { bytesImage, generateP256Key, productId, signerFromPkcs8, signRelease } from "../../../client/index.ts"
import { decodeCbor, encodeCbor } from "../../../client/cose/cbor.ts"
import type { CborMap, CborTag } from "../../../client/cose/cbor.ts"
import { firmwareRegistryAbi } from "../../../client/abi/FirmwareRegistry.ts"
import type { KeySigner, Release } from "../../../client/index.ts"
import { decodeView, encodeView } from "../../../client/ledger/contractCalls.ts"
import { writeMcuboot } from "../../helpers/mcuboot.ts"
import { writeSuit } from "../../helpers/suit.ts"
import { streamOf } from "./inspect.ts"
import { makeKey } from "./openssl.ts"
import { failed, FirmwareWorld, PRODUCT } from "./world.ts"

let world: FirmwareWorld
let rival: FirmwareWorld
let [a, b, c]: KeySigner[] = []
let ed25519: KeySigner
let rsa: KeySigner
let issuer: KeySigner
let stranger: KeySigner
let rivalKey: KeySigner
let image: Uint8Array
let snapshot: unknown

const key = (signer: KeySigner | undefined): KeySigner => signer as KeySigner

beforeAll(async () => {
  world = await FirmwareWorld.start()
  rival = await FirmwareWorld.admit(world.net, "Rival Works", 2)
  ;[a, b, c] = await Promise.all([generateP256Key(), generateP256Key(), generateP256Key()])
  ed25519 = await signerFromPkcs8(await makeKey("ed25519"))
  rsa = await signerFromPkcs8(await makeKey("rsa"))
  stranger = await generateP256Key()
  await world.addKeys(key(a), key(b), key(c), ed25519, rsa)
  issuer = await generateP256Key()
  await world.maker.addKey({ purpose: "issuer", signer: issuer })
  ;[rivalKey] = (await rival.addKeys()) as [KeySigner]
  image = await writeMcuboot({ signer: key(a), securityCounter: 7, version: [1, 4, 0, 7] })
  await world.release(image, [key(a)])
})
afterAll(() => world.net.close())

beforeEach(async () => {
  // Each test starts from the same ledger.
  if (snapshot !== undefined) await world.net.ask("evm_revert", snapshot)
  snapshot = await world.net.ask("evm_snapshot")
  world = new FirmwareWorld(world.net.again(), world.maker, 1)
  rival = new FirmwareWorld(world.net, rival.maker, 2)
  await world.net.syncClock()
})

describe("a released image", () => {
  it("may be installed, and the verdict says why by every check", async () => {
    const verdict = await world.check(image, { installedSecurityVersion: 6 })

    expect(failed(verdict)).toEqual([])
    expect(verdict).toMatchObject({
      installable: true,
      format: "mcuboot",
      keyId: key(a).keyId,
      securityVersion: 7,
      unpublished: false,
      manufacturer: { id: 1, name: "Acme Works" },
      release: {
        securityVersion: 7,
        version: "1.4.0",
        uri: "",
        threshold: 1,
        signers: [1],
        latest: true,
        recalledAt: null,
      },
      evidence: [{ kind: "singleNode" }],
    })
    expect(verdict.checks.map(({ name }) => name)).toEqual([
      "format",
      "imageDigest",
      "signature",
      "signerKey",
      "signerPurpose",
      "signerStanding",
      "manufacturer",
      "published",
      "final",
      "recall",
      "manifest",
      "securityVersion",
      "releaseSignatures",
      "minimum",
      "rollback",
    ])
    expect(verdict.checks.every(({ detail }) => detail.length > 0)).toBe(true)
  })

  it.each([
    ["a source", () => bytesImage(image)],
    ["a stream", () => streamOf(image, 33)],
  ])("is the same from %s", async (_what, input) => {
    expect(await world.failing(input())).toEqual([])
  })

  it("may be installed over itself, and not over anything newer", async () => {
    expect(await world.failing(image, { installedSecurityVersion: 7 })).toEqual([])
    expect(await world.failing(image, { installedSecurityVersion: 8 })).toEqual(["rollback"])
    expect(await world.failing(image, { installedSecurityVersion: 2 ** 40 - 1 })).toEqual(["rollback"])
  })

  it("is none of another product, or of another manufacturer", async () => {
    expect(await world.failing(image, { product: "acme-9272" })).toEqual(["published"])
    expect(await rival.failing(image)).toEqual(["signerKey", "published"])
    expect(await world.failing(image, { manufacturerId: 99 })).toEqual(["signerKey", "manufacturer", "published"])
  })

  it("is refused with one bit changed, as a file cut or prolonged", async () => {
    const changed = image.slice()
    changed[60] = (changed[60] as number) ^ 4
    expect(await world.failing(changed)).toEqual(["imageDigest"])
    expect(await world.failing(image.subarray(0, -1))).toEqual(["size"])
    expect(await world.failing(new Uint8Array([...image, 1]))).toEqual(["padding"])
    expect((await world.check(changed)).format).toBeNull()
  })

  it("is refused when others signed the same bytes", async () => {
    const by = (signer: KeySigner) => writeMcuboot({ signer, securityCounter: 7, version: [1, 4, 0, 7] })
    expect(await world.failing(await by(key(b)))).toEqual([])
    expect(await world.failing(await by(ed25519))).toEqual([])
    expect(await world.failing(await by(stranger))).toEqual(["signature", "signerKey"])
    expect(await world.failing(await by(issuer))).toEqual(["signerPurpose"])
    expect(await world.failing(await by(rivalKey))).toEqual(["signerKey"])
    expect(await world.failing(await writeMcuboot({ securityCounter: 7, version: [1, 4, 0, 7] }))).toEqual([
      "signature",
    ])
  })

  it("is refused from the moment of its recall, for ever, through every door", async () => {
    const { timestamp } = (await world.net.ledger.at("latest")).block
    await world.net.pass(10)
    await world.firmware.recall(PRODUCT, 7, "bricks radio")
    await world.net.pass(100)
    expect(await world.failing(image)).toEqual(["recall"])
    expect(await world.failing(image, { unpublished: true })).toEqual(["recall"])
    expect(
      await world.failing(await writeMcuboot({ signer: ed25519, securityCounter: 7, version: [1, 4, 0, 7] })),
    ).toEqual(["recall"])
    expect(await world.failing(image, { at: new Date(timestamp * 1000) })).toEqual([])
    await expect(world.release(image, [key(a)], { securityVersion: 7 })).resolves.toMatchObject({ securityVersion: 7 })
    expect(await world.failing(image)).toEqual(["recall"])
    expect((await world.check(image)).release?.recalledAt).not.toBeNull()
  })

  it("is refused below the minimum, and the minimum is never below what was seen", async () => {
    const next = await writeMcuboot({ signer: key(a), securityCounter: 8 })
    await world.release(next, [key(a)])
    const verifier = world.verifier()
    const ask = { image, manufacturerId: 1, product: PRODUCT }
    const before = await world.net.ask("evm_snapshot")
    await world.firmware.raiseMinimum(PRODUCT, 8)
    await world.net.syncClock()
    expect(failed(await verifier.check(ask))).toEqual(["minimum"])
    expect(await world.failing(next)).toEqual([])
    // The node goes back to an older state: what was seen stands.
    await world.net.ask("evm_revert", before)
    const remembering = new FirmwareWorld(world.net.again(), world.maker, 1)
    await remembering.net.syncClock()
    expect(await remembering.failing(image)).toEqual([])
    const memory = { minimum: async () => 8, rememberMinimum: never, recallSeen: nothing, rememberRecall: never }
    const told = await remembering.verifier({ memory }).check(ask)
    expect(failed(told)).toEqual(["minimum"])
    expect(failed(await remembering.verifier({ memory }).check({ ...ask, image: next }))).toEqual(["minimum"])
  })

  it("is superseded by the next, and may still be installed", async () => {
    await world.release(await writeMcuboot({ signer: key(a), securityCounter: 8 }), [key(a)])
    const verdict = await world.check(image)
    expect([verdict.installable, verdict.release?.latest]).toEqual([true, false])
    expect(verdict.checks.find(({ name }) => name === "published")?.detail).toContain("superseded by 8")
  })

  it("is refused while its manufacturer is suspended", async () => {
    await world.net.governance().suspend(1)
    await world.net.pass(10)
    expect(await world.failing(image)).toEqual(["manufacturer"])
  })

  it("is refused when the node's newest block is too old", async () => {
    const { timestamp } = (await world.net.ledger.at("latest")).block
    const at = (seconds: number) => world.verifier({ now: () => new Date((timestamp + seconds) * 1000) })
    const ask = { image, manufacturerId: 1, product: PRODUCT }
    expect(await at(120).check(ask)).toMatchObject({ installable: true, staleSeconds: 120 })
    await expect(at(121).check(ask)).rejects.toMatchObject({ code: "STALE_HEAD" })
    await expect(at(-1_000).check(ask)).rejects.toMatchObject({ code: "CLOCK_BEHIND" })
  })
})

describe("keys", () => {
  it("that are retired later leave earlier releases as they are", async () => {
    await world.maker.revokeKey(1)
    await world.net.pass(10)
    expect(await world.failing(image)).toEqual([])
  })

  it("that were compromised at or before the release void it, later ones do not", async () => {
    const { releasedAt } = await released()
    await world.maker.declareCompromise(1, new Date((releasedAt + 1) * 1000))
    await world.net.pass(10)
    expect(await world.failing(image)).toEqual([])
    await world.maker.declareCompromise(1, new Date(releasedAt * 1000))
    await world.net.pass(10)
    expect(await world.failing(image)).toEqual(["signerStanding", "releaseSignatures"])
  })

  it("that sign the image alone are judged at the time of its release", async () => {
    const twin = await writeMcuboot({ signer: ed25519, securityCounter: 7, version: [1, 4, 0, 7] })
    const { releasedAt } = await released()
    expect(await world.failing(twin)).toEqual([])
    await world.maker.declareCompromise(4, new Date(releasedAt * 1000))
    await world.net.pass(10)
    expect(await world.failing(twin)).toEqual(["signerStanding"])
    expect(await world.failing(image)).toEqual([])
  })

  it("of a release count while as many as it needed are good", async () => {
    await world.firmware.setThreshold(2)
    const next = await writeMcuboot({ signer: key(c), securityCounter: 8 })
    const { releasedAt } = await world.release(next, [key(b), key(a), key(c)])
    expect((await world.check(next)).release).toMatchObject({ threshold: 2, signers: [1, 2, 3] })
    const since = new Date(releasedAt * 1000)
    await world.maker.declareCompromise(1, since)
    await world.net.pass(10)
    expect(await world.failing(next)).toEqual([])
    await world.maker.declareCompromise(2, since)
    await world.net.pass(10)
    expect(await world.failing(next)).toEqual(["releaseSignatures"])
  })
})

describe("an image that is not released", () => {
  let fresh: Uint8Array
  beforeAll(async () => {
    fresh = await writeMcuboot({ signer: key(b), securityCounter: 9 })
  })

  it("is accepted on a good signature alone if that was asked for, and the verdict says so", async () => {
    expect(await world.failing(fresh)).toEqual(["published"])
    const verdict = await world.check(fresh, { unpublished: true, installedSecurityVersion: 9 })
    expect(verdict).toMatchObject({ installable: true, unpublished: true, release: null, keyId: key(b).keyId })
    expect(verdict.checks.find(({ name }) => name === "published")?.detail).toContain("without one, as asked")
  })

  it("is held to its own counter", async () => {
    expect(await world.failing(fresh, { unpublished: true, installedSecurityVersion: 10 })).toEqual(["rollback"])
    const old = await writeMcuboot({ signer: key(b), securityCounter: 6 })
    await world.firmware.raiseMinimum(PRODUCT, 7)
    await world.net.pass(10)
    expect(await world.failing(old, { unpublished: true })).toEqual(["minimum"])
    const silent = await writeMcuboot({ signer: key(b) })
    expect(await world.failing(silent, { unpublished: true, installedSecurityVersion: 1 })).toEqual([
      "minimum",
      "rollback",
    ])
  })

  it("needs a key that is current, not compromised, and of an active manufacturer", async () => {
    const ask = { unpublished: true }
    expect(await world.failing(await writeMcuboot({ signer: stranger }), ask)).toEqual(["signature", "signerKey"])
    expect(await world.failing(await writeMcuboot({ signer: issuer }), ask)).toEqual(["signerPurpose"])
    expect(await world.failing(await writeMcuboot(), ask)).toEqual(["signature"])
    await world.maker.declareCompromise(2, new Date())
    await world.net.pass(10)
    expect(await world.failing(fresh, ask)).toEqual(["signerStanding"])
    const retired = await writeMcuboot({ signer: key(c) })
    await world.maker.revokeKey(3)
    await world.net.pass(10)
    expect(await world.failing(retired, ask)).toEqual(["signerStanding"])
    await world.net.governance().suspend(1)
    await world.net.pass(10)
    expect(await world.failing(await writeMcuboot({ signer: key(a) }), ask)).toEqual(["manufacturer"])
  })

  it("needs a key whose time has begun and not ended", async () => {
    const now = world.net.clock.getTime()
    const later = await generateP256Key()
    const [notBefore, notAfter] = [new Date(now + 1_000_000), new Date(now + 2_000_000)]
    await world.maker.addKey({ purpose: "firmware", signer: later, notBefore, notAfter })
    const signed = await writeMcuboot({ signer: later })
    const ask = { unpublished: true }
    await world.net.pass(10)
    expect(await world.failing(signed, ask)).toEqual(["signerStanding"])
    await world.net.ask("evm_setNextBlockTimestamp", Math.floor(notBefore.getTime() / 1000))
    await world.net.pass(0)
    expect(await world.failing(signed, ask)).toEqual([])
    await world.net.ask("evm_setNextBlockTimestamp", Math.floor(notAfter.getTime() / 1000))
    await world.net.pass(0)
    expect(await world.failing(signed, ask)).toEqual(["signerStanding"])
  })
})

describe("files with detached signatures", () => {
  const file = new Uint8Array(5_000).fill(0x33)

  it.each([
    ["P-256", () => key(a)],
    ["RSA", () => rsa],
    ["Ed25519", () => ed25519],
  ])("are accepted unpublished: %s", async (_what, signer) => {
    const signature = await signer().sign(file)
    const verdict = await world.check(file, { signature, unpublished: true })
    expect(verdict).toMatchObject({ installable: true, format: "detached", keyId: signer().keyId })
    const streamed = await world.check(streamOf(file), { signature, unpublished: true })
    expect(streamed).toMatchObject({ installable: true, keyId: signer().keyId })
    const other = file.slice()
    other[0] = 0
    expect(await world.failing(other, { signature, unpublished: true })).toEqual(["signature"])
  })

  it("need a signature or a release, and where there is one it must be good", async () => {
    expect(await world.failing(file, { unpublished: true })).toEqual(["signature"])
    expect(await world.failing(file)).toEqual(["signature", "published"])
    await world.release(file, [key(a)], { securityVersion: 8 })
    expect(await world.failing(file)).toEqual([])
    expect(await world.failing(file, { signature: await key(b).sign(file) })).toEqual([])
    expect(await world.failing(file, { signature: await stranger.sign(file) })).toEqual(["signature"])
    expect(await world.failing(file, { signature: await issuer.sign(file) })).toEqual(["signerPurpose"])
    expect(await world.failing(file, { signature: new Uint8Array(9) })).toEqual(["signature"])
  })
})

describe("SUIT manifests", () => {
  const file = new Uint8Array(5_000).fill(0x33)
  const part = new Uint8Array(6_000).fill(0x34)

  it("are released with their image, and checked with it", async () => {
    const manifest = await writeSuit({ files: [file], sequenceNumber: 8, signers: [key(b)] })
    await world.release(file, [key(a)], { manifest })
    const verdict = await world.check(file, { manifest, installedSecurityVersion: 7 })
    expect(verdict).toMatchObject({ installable: true, format: "suit", securityVersion: 8, keyId: key(b).keyId })
    expect(verdict.release?.manifestDigest).toBe(verdict.manifestDigest)
    const another = await writeSuit({ files: [file], sequenceNumber: 8, signers: [key(b)], withoutSizes: true })
    expect(await world.failing(file, { manifest: another })).toEqual(["manifest"])
    const later = await writeSuit({ files: [file], sequenceNumber: 9, signers: [key(b)] })
    expect(await world.failing(file, { manifest: later })).toEqual(["manifest", "securityVersion"])
    const unsigned = await writeSuit({ files: [file], sequenceNumber: 8 })
    expect(await world.failing(file, { manifest: unsigned })).toEqual(["signature"])
    const foreign = await writeSuit({ files: [file], sequenceNumber: 8, signers: [stranger] })
    expect(await world.failing(file, { manifest: foreign })).toEqual(["signature"])
  })

  it("of several files are one release, whole or not at all", async () => {
    const manifest = await writeSuit({ files: [file, part], sequenceNumber: 8, signers: [key(a)] })
    await world.release(file, [key(a)], { manifest, parts: [part] })
    expect(await world.failing(part, { manifest, parts: [file] })).toEqual([])
    expect(await world.failing(file, { manifest })).toEqual(["imageDigest"])
    expect(await world.failing(file)).toEqual(["signature", "published"])
    // The manifest's own bytes are no image, though their digest is the release's.
    const { contents } = decodeCbor(manifest, { sorted: false }) as CborTag
    const bytes = encodeCbor((contents as CborMap).get(3))
    expect(await world.failing(bytes)).toEqual(["manifest"])
  })
})

describe("a release whose image says otherwise", () => {
  it("is refused: a bootloader goes by the image", async () => {
    const odd = await writeMcuboot({ signer: key(a), securityCounter: 9 })
    const draft = await world.firmware.prepare({ product: PRODUCT, image: odd, version: "9" })
    const lowered = await signRelease({ ...draft, securityVersion: 8 }, key(a))
    await world.firmware.publish(lowered)
    await world.net.pass(10)
    expect(await world.failing(odd)).toEqual(["securityVersion"])
  })
})

describe("client and contract", () => {
  it("agree on what is installable, in every state that the contract knows", async () => {
    const { releasedAt } = await released()
    const steps: [string, () => Promise<unknown>][] = [
      ["as released", nothing],
      [
        "the next release",
        async () => world.release(await writeMcuboot({ signer: key(a), securityCounter: 8 }), [key(a)]),
      ],
      ["a minimum of 7", () => world.firmware.raiseMinimum(PRODUCT, 7)],
      ["the key retired", () => world.maker.revokeKey(1)],
      ["compromised a second after", () => world.maker.declareCompromise(1, new Date((releasedAt + 1) * 1000))],
      ["suspended", () => world.net.governance().suspend(1)],
      ["resumed", () => world.net.governance().resume(1)],
      ["a minimum of 8", () => world.firmware.raiseMinimum(PRODUCT, 8)],
      ["compromised before", () => world.maker.declareCompromise(1, new Date(releasedAt * 1000))],
      ["recalled", () => world.firmware.recall(PRODUCT, 7, "bricks radio")],
    ]
    const disagreements: string[] = []
    const answers: boolean[] = []
    for (const [what, step] of steps) {
      await step()
      await world.net.pass(10)
      for (const installed of [0, 6, 7, 8]) {
        const verdict = await world.check(image, { installedSecurityVersion: installed })
        const onChain = await isInstallable(verdict.imageDigest as `0x${string}`, installed)
        answers.push(verdict.installable)
        if (onChain !== verdict.installable) disagreements.push(`${what}, ${installed} installed`)
      }
    }
    expect(disagreements).toEqual([])
    expect(new Set(answers)).toEqual(new Set([true, false]))
  })
})

describe("questions that make no sense", () => {
  it.each([
    ["manufacturer 0", { manufacturerId: 0 }, "NUMBER_OUT_OF_RANGE"],
    ["a product without a name", { product: "" }, "RELEASE_FIELD"],
    ["a product of 33 octets", { product: "p".repeat(33) }, "RELEASE_FIELD"],
    ["a negative installed version", { installedSecurityVersion: -1 }, "RELEASE_FIELD"],
    ["half an installed version", { installedSecurityVersion: 1.5 }, "RELEASE_FIELD"],
    ["a time to come", { at: new Date(4e12) }, "TIME_OUT_OF_RANGE"],
  ])("throw: %s", async (_what, options, code) => {
    await expect(world.check(image, options)).rejects.toMatchObject({ code })
  })

  it("gives up when told so, and does not take a number for an image", async () => {
    await expect(world.check(streamOf(image), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    })
    expect(await world.failing(7 as unknown as Uint8Array)).toEqual(["size"])
    expect(await world.failing({} as unknown as Uint8Array)).toEqual(["size"])
  })
})

async function released(): Promise<Release> {
  return (await (await world.net.ledger.at("latest")).release(1, productId(PRODUCT), 7)) as Release
}

async function isInstallable(digest: `0x${string}`, installed: number): Promise<boolean> {
  const call = {
    abi: firmwareRegistryAbi,
    functionName: "isInstallable",
    args: [1, productId(PRODUCT), digest, BigInt(installed)],
  } as const
  const to = world.net.deployment.contracts.firmware?.address
  const reply = await world.net.ask("eth_call", { to, data: encodeView(call) }, "latest")
  return decodeView(call, reply).installability === 1
}

async function nothing(): Promise<undefined> {
  return undefined
}

async function never(): Promise<void> {
  throw new Error("nothing is to be remembered here")
}
