import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { manufacturerRegistryAbi } from "../../../../client/abi/ManufacturerRegistry.ts"
import {
  keyPossessionStatement,
  KeyOwnerAmbiguousError,
  memoryStore,
  Replica,
  Verifier,
} from "../../../../client/index.ts"
import type { FleetChange, KeySigner, Ledger, LogState } from "../../../../client/index.ts"
import { toHex } from "../../../../client/index.ts"
import { freshLedger } from "../../../helpers/ledger.ts"
import type { TestLedger } from "../../../helpers/ledger.ts"
import { generateSigner } from "../../../helpers/signers.ts"
import { hashOf } from "../../../contracts/helpers/stage.ts"
import { FirmwareWorld } from "../../firmware/world.ts"
import { tellMainPath } from "../../status/mainPath.ts"
import { populate, verdictOf } from "../proven/world.ts"
import { expectSameAnswers } from "./sameAnswers.ts"
import type { Questions } from "./sameAnswers.ts"

const FAR = 4_000_000_000
const DAY = 86_400
const NOTHING: Questions = {
  manufacturers: [1, 2, 3],
  keyIndices: [1, 2, 3, 4, 5, 6],
  series: [],
  words: 0,
  places: [],
  subjects: [],
  accounts: [],
  products: [],
  hasFirmware: true,
}

/** A ledger that is a replica, which is brought up to date before every question. */
async function syncing(net: TestLedger): Promise<Ledger & { replica: Replica }> {
  const { deployment, rpc } = net
  const replica = await Replica.open({ deployment, rpc, store: memoryStore() })
  return {
    replica,
    deployment,
    at: async (finality) => {
      await replica.sync()
      return replica.at(finality)
    },
    heads: async (settled) => {
      await replica.sync()
      return replica.heads(settled)
    },
    atTime: async (timestamp) => {
      await replica.sync()
      return replica.atTime(timestamp)
    },
  }
}

async function onReplica(): Promise<TestLedger> {
  const net = await freshLedger()
  const ledger = await syncing(net)
  return Object.assign(net, {
    verifier: (options: object) => new Verifier({ ledger, now: () => net.clock, ...options }),
  })
}

tellMainPath("Verifier.checkCertificate on a replica", onReplica, "replica")

describe("Replica, beside the node", () => {
  it("leads to the same verdicts, whatever became of a device", async () => {
    const net = await freshLedger()
    const ledger = await syncing(net)
    for (const one of await populate(net)) {
      const verdict = await verdictOf(net, ledger, one)
      expect(verdict).toEqual(await verdictOf(net, net.ledger, one))
      expect(verdict).toMatchObject({ status: one.status, reason: one.reason })
    }
    await net.close()
  })

  it("counts keys of all kinds, and only where their possession is proven", async () => {
    const net = await freshLedger()
    const maker = await net.admit("Acme Works", 1)
    await net.admit("Thieves Ltd", 2)
    const [p256, p384, rsa, ed25519, shared, stolen] = (await Promise.all(
      (["p256", "p384", "rsa", "ed25519", "ed25519", "p384"] as const).map((kind) => generateSigner(kind)),
    )) as [KeySigner, KeySigner, KeySigner, KeySigner, KeySigner, KeySigner]
    for (const signer of [p256, p384, rsa, ed25519, shared]) await maker.addKey({ purpose: "issuer", signer })
    await claim(net, shared, 2)
    // A proof that is made for another manufacturer is none.
    await claim(net, stolen, 1)
    await net.governance().suspend(2)
    const { replica } = await syncing(net)
    await replica.sync()
    const { head } = replica

    await expectSameAnswers(await replica.at("latest"), await net.ledger.at("latest"), NOTHING)
    expect([...head.keys(1)].map(({ keyId }) => keyId)).toEqual(
      [p256, p384, rsa, ed25519, shared].map(({ keyId }) => keyId),
    )
    expect([...head.keys(2)].map(({ keyId }) => keyId)).toEqual([shared.keyId])
    expect(head.manufacturer(2)?.keyCount).toBe(2)
    expect(head.keyById(stolen.keyId)).toBeUndefined()
    expect(head.keysByIdentifier(stolen.keyId)).toEqual([])
    expect(() => head.keyById(shared.keyId)).toThrow(KeyOwnerAmbiguousError)
    expect(head.keysByIdentifier(rsa.keyId)).toEqual([head.key(1, 3)])
    await net.close()
  })

  it("tells of firmware what the node tells", async () => {
    const world = await FirmwareWorld.start({ keyDelay: 0 })
    const { net } = world
    const [key] = (await world.addKeys()) as [Parameters<typeof world.release>[1][number]]
    const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))
    const first = await world.release(random(500), [key], { securityVersion: 1 })
    await world.release(random(300), [key], { securityVersion: 3 })
    await world.release(random(300), [key], { securityVersion: 4 })
    await world.firmware.recall(first.product, 1, "test")
    await world.firmware.raiseMinimum(first.product, 3)
    const { replica } = await syncing(net)
    await replica.sync()

    const { manufacturerId, product } = first
    const questions = {
      ...NOTHING,
      manufacturers: [manufacturerId, manufacturerId + 1],
      products: [product, hashOf("none")],
    }
    await expectSameAnswers(await replica.at("latest"), await net.ledger.at("latest"), questions)
    expect([...replica.head.releases(manufacturerId)].map(({ securityVersion }) => securityVersion)).toEqual([1, 3, 4])
    expect(replica.head.releaseByImage(manufacturerId, product, first.imageDigest)?.recalledAt).toBeGreaterThan(0)
    expect(replica.head.minimumSecurityVersion(manufacturerId, product)).toBe(3)
    await net.close()
  })
})

/** Manufacturer 2 puts a key on the ledger with the proof that its owner made for a manufacturer. */
async function claim(net: TestLedger, signer: KeySigner, madeFor: number): Promise<void> {
  const { chainId, contracts } = net.deployment
  const domain = { chainId, verifyingContract: contracts.manufacturers.address }
  const { keyId, spki } = signer
  const statement = keyPossessionStatement(domain, { manufacturerId: madeFor, keyId, purpose: "issuer" })
  await net.writer(2).write({
    to: domain.verifyingContract,
    abi: manufacturerRegistryAbi,
    functionName: "addKey",
    args: [2, 1, 0, FAR, toHex(spki), toHex(await signer.sign(statement))],
  })
}

describe("Replica, as time goes by", () => {
  let net: TestLedger
  let replica: Replica
  beforeAll(async () => {
    net = await freshLedger()
    replica = (await syncing(net)).replica
  })
  afterAll(() => net.close())

  it("lets a suspension lapse, and says that this changed something", async () => {
    await net.admit("Acme Works", 1)
    await net.governance().suspend(1)
    await replica.sync()
    const suspendedUntil = replica.head.manufacturer(1)?.suspendedUntil ?? 0
    expect(replica.head.manufacturer(1)?.status).toBe("suspended")
    const changes: FleetChange[] = []
    const stop = replica.onChange((list) => changes.push(...list))
    await net.pass(DAY)
    await replica.sync()
    expect(changes).toEqual([])

    await net.pass(14 * DAY)
    await replica.sync()
    await expectSameAnswers(await replica.at("latest"), await net.ledger.at("latest"), NOTHING)
    expect(replica.head.manufacturer(1)).toMatchObject({ status: "active", statusSince: suspendedUntil })
    expect(changes).toContainEqual({ kind: "manufacturer", manufacturerId: 1 })
    // Of a time between two blocks: what a call would have found then.
    expect(statusAt(suspendedUntil - 1)).toBe("suspended")
    expect(statusAt(suspendedUntil)).toBe("active")
    stop()
  })

  it("refuses times of which it knows nothing", async () => {
    const { settled } = replica
    for (const time of [0, settled.time + 1, Number.NaN]) {
      expect(() => replica.stateAt(time)).toThrow(expect.objectContaining({ code: "TIME_OUT_OF_RANGE" }))
      await expect(replica.atTime(time)).rejects.toMatchObject({ code: "TIME_OUT_OF_RANGE" })
    }
    expect(replica.stateAt(settled.time)).toBe(settled)
  })

  it("calls nobody who does not want to be called any more", async () => {
    let calls = 0
    const stop = replica.onChange(() => {
      calls += 1
    })
    await net.admit("Bolt Ltd", 1)
    await replica.sync()
    stop()
    await net.admit("Cog Ltd", 1)
    await replica.sync()
    expect(calls).toBe(1)
  })

  it("says nothing before the first sync", async () => {
    const fresh = await Replica.open({ deployment: net.deployment, rpc: net.rpc, store: memoryStore() })
    const code = "REPLICA_NOT_SYNCED"
    expect(() => fresh.head).toThrow(expect.objectContaining({ code }))
    expect(() => fresh.settled).toThrow(expect.objectContaining({ code }))
    expect(() => fresh.stateAt(1)).toThrow(expect.objectContaining({ code }))
    await expect(fresh.heads("finalized")).rejects.toMatchObject({ code })
    expect(fresh.status).toMatchObject({ block: undefined, fault: undefined, refusing: false, entries: 0 })
  })

  it("ends its following when told to, and can be told before", async () => {
    await replica.follow({ signal: AbortSignal.abort() })
    const stop = new AbortController()
    const following = replica.follow({ signal: stop.signal, intervalMs: 60_000 })
    await replica.sync()
    stop.abort()
    await following
    expect(replica.status.fault).toBeUndefined()
  })

  function statusAt(time: number): string | undefined {
    const state: LogState = replica.stateAt(time)
    return state.manufacturer(1)?.status
  }
})
