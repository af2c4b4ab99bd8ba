import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  FleetrootError,
  generateP256Key,
  httpRpc,
  memoryStore,
  ProvenLedger,
  Replica,
  RpcLedger,
  Verifier,
} from "../../../../client/index.ts"
import type { Hex, KeySigner, Ledger, ManufacturerClient, Receipt } from "../../../../client/index.ts"
import { anvilLedger } from "../../../helpers/anvil.ts"
import { FaultProxy } from "../../../helpers/faultProxy.ts"
import type { Exchange, Fault } from "../../../helpers/faultProxy.ts"
import { makeDevice, makeTree } from "../../../helpers/fleet.ts"
import type { Device } from "../../../helpers/fleet.ts"
import type { TestLedger } from "../../../helpers/ledger.ts"

const FAR = 4_000_000_000
const DEVICES = 48
/** What the verifiers of these tests allow, and how long ago each revocation was when they are asked. */
const MAX_AGE = 120
const SINCE = 300
/** Time to answer, however busy the machine is. */
const TIMEOUT_MS = 30_000

type Log = Record<"address" | "blockHash" | "blockNumber" | "data" | "logIndex", string> & {
  topics: string[]
  removed?: boolean
}
type Tamper = (exchange: Exchange) => Exchange["reply"] | undefined

/** Who says which heads the ledger has: the node that lies about the logs, another one, or the first one by state proof. */
type Trust = "same node" | "other node" | "state proof"
type Row = {
  readonly fault: string
  readonly tamper?: (context: Context) => Tamper
  readonly wire?: Fault
  /** The code of the error that the sync ends with; undefined: it succeeds. */
  readonly sync: string | undefined
  /** What a verifier then gets for the revoked device: a status, or the code of an error. */
  readonly answer: string
  readonly trust?: Trust
  /** How long an answer is waited for. */
  readonly timeoutMs?: number
}
/** Blocks as the node tells them: the newest before the device was revoked, the one before it, the final one. */
type Context = { readonly newest: NodeBlock; readonly parent: NodeBlock; readonly final: NodeBlock }
type NodeBlock = { readonly number: Hex }

/** Changes the logs that concern what happened since the replica was last right: a hold and its end, and two revocations. */
function logs(change: (logs: Log[]) => unknown): () => Tamper {
  return () =>
    ({ method, reply }) => {
      if (method !== "eth_getLogs" || !Array.isArray(reply.result) || reply.result.length < 4) return undefined
      return { ...reply, result: change(structuredClone(reply.result) as Log[]) }
    }
}

function edit(log: Log, changes: Partial<Log>): Log {
  return { ...log, ...changes }
}

const withLast = (list: Log[], log: Log): Log[] => [...list.slice(0, -1), log]
const last = (list: Log[]): Log => list.at(-1) as Log
const word = (data: string, index: number): string => data.slice(2 + 64 * index, 66 + 64 * index)
const REFUSED = (code: string): Pick<Row, "sync" | "answer"> => ({ sync: code, answer: code })
/** The replica goes on answering of the block that it knows, which is too old by now. */
const GROWS_OLD = (code: string): Pick<Row, "sync" | "answer"> => ({ sync: code, answer: "STALE_HEAD" })
const FINE: Pick<Row, "sync" | "answer"> = { sync: undefined, answer: "revoked" }

const ROWS: readonly Row[] = [
  { fault: "the newest log is withheld", tamper: logs((l) => l.slice(0, -1)), ...REFUSED("LOG_HEAD_MISMATCH") },
  { fault: "a log in the middle is withheld", tamper: logs((l) => l.toSpliced(-2, 1)), ...REFUSED("LOG_SEQUENCE") },
  { fault: "all logs are withheld", tamper: logs(() => []), ...REFUSED("LOG_HEAD_MISMATCH") },
  {
    fault: "all logs are withheld, and state is proven",
    tamper: logs(() => []),
    trust: "state proof",
    ...REFUSED("LOG_HEAD_MISMATCH"),
  },
  {
    fault: "a log is withheld, and the proof of the heads is forged",
    tamper: () => (exchange) => logs((l) => l.slice(0, -1))()(exchange) ?? forgedProof(exchange),
    trust: "state proof",
    ...GROWS_OLD("STATE_PROOF_INVALID"),
  },
  {
    fault: "a log is withheld, and another node is asked for the heads",
    tamper: logs((l) => l.slice(0, -1)),
    trust: "other node",
    ...REFUSED("LOG_HEAD_MISMATCH"),
  },
  { fault: "a log comes twice", tamper: logs((l) => [...l, last(l)]), ...REFUSED("LOG_MALFORMED") },
  {
    fault: "a log comes twice, at another place",
    tamper: logs((l) => [...l, edit(last(l), { logIndex: "0x7" })]),
    ...REFUSED("LOG_SEQUENCE"),
  },
  { fault: "logs are out of order", tamper: logs((l) => l.toReversed()), ...REFUSED("LOG_SEQUENCE") },
  {
    fault: "logs have each other's places",
    tamper: logs((l) => {
      const [a, b] = l.slice(-2) as [Log, Log]
      const { topics, data } = a
      return [...l.slice(0, -2), edit(a, { topics: b.topics, data: b.data }), edit(b, { topics, data })]
    }),
    ...REFUSED("LOG_SEQUENCE"),
  },
  {
    fault: "a hold is told as the end of one",
    tamper: logs((l) => {
      const [held, released] = l.slice(-4) as [Log, Log]
      return l.with(l.length - 4, edit(held, { topics: [released.topics[0] as string, ...held.topics.slice(1)] }))
    }),
    ...REFUSED("LOG_HEAD_MISMATCH"),
  },
  {
    fault: "a revocation is told as a hold",
    tamper: logs((l) =>
      withLast(l, edit(last(l), { topics: [(l.at(-4) as Log).topics[0] as string, ...last(l).topics.slice(1)] })),
    ),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "another subject is named",
    tamper: logs((l) => withLast(l, edit(last(l), { topics: last(l).topics.with(2, `0x${"ab".repeat(32)}`) }))),
    ...REFUSED("LOG_HEAD_MISMATCH"),
  },
  {
    fault: "another manufacturer is named",
    tamper: logs((l) => withLast(l, edit(last(l), { topics: last(l).topics.with(1, `0x${"00".repeat(31)}07`) }))),
    ...REFUSED("LOG_SEQUENCE"),
  },
  {
    fault: "another reason is given",
    tamper: logs((l) =>
      withLast(l, edit(last(l), { data: last(l).data.replace(word(last(l).data, 4), `${"0".repeat(63)}5`) })),
    ),
    ...REFUSED("LOG_HEAD_MISMATCH"),
  },
  {
    fault: "a log is made up",
    tamper: logs((l) => {
      const { data } = last(l)
      const next = (BigInt(`0x${word(data, 0)}`) + 1n).toString(16).padStart(64, "0")
      return [...l, edit(last(l), { logIndex: "0x9", data: `0x${next}${data.slice(66)}` })]
    }),
    ...REFUSED("LOG_HEAD_MISMATCH"),
  },
  {
    fault: "a number is out of its range",
    tamper: logs((l) => withLast(l, edit(last(l), { data: `0x${"f".repeat(64)}${last(l).data.slice(66)}` }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "data goes on behind its end",
    tamper: logs((l) => withLast(l, edit(last(l), { data: `${last(l).data}${"0".repeat(64)}` }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "data is cut short",
    tamper: logs((l) => withLast(l, edit(last(l), { data: last(l).data.slice(0, -64) }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "a topic is missing",
    tamper: logs((l) => withLast(l, edit(last(l), { topics: last(l).topics.slice(0, 2) }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "an event is of no registry",
    tamper: logs((l) => withLast(l, edit(last(l), { topics: last(l).topics.with(0, `0x${"12".repeat(32)}`) }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "a log is of another contract",
    tamper: logs((l) => withLast(l, edit(last(l), { address: `0x${"34".repeat(20)}` }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "a log was removed",
    tamper: logs((l) => withLast(l, edit(last(l), { removed: true }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "a log names another block's hash",
    tamper: logs((l) => withLast(l, edit(last(l), { blockHash: `0x${"56".repeat(32)}` }))),
    ...REFUSED("LOG_BLOCK_MISMATCH"),
  },
  {
    fault: "a log names another block",
    tamper: logs((l) => withLast(l, edit(last(l), { blockNumber: hexPlus(last(l).blockNumber, 1) }))),
    ...REFUSED("LOG_BLOCK_MISMATCH"),
  },
  {
    fault: "a log is of a block that was not asked for",
    tamper: logs((l) => withLast(l, edit(last(l), { blockNumber: "0x1" }))),
    ...REFUSED("LOG_MALFORMED"),
  },
  {
    fault: "the heads that the node tells are others",
    tamper:
      () =>
      ({ method, reply }) =>
        method === "eth_call" && String(reply.result).length === 66
          ? { ...reply, result: `0x${"78".repeat(32)}` }
          : undefined,
    ...REFUSED("LOG_HEAD_MISMATCH"),
  },
  {
    fault: "the node tells nothing newer",
    tamper: ({ newest, final }) => endingAt(newest, final),
    sync: undefined,
    answer: "STALE_HEAD",
  },
  {
    fault: "the node falls behind what is known",
    tamper: ({ parent, final }) => endingAt(parent, final),
    ...GROWS_OLD("LOG_SOURCE_BEHIND"),
  },
  {
    fault: "the node is blocks behind the one that is believed",
    tamper: ({ newest, final }) => endingAt(newest, final),
    trust: "other node",
    ...GROWS_OLD("LOG_SOURCE_BEHIND"),
  },
  {
    fault: "a block's hash is forged",
    tamper:
      () =>
      ({ method, params, reply }) =>
        method === "eth_getBlockByNumber" && params[0] !== "finalized"
          ? { ...reply, result: { ...(reply.result as object), hash: `0x${"9a".repeat(32)}` } }
          : undefined,
    trust: "other node",
    ...GROWS_OLD("CONTRACT_MISMATCH"),
  },
  {
    fault: "another chain answers",
    tamper:
      () =>
      ({ method, reply }) =>
        method === "eth_chainId" ? { ...reply, result: "0x1" } : undefined,
    ...GROWS_OLD("CHAIN_MISMATCH"),
  },
  {
    fault: "another chain answers about logs",
    tamper:
      () =>
      ({ method, reply }) =>
        method === "eth_chainId" ? { ...reply, result: "0x1" } : undefined,
    trust: "other node",
    ...GROWS_OLD("CHAIN_MISMATCH"),
  },
  { fault: "logs are no list", tamper: logs(() => ({ length: 3 })), ...GROWS_OLD("REPLY_MALFORMED") },
  {
    fault: "JSON is cut short",
    wire: (response, honest) => void response.end(honest.slice(0, -20)),
    ...GROWS_OLD("REPLY_MALFORMED"),
  },
  {
    fault: "10 MB of garbage come",
    wire: (response) => void response.end("\u0000garbage[{".repeat(1_048_576)),
    ...GROWS_OLD("REPLY_MALFORMED"),
  },
  {
    fault: "the node is overloaded",
    wire: (response) => void response.writeHead(503).end(),
    ...GROWS_OLD("ENDPOINT_STATUS"),
  },
  { fault: "the connection breaks", wire: (response) => void response.destroy(), ...GROWS_OLD("ENDPOINT_UNREACHABLE") },
  { fault: "the node says nothing", wire: () => undefined, timeoutMs: 4_000, ...GROWS_OLD("ENDPOINT_TIMEOUT") },
  {
    fault: "the node is slow",
    wire: (response, honest) => void setTimeout(() => response.end(honest), 150),
    ...FINE,
  },
  { fault: "the newest log comes late", tamper: lateLog, ...FINE },
  { fault: "the node gives no more than 5 blocks at once", tamper: limitOf(5), ...FINE },
  { fault: "the node gives no more than 1 block at once", tamper: limitOf(1), ...FINE },
]

let net: TestLedger & { url: string }
let proxy: FaultProxy
let maker: ManufacturerClient
let issuer: KeySigner
let devices: Device[]
let receipts: Receipt[]

beforeAll(async () => {
  net = await anvilLedger()
  maker = await net.admit("Acme Works")
  issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  devices = await Promise.all(Array.from({ length: DEVICES }, () => makeDevice({ issuer, notAfter: FAR })))
  const hashes = devices.map((device) => device.certificate.credentialHash)
  const tree = makeTree(net.deployment, maker.manufacturerId, 1, hashes)
  receipts = devices.map((_, i) => tree.receipt(i))
  await maker.registerBatch({ root: tree.root, size: DEVICES, notAfter: FAR, issuerKeyId: issuer.keyId, series: 1 })
  await net.pass(10)
  proxy = await FaultProxy.start(net.url)
})
afterAll(async () => {
  await proxy.close()
  await net.close()
})

beforeEach(() => {
  proxy.heal()
})

describe("Replica, when the node that it reads from fails or lies", () => {
  it.each(ROWS.map((row, i) => ({ ...row, i })))("$fault", async (row) => {
    const replica = await openReplica(row.trust ?? "same node", row.timeoutMs)
    const verifier = new Verifier({ ledger: replica, now: () => net.clock, maxAgeSeconds: MAX_AGE })
    const ask = (): Promise<string> =>
      verifier
        .checkCertificate((devices[row.i] as Device).der, { receipt: receipts[row.i] as Receipt })
        .then(({ status }) => status, codeOf)
    await replica.sync()
    await net.syncClock()
    expect(await ask()).toBe("good")
    const entries = replica.status.entries

    const context = await contextAt(replica.status.block?.number ?? 0)
    await happen(row.i)
    if (row.tamper !== undefined) proxy.tamper = row.tamper(context)
    proxy.fault = row.wire
    expect(await replica.sync().then(() => undefined, codeOf)).toBe(row.sync)
    expect(await ask()).toBe(row.answer)
    expect(replica.status.fault?.code).toBe(row.sync)
    expect(replica.status.refusing).toBe(row.answer === row.sync)

    proxy.heal()
    await replica.sync()
    expect(replica.status).toMatchObject({ fault: undefined, refusing: false, entries: entries + 4 })
    expect(await ask()).toBe("revoked")
    await replica.close()
  })

  it("does not read anew what it knows after it was lied to", async () => {
    const replica = await openReplica("same node")
    const { added } = await replica.sync()
    proxy.tamper = logs((l) => l.slice(0, -1))()
    await happen(DEVICES - 2)
    await expect(replica.sync()).rejects.toThrow(FleetrootError)
    proxy.heal()

    const report = await replica.sync()
    expect(added).toBeGreaterThan(100)
    expect(report).toMatchObject({ added: 4, undone: 0, entries: added + 4 })
  })

  it("refuses everything while it refuses", async () => {
    const replica = await openReplica("same node")
    await replica.sync()
    await happen(DEVICES - 1)
    proxy.tamper = logs((l) => l.slice(0, -1))()
    await expect(replica.sync()).rejects.toMatchObject({
      code: "LOG_HEAD_MISMATCH",
      contract: "devices",
      manufacturerId: 1,
      block: Number(await net.ask("eth_blockNumber")),
    })
    proxy.heal()

    const { fault } = replica.status
    const refusals = [
      () => replica.head,
      () => replica.settled,
      () => replica.stateAt(replica.status.finalized?.timestamp ?? 0),
    ]
    for (const refusal of refusals) expect(refusal).toThrow(fault)
    await expect(replica.heads("finalized")).rejects.toBe(fault)
    await expect(replica.at("latest")).rejects.toBe(fault)
    await expect(replica.atTime(0)).rejects.toBe(fault)
  })

  it("comes back by itself when the node does", async () => {
    const replica = await openReplica("same node")
    let requests = 0
    proxy.fault = (response, honest) => void (++requests > 5 ? response.end(honest) : response.destroy())
    const stop = new AbortController()
    const changed = new Promise<void>((resolve) => {
      replica.onChange(() => {
        resolve()
      })
    })
    const following = replica.follow({ signal: stop.signal, intervalMs: 1 })
    await changed
    stop.abort()
    await following

    expect(replica.status).toMatchObject({ fault: undefined, refusing: false })
    expect(requests).toBeGreaterThan(5)
  })

  it.each([
    ["an hour behind", -3_600, "CLOCK_BEHIND"],
    ["an hour ahead", 3_600, "STALE_HEAD"],
  ])("decides nothing by a clock that is %s", async (_, seconds, code) => {
    const replica = await openReplica("same node")
    await replica.sync()
    const { timestamp } = replica.head.block
    const now = (): Date => new Date((timestamp + seconds) * 1000)
    const verifier = new Verifier({ ledger: replica, now, maxAgeSeconds: MAX_AGE })
    const { der } = devices[0] as Device
    await expect(verifier.checkCertificate(der, { receipt: receipts[0] as Receipt })).rejects.toMatchObject({ code })
  })

  it("takes another node where the first one lies", async () => {
    const rpc = [httpRpc(proxy.url), httpRpc(net.url)]
    const trust = new RpcLedger({ deployment: net.deployment, rpc: httpRpc(net.url) })
    const replica = await Replica.open({ deployment: net.deployment, rpc, trust, store: memoryStore(), retryMs: 1 })
    proxy.tamper = logs((l) => l.slice(0, -1))()
    await replica.sync()
    proxy.tamper = undefined
    proxy.fault = (response) => void response.destroy()
    await replica.sync()
    proxy.heal()

    expect(replica.status.fault).toBeUndefined()
  })
})

/** A hold, its end, and two revocations of a device, the last one final news; then time passes. */
async function happen(i: number): Promise<void> {
  const { credentialHash, keyId } = (devices[i] as Device).certificate
  await maker.hold([{ subject: credentialHash }])
  await maker.unhold([{ subject: credentialHash }])
  await maker.revoke([{ subject: keyId }], { reason: 1 })
  await maker.revoke([{ subject: credentialHash }], { reason: 1 })
  await net.ask("evm_increaseTime", SINCE)
  await net.ask("evm_mine")
  await net.syncClock()
}

async function contextAt(number: number): Promise<Context> {
  const block = (tag: string): Promise<NodeBlock> => net.ask("eth_getBlockByNumber", tag, false)
  const [newest, parent] = [number, number - 1].map((n) => block(`0x${n.toString(16)}`)) as [
    Promise<NodeBlock>,
    Promise<NodeBlock>,
  ]
  return { newest: await newest, parent: await parent, final: await block("finalized") }
}

async function openReplica(trust: Trust, timeoutMs = TIMEOUT_MS): Promise<Replica> {
  const { deployment } = net
  const rpc = httpRpc(proxy.url, { timeoutMs })
  const ledgers: Record<Trust, () => Ledger> = {
    "same node": () => new RpcLedger({ deployment, rpc }),
    "other node": () => new RpcLedger({ deployment, rpc: httpRpc(net.url) }),
    "state proof": () => new ProvenLedger({ deployment, rpc }),
  }
  return Replica.open({ deployment, rpc, store: memoryStore(), trust: ledgers[trust](), retryMs: 1 })
}

function codeOf(error: unknown): string {
  if (error instanceof FleetrootError) return error.code
  throw error
}

/** The node's chain ends at a block. */
function endingAt(newest: NodeBlock, final: NodeBlock): Tamper {
  return ({ method, params, reply }) => {
    if (method !== "eth_getBlockByNumber") return undefined
    if (params[0] === "latest") return { ...reply, result: newest }
    if (params[0] === "finalized") return { ...reply, result: final }
    return Number(params[0]) > Number(newest.number) ? { ...reply, result: null } : undefined
  }
}

/** All state proofs say that there is nothing. */
function forgedProof({ method, reply }: Exchange): Exchange["reply"] | undefined {
  if (method !== "eth_getProof") return undefined
  const { storageProof, ...rest } = reply.result as { storageProof: object[] }
  return {
    ...reply,
    result: { ...rest, storageProof: storageProof.map((one) => ({ ...one, value: "0x0", proof: [] })) },
  }
}

function lateLog(): Tamper {
  let first = true
  return ({ method, reply }) => {
    if (method !== "eth_getLogs" || !first) return undefined
    first = false
    return { ...reply, result: (reply.result as unknown[]).slice(0, -1) }
  }
}

function limitOf(blocks: number): () => Tamper {
  return () =>
    ({ method, params, reply }) => {
      if (method !== "eth_getLogs") return undefined
      const { fromBlock, toBlock } = params[0] as { fromBlock: Hex; toBlock: Hex }
      if (Number(toBlock) - Number(fromBlock) < blocks) return undefined
      return {
        id: reply.id,
        jsonrpc: "2.0",
        error: { code: -32005, message: "query exceeds limit" },
      } as Exchange["reply"]
    }
}

function hexPlus(hex: string, number: number): Hex {
  return `0x${(Number(hex) + number).toString(16)}`
}
