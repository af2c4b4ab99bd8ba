// The faults that a verifier must withstand, one row each, injected into the connection, the mirror or the file; and what becomes
// of a device that was revoked a moment ago, by each way of asking that believes nobody. Every way knew the device as good before.
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  BatchIndex,
  encodeManifestHeader,
  FleetrootError,
  fromHex,
  generateP256Key,
  httpManifestSource,
  httpRpc,
  memoryStore,
  ProvenLedger,
  QuorumLedger,
  Replica,
  Verifier,
} from "../../../client/index.ts"
import type { Batch, Hex, Ledger, ManufacturerClient, Receipt, ReplicaStore } from "../../../client/index.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { FaultProxy } from "../../helpers/faultProxy.ts"
import type { Exchange, Fault } from "../../helpers/faultProxy.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

/** A verdict's status, or the code of the error that stands for no answer. */
type Outcome = string
type Tamper = (exchange: Exchange) => Exchange["reply"] | undefined
/** The block before the device was revoked, by what the node tells of it. */
type Context = { readonly before: object; readonly number: number }
type Row = {
  readonly fault: string
  /** What the node's address does to single replies. */
  readonly tamper?: (context: Context) => Tamper
  /** What it does to whole answers. */
  readonly wire?: () => Fault
  /** How far off the verifier's clock is. */
  readonly clockSeconds?: number
  /** How long an answer is waited for. */
  readonly timeoutMs?: number
  /** One node, and all is proven by state proofs. */
  readonly proof: Outcome
  /** The node and two honest ones, of which two must agree. */
  readonly quorum: Outcome
  /** A replica that reads logs and state proofs from the node, and tried to sync. */
  readonly replica: Outcome
}
type Way = "proof" | "quorum" | "replica"

const WAYS: readonly Way[] = ["proof", "quorum", "replica"]
const FAR = 4_000_000_000
const HOUR = 3_600
/** Anvil calls a block final two epochs later; the deepest reorganisation is less deep. */
const EPOCH = 12
const DEEPEST = 20
/** What the verifiers allow, and how long ago each revocation was when they are asked. */
const MAX_AGE = 120
const SINCE = 300
const TIMEOUT_MS = 30_000

const change =
  (method: string, result: (was: never, exchange: Exchange) => unknown): (() => Tamper) =>
  () =>
  (exchange) =>
    exchange.method === method
      ? { ...exchange.reply, result: result(exchange.reply.result as never, exchange) }
      : undefined
type SlotProof = { value: Hex; proof: Hex[] }
/** The last slot of each proof is that of the device, or of a log's head. */
const lastSlot = (lie: (slot: SlotProof) => SlotProof): (() => Tamper) =>
  change("eth_getProof", ({ storageProof, ...rest }: { storageProof: SlotProof[] }) => ({
    ...rest,
    storageProof: storageProof.map((slot, i) => (i === storageProof.length - 1 ? lie(slot) : slot)),
  }))
const flipped = (hex: Hex): Hex => `${hex.slice(0, -1)}${(Number.parseInt(hex.slice(-1), 16) ^ 1).toString(16)}` as Hex

/** The replica goes on answering of what it knows, which is too old by now. */
const GROWS_OLD = "STALE_HEAD"
const ROWS: readonly Row[] = [
  {
    fault: "the endpoint is down",
    wire: () => (response) => void response.destroy(),
    proof: "ENDPOINT_UNREACHABLE",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint says nothing",
    wire: () => () => undefined,
    timeoutMs: 1_500,
    proof: "ENDPOINT_TIMEOUT",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint is slow",
    wire: () => (response, honest) => void setTimeout(() => response.end(honest), 200),
    proof: "revoked",
    quorum: "revoked",
    replica: "revoked",
  },
  {
    fault: "the endpoint flaps: down, down, up",
    wire: flapping,
    proof: "ENDPOINT_UNREACHABLE",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint is on another chain",
    tamper: change("eth_chainId", () => "0x1"),
    proof: "CHAIN_MISMATCH",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint is behind by the blocks since the revocation",
    tamper: endingBefore,
    proof: GROWS_OLD,
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint lies about one storage slot",
    tamper: lastSlot(({ proof }) => ({
      value: "0x0",
      proof: [...proof.slice(0, -1), flipped(proof.at(-1) ?? "0x00")],
    })),
    proof: "STATE_PROOF_INVALID",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint says that one storage slot is empty",
    tamper: lastSlot(({ proof }) => ({ value: "0x0", proof: proof.slice(0, -1) })),
    proof: "STATE_PROOF_INVALID",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint lies about a block's hash",
    tamper: change("eth_getBlockByNumber", (block: object, { params }) =>
      params[0] === "latest" ? { ...block, hash: `0x${"9a".repeat(32)}` } : block,
    ),
    proof: "HEADER_MISMATCH",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint passes an old state off as the newest block's",
    tamper: ({ before }) =>
      change("eth_getBlockByNumber", (block: object, { params }) =>
        params[0] === "latest" ? { ...block, stateRoot: (before as { stateRoot: Hex }).stateRoot } : block,
      )(),
    proof: "HEADER_MISMATCH",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint withholds one log",
    tamper: change("eth_getLogs", (logs: object[]) => logs.slice(0, -1)),
    proof: "revoked",
    quorum: "revoked",
    replica: "LOG_HEAD_MISMATCH",
  },
  {
    fault: "the endpoint duplicates logs",
    tamper: change("eth_getLogs", (logs: object[]) => [...logs, ...logs]),
    proof: "revoked",
    quorum: "revoked",
    replica: "LOG_MALFORMED",
  },
  {
    fault: "the endpoint cuts its JSON short",
    wire: () => (response, honest) => void response.end(honest.slice(0, -20)),
    proof: "REPLY_MALFORMED",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  {
    fault: "the endpoint answers with 10 MB of garbage",
    wire: () => (response) => void response.end("\u0000garbage[{".repeat(1_048_576)),
    proof: "REPLY_MALFORMED",
    quorum: "revoked",
    replica: GROWS_OLD,
  },
  ...[1, DEEPEST].map((depth) => ({
    fault: `a reorganisation of depth ${depth} comes while it is asked`,
    wire: () => reorganising(depth),
    proof: "revoked",
    quorum: "revoked",
    replica: "revoked",
  })),
  {
    fault: "the clock is an hour behind",
    clockSeconds: -HOUR,
    proof: "CLOCK_BEHIND",
    quorum: "CLOCK_BEHIND",
    replica: "CLOCK_BEHIND",
  },
  {
    fault: "the clock is an hour ahead",
    clockSeconds: HOUR,
    proof: "STALE_HEAD",
    quorum: "STALE_HEAD",
    replica: "STALE_HEAD",
  },
]

let net: TestLedger & { url: string }
let proxy: FaultProxy
let honest: readonly FaultProxy[]
let maker: ManufacturerClient
let batch: Batch
let devices: Device[]
let receipts: Receipt[]
let manifest: Uint8Array
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetroot-faults-"))
  net = await anvilLedger({ epoch: EPOCH })
  maker = await net.admit("Acme Works")
  const issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  devices = await Promise.all(Array.from({ length: ROWS.length + 4 }, () => makeDevice({ issuer, notAfter: FAR })))
  const hashes = devices.map(({ certificate }) => certificate.credentialHash)
  const { deployment } = net
  const { manufacturerId } = maker
  const tree = makeTree(deployment, manufacturerId, 1, hashes)
  receipts = devices.map((_, i) => tree.receipt(i))
  const { root, size } = tree
  batch = (await maker.registerBatch({ root, size, notAfter: FAR, issuerKeyId: issuer.keyId, series: 1 })).batch
  const header = encodeManifestHeader({
    kind: "x509",
    chainId: BigInt(deployment.chainId),
    registry: deployment.contracts.devices.address,
    manufacturerId,
    series: 1,
    size,
    root,
    notAfter: FAR,
    issuerKeyId: issuer.keyId,
  })
  manifest = Uint8Array.from([header, ...hashes.map(fromHex)].flatMap((part) => [...part]))
  await mine(2 * EPOCH)
  const fronts = await Promise.all([0, 1, 2].map(() => FaultProxy.start(net.url)))
  proxy = fronts[0] as FaultProxy
  honest = fronts.slice(1)
})
afterAll(async () => {
  await Promise.all([proxy, ...honest].map((front) => front.close()))
  await net.close()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => {
  proxy.heal()
})

describe("A device that was revoked a moment ago is not good when", () => {
  it.each(ROWS.map((row, i) => ({ ...row, i })))("$fault", async (row) => {
    const { timeoutMs = TIMEOUT_MS, clockSeconds = 0, i } = row
    // Found good by all ways, with time to answer.
    let waitMs = TIMEOUT_MS
    const ways = await openWays(() => waitMs)
    let skew = 0
    const outcome = outcomes(ways, i, () => skew)
    expect(await outcome()).toEqual({ proof: "good", quorum: "good", replica: "good" })

    const context = await revoked(i)
    waitMs = timeoutMs
    if (row.tamper !== undefined) proxy.tamper = row.tamper(context)
    proxy.fault = row.wire?.()
    skew = clockSeconds
    const { proof, quorum, replica } = row
    expect(await outcome()).toEqual({ proof, quorum, replica })

    proxy.heal()
    skew = 0
    waitMs = TIMEOUT_MS
    await net.syncClock()
    expect(await outcome()).toEqual({ proof: "revoked", quorum: "revoked", replica: "revoked" })
    await ways.replica.close()
  })

  it.each([
    [
      "a manifest with one byte changed",
      (bytes: Uint8Array) => bytes.with(200, (bytes[200] as number) ^ 1),
      "MANIFEST_ROOT",
    ],
    ["another batch's manifest", (bytes: Uint8Array) => bytes.with(39, 2), "MANIFEST_PLACE"],
    ["a manifest cut short", (bytes: Uint8Array) => bytes.subarray(0, -32), "MANIFEST_LENGTH"],
  ])("a mirror serves %s", async (_what, change_, code) => {
    const served = change_(manifest)
    const server = createServer((_request, response) => response.end(served))
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })
    const { port } = server.address() as AddressInfo
    const index = new BatchIndex({ deployment: net.deployment })
    const added = async (): Promise<string> =>
      index.add(await httpManifestSource(`http://127.0.0.1:${port}/fleet.manifest`), batch).then(() => "added", codeOf)
    expect(await added()).toBe(code)
    expect(index.devices).toBe(0)
    server.closeAllConnections()
    server.close()
  })
})

/** A ledger for each way, whose time to wait can be changed. */
async function openWays(
  timeoutMs: () => number,
  store: ReplicaStore = memoryStore(),
): Promise<{ proof: Ledger; quorum: Ledger; replica: Replica }> {
  const { deployment } = net
  const [own, ...others] = [proxy, ...honest].map(({ url }) => {
    const rpc = (): ReturnType<typeof httpRpc> => httpRpc(url, { timeoutMs: timeoutMs() })
    return {
      endpoint: new URL(url).host,
      request: async (call: Parameters<ReturnType<typeof httpRpc>["request"]>[0]) => rpc().request(call),
      requestMany: async (calls: Parameters<ReturnType<typeof httpRpc>["requestMany"]>[0]) => rpc().requestMany(calls),
    }
  }) as [ReturnType<typeof httpRpc>, ...ReturnType<typeof httpRpc>[]]
  const patience = { patienceMs: 500, timeoutMs: TIMEOUT_MS }
  const proven = (): ProvenLedger => new ProvenLedger({ deployment, rpc: own, ...patience })
  return {
    proof: proven(),
    quorum: QuorumLedger.proven({ deployment, endpoints: [own, ...others], k: 2, ...patience }),
    replica: await Replica.open({ deployment, rpc: own, store, trust: proven(), retryMs: 1 }),
  }
}

/** What each way says of a device, one after another. */
function outcomes(
  ways: { proof: Ledger; quorum: Ledger; replica: Replica },
  device: number,
  skewSeconds: () => number,
): () => Promise<Record<Way, Outcome>> {
  const now = (): Date => new Date(net.clock.getTime() + 1000 * skewSeconds())
  const verifiers = WAYS.map((way) => new Verifier({ ledger: ways[way], now, maxAgeSeconds: MAX_AGE }))
  return async () => {
    const found: [Way, Outcome][] = []
    for (const [i, way] of WAYS.entries()) {
      if (way === "replica") await ways.replica.sync().catch(codeOf)
      const asked = (verifiers[i] as Verifier).checkCertificate((devices[device] as Device).der, {
        receipt: receipts[device] as Receipt,
      })
      found.push([way, await asked.then(({ status }) => status, codeOf)])
    }
    return Object.fromEntries(found) as Record<Way, Outcome>
  }
}

/** Revokes a device, deeper than any reorganisation, and lets time pass. */
async function revoked(device: number): Promise<Context> {
  const before = await net.ask<object>("eth_getBlockByNumber", "latest", false)
  const number = Number((before as { number: Hex }).number)
  const { credentialHash } = (devices[device] as Device).certificate
  await maker.revoke([{ subject: credentialHash }], { reason: 1 })
  await net.ask("evm_increaseTime", SINCE)
  await mine(1 + DEEPEST)
  return { before, number }
}

async function mine(blocks: number): Promise<void> {
  await net.ask("anvil_mine", `0x${blocks.toString(16)}`)
  await net.syncClock()
}

/** The chain ends where it ended before the device was revoked. */
function endingBefore({ before, number }: Context): Tamper {
  return ({ method, params, reply }) => {
    if (method !== "eth_getBlockByNumber") return undefined
    if (params[0] === "latest") return { ...reply, result: before }
    const found = Number((reply.result as { number?: Hex } | null)?.number ?? 0)
    return found > number ? { ...reply, result: params[0] === "finalized" ? before : null } : undefined
  }
}

/** A second try on a new connection helps as little as the first. */
function flapping(): Fault {
  let answers = 0
  return (response, text) => void (answers++ % 3 < 2 ? response.destroy() : response.end(text))
}

/** Takes blocks back once, after the node was asked for the first time and before its answer arrives. */
function reorganising(depth: number): Fault {
  let done = false
  return async (response, text) => {
    if (!done) {
      done = true
      await net.ask("anvil_reorg", depth, [])
    }
    response.end(text)
  }
}

function codeOf(error: unknown): string {
  if (error instanceof FleetrootError) return error.code
  throw error
}
