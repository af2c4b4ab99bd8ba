import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { privateKeyToAccount } from "viem/accounts"
import { keccak256 } from "viem/utils"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { generateP256Key, jsonRpcFrom, memoryJournal, RpcRejectedError, toHex } from "../../../client/index.ts"
import type {
  Hex,
  Journal,
  JsonRpc,
  KeySigner,
  LedgerWriter,
  LedgerWriterOptions,
  Mined,
  Payer,
  RpcCall,
} from "../../../client/index.ts"
import { EndpointUnreachableError } from "../../../client/index.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { payer, TEST_KEYS } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const GWEI = 10n ** 9n
const FAR = 4_000_000_000
const QUICK = { raiseAfterSeconds: 0.1, receiptLagSeconds: 0.3, timeoutSeconds: 8 }

let net: TestLedger & { url: string }
let issuer: KeySigner
let snapshot: unknown
let journal: Journal

beforeAll(async () => {
  net = await anvilLedger()
  const maker = await net.admit("Acme Works")
  issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
})
afterAll(() => net.close())
beforeEach(async () => {
  snapshot = await net.ask("evm_snapshot")
  journal = memoryJournal()
})
afterEach(async () => {
  await net.ask("evm_setAutomine", true)
  await net.ask("evm_revert", snapshot)
  await net.ask("anvil_setNextBlockBaseFeePerGas", `0x${GWEI.toString(16)}`)
})

const writer = (options: Partial<LedgerWriterOptions> = {}): LedgerWriter =>
  net.writer(1, { journal, ...QUICK, ...options })

const root = (number: number): Hex => toHex(new Uint8Array(32).fill(number))

/** A call that can be done once for each series. */
const registering = (series: number, number = 1) =>
  ({
    to: net.deployment.contracts.devices.address,
    abi: deviceRegistryAbi,
    functionName: "registerBatch",
    args: [1, { series, size: 5, keyIndex: 1, notAfter: FAR, root: root(number) }],
  }) as const

const sent = async (tag = "latest", account = payer(1).address): Promise<number> =>
  Number(await net.ask("eth_getTransactionCount", account, tag))

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; !(await isSo()); i++) {
    if (i > 1000) throw new Error("it never came to that")
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
}

/** Waits until a transaction is with the node, and returns its hash. */
async function inMempool(beyond?: Hex): Promise<Hex> {
  let hash: Hex | undefined
  await until(async () => {
    const pool = await net.ask<{ pending: Record<string, Record<string, { hash: Hex }>> }>("txpool_content")
    hash = Object.values(pool.pending).flatMap((byNonce) => Object.values(byNonce))[0]?.hash
    return hash !== undefined && hash !== beyond
  })
  return hash as Hex
}

const isRegistered = async (series: number): Promise<boolean> =>
  (await (await net.freshView().at("latest")).batch(1, series)) !== undefined

/** The node, with some answers made up. */
function through(answer: (call: RpcCall, honest: () => Promise<unknown>) => Promise<unknown>): JsonRpc {
  return jsonRpcFrom(({ method, params }) => answer({ method, params }, () => net.rpc.request({ method, params })))
}

const refusal = (message: string): RpcRejectedError =>
  new RpcRejectedError({ method: "eth_sendRawTransaction", rpcCode: -32_000, rpcMessage: message })

describe("LedgerWriter, before it sends anything", () => {
  it.each<[what: string, error: string, options: () => Partial<LedgerWriterOptions>, series: number]>([
    ["what the contract would refuse, with what to do", "ContractRevertedError", () => ({}), 0x8000_0000],
    ["when gas costs more than allowed", "FeeCapExceededError", () => ({ feeCapWei: 1n }), 1],
    [
      "when the node is on another chain",
      "ChainMismatchError",
      () => ({ rpc: through(async ({ method }, honest) => (method === "eth_chainId" ? "0x1" : honest())) }),
      1,
    ],
    [
      "what no transaction can hold",
      "GasCapExceededError",
      () => ({
        rpc: through(async ({ method }, honest) => {
          if (method === "eth_estimateGas") throw refusal("gas required exceeds allowance (16777216)")
          return honest()
        }),
      }),
      1,
    ],
    [
      "when the node estimates nonsense",
      "ReplyMalformedError",
      () => ({ rpc: through(async ({ method }, honest) => (method === "eth_estimateGas" ? "many" : honest())) }),
      1,
    ],
    [
      "when the account has no ether",
      "RpcRejectedError",
      () => ({ payer: privateKeyToAccount(`0x${"77".repeat(32)}`), feeCapWei: GWEI * 5n }),
      1,
    ],
  ])("refuses %s", async (_what, error, options, series) => {
    const before = await sent("pending")

    const call = error === "RpcRejectedError" ? revokingAs(0) : registering(series)
    await expect(writer(options()).write(call as ReturnType<typeof registering>)).rejects.toMatchObject({ name: error })

    expect(await sent("pending")).toBe(before)
    expect(await journal.entries()).toEqual([])
  })

  /** Anybody may submit it, so that only the lack of ether stands against it. */
  const revokingAs = (_account: number) => ({ ...registering(1), functionName: "registerBatchFor", args: BY_KEY.args })
  const BY_KEY: { args: readonly unknown[] } = { args: [] }
  beforeAll(async () => {
    const { batchRegistrationStatement, normalizeLowS, splitRaw } = await import("../../../client/index.ts")
    const { chainId, contracts } = net.deployment
    const batch = { series: 0x8000_0001, root: root(3), size: 1, notAfter: FAR }
    const domain = { chainId, verifyingContract: contracts.devices.address }
    const statement = batchRegistrationStatement(domain, {
      manufacturerId: 1,
      ...batch,
      keyId: issuer.keyId,
      kind: "x509",
    })
    const { r, s } = splitRaw(normalizeLowS(await issuer.sign(statement)))
    BY_KEY.args = [1, { ...batch, keyIndex: 1 }, 0, r, s]
  })

  it("names the contract's error, its values and a hint", async () => {
    await expect(writer().write(registering(0x8000_0000))).rejects.toMatchObject({
      errorName: "SeriesInvalid",
      args: [0x8000_0000],
      hint: expect.stringContaining("issuer key"),
    })
  })
})

describe("LedgerWriter, when blocks do not come or gas gets dear", () => {
  beforeEach(() => net.ask("evm_setAutomine", false))

  it("offers more until a block takes it, and pays once", async () => {
    const before = await sent()
    const writing = writer().write(registering(1))
    const first = await inMempool()
    await net.ask("anvil_setNextBlockBaseFeePerGas", `0x${(50n * GWEI).toString(16)}`)
    await net.ask("evm_mine")
    expect(await isRegistered(1)).toBe(false)

    const raised = await inMempool(first)
    await net.ask("evm_mine")
    const mined = await writing

    expect(raised).not.toBe(first)
    expect(mined.hash).not.toBe(first)
    expect(await isRegistered(1)).toBe(true)
    expect(await sent()).toBe(before + 1)
    expect(await journal.entries()).toEqual([])
  })

  it("stays within the cap, and says that it is stuck rather than pay more", async () => {
    const feeCapWei = 4n * GWEI
    const writing = writer({ feeCapWei, timeoutSeconds: 1 }).write(registering(1))
    await inMempool()
    await net.ask("anvil_setNextBlockBaseFeePerGas", `0x${(50n * GWEI).toString(16)}`)
    await net.ask("evm_mine")

    await expect(writing).rejects.toMatchObject({ name: "TransactionStuckError", hash: expect.any(String) })

    const [entry] = await journal.entries()
    const pool = await net.ask<{ pending: Record<string, Record<string, { maxFeePerGas: Hex }>> }>("txpool_content")
    const fees = Object.values(pool.pending).flatMap((all) => Object.values(all).map((one) => BigInt(one.maxFeePerGas)))
    expect(fees.every((fee) => fee <= feeCapWei)).toBe(true)

    // Run again when gas is cheap: the same transaction, whichever form of it.
    await net.ask("anvil_setNextBlockBaseFeePerGas", `0x${GWEI.toString(16)}`)
    await net.ask("evm_setAutomine", true)
    const mined = await writer({ feeCapWei }).write({ ...registering(1), seenAt: 0 })
    expect(entry?.hashes).toContain(mined.hash)
  })

  it("goes on with what an earlier run sent, in whatever state that left it", async () => {
    const before = await sent()
    await expect(writer({ timeoutSeconds: 0.2, raiseAfterSeconds: 100 }).write(registering(1))).rejects.toMatchObject({
      name: "TransactionStuckError",
    })
    const [entry] = await journal.entries()
    await net.ask("anvil_dropTransaction", entry?.hashes[0])

    const writing = writer().write(registering(1))
    await inMempool()
    await net.ask("evm_mine")

    expect(entry?.hashes).toContain((await writing).hash)
    expect(await sent()).toBe(before + 1)
  })

  it("offers again what the node dropped", async () => {
    const writing = writer({ raiseAfterSeconds: 0.2 }).write(registering(1))
    const hash = await inMempool()
    await net.ask("anvil_dropTransaction", hash)
    await inMempool()
    await net.ask("evm_mine")

    await writing
    expect(await isRegistered(1)).toBe(true)
  })

  it("sends anew when another program took its nonce", async () => {
    const before = await sent()
    const writing = writer({ raiseAfterSeconds: 100 }).write(registering(1))
    await inMempool()
    await sendAs(1, before, 100n * GWEI)
    await net.ask("evm_mine")
    expect(await isRegistered(1)).toBe(false)
    await net.ask("evm_setAutomine", true)

    await writing

    expect(await isRegistered(1)).toBe(true)
    expect(await sent()).toBe(before + 2)
  })

  it("reports a transaction that was mined and failed, and forgets it", async () => {
    // Anvil estimates as if what waits were mined already; others, and this one when asked so, do not.
    const rpc = through(async ({ method, params }, honest) =>
      method === "eth_estimateGas" ? net.ask(method, params[0], "latest") : honest(),
    )
    const [first, second] = [net.writer(1, QUICK), net.writer(0, { journal, ...QUICK, rpc })]
    await makeOperator(0)
    const winning = first.write(registering(1, 1))
    await inMempool()
    const losing = second.write(registering(1, 2)).catch((error: unknown) => error)
    await until(async () => (await sent("pending", payer(0).address)) > (await sent("latest", payer(0).address)))
    await until(async () => (await sent("pending")) > (await sent()))
    await net.ask("evm_mine")

    const outcomes = [await winning.catch((error: unknown) => error), await losing]

    expect(outcomes.filter((outcome) => (outcome as Error).name === "TransactionFailedError")).toHaveLength(1)
    expect(outcomes.filter((outcome) => typeof (outcome as Mined).gasUsed === "bigint")).toHaveLength(1)
    expect(await journal.entries()).toEqual([])
  })
})

describe("LedgerWriter, when the node misbehaves", () => {
  it("takes the next nonce when the node gave one that is used, and gives up by name when that never ends", async () => {
    const before = await sent()
    const stale = (times: number): JsonRpc => {
      let lies = 0
      return through(async ({ method, params }, honest) =>
        method === "eth_getTransactionCount" && params[1] === "pending" && lies++ < times ? "0x0" : honest(),
      )
    }

    await writer({ rpc: stale(1) }).write(registering(1))
    expect(await sent()).toBe(before + 1)
    await expect(writer({ rpc: stale(100) }).write(registering(2))).rejects.toMatchObject({
      name: "NonceContestedError",
    })
    expect(await sent()).toBe(before + 1)
    expect(await journal.entries()).toEqual([])
  })

  it("does not send twice when receipts lag behind nonces", async () => {
    const before = await sent()
    let hidden = 0
    const rpc = through(async ({ method }, honest) =>
      method === "eth_getTransactionReceipt" && hidden++ < 6 ? null : honest(),
    )

    await writer({ rpc, receiptLagSeconds: 5 }).write(registering(1))

    expect(await sent()).toBe(before + 1)
  })

  it("bears with a node that is away for a moment", async () => {
    let polls = 0
    const rpc = through(async ({ method }, honest) => {
      const away = method === "eth_getTransactionReceipt" && ++polls >= 1 && polls <= 3
      if (away) throw new EndpointUnreachableError({ endpoint: "it", cause: undefined })
      return honest()
    })

    await expect(writer({ rpc }).write(registering(1))).resolves.toMatchObject({ blockNumber: expect.any(Number) })
  })

  it.each(["an internal error", "request timed out", "header not found"])(
    "keeps a transaction that the node refused with %j but may have, and finds it again",
    async (message) => {
      const before = await sent()
      await net.ask("evm_setAutomine", false)
      const rpc = through(async ({ method }, honest) => {
        const result = await honest()
        if (method === "eth_sendRawTransaction") throw refusal(message)
        return result
      })
      await expect(writer({ rpc }).write(registering(1))).rejects.toMatchObject({ name: "RpcRejectedError" })
      expect(await journal.entries()).toHaveLength(1)
      await net.ask("evm_setAutomine", true)
      await net.ask("evm_mine")

      await writer().write({ ...registering(1), seenAt: 0 })

      expect(await sent()).toBe(before + 1)
    },
  )

  it.each([
    "insufficient funds for gas * price + value",
    "max fee per gas less than block base fee",
    "intrinsic gas too low",
  ])("forgets a transaction that the node refused for good: %s", async (message) => {
    const before = await sent("pending")
    const rpc = through(async ({ method }, honest) => {
      if (method === "eth_sendRawTransaction") throw refusal(message)
      return honest()
    })

    await expect(writer({ rpc }).write(registering(1))).rejects.toMatchObject({ name: "RpcRejectedError" })

    expect(await journal.entries()).toEqual([])
    expect(await sent("pending")).toBe(before)
  })

  it("refuses a receipt of another transaction, and one without an outcome", async () => {
    const changed = (fields: object): JsonRpc =>
      through(async ({ method }, honest) => {
        const reply = await honest()
        return method === "eth_getTransactionReceipt" && reply !== null ? { ...(reply as object), ...fields } : reply
      })
    for (const [i, fields] of [
      { transactionHash: root(1) },
      { status: "0x2" },
      { status: undefined },
      { blockNumber: 3 },
      { gasUsed: null },
    ].entries()) {
      const writing = writer({ rpc: changed(fields), journal: memoryJournal() }).write(registering(10 + i))
      await expect(writing).rejects.toMatchObject({ name: "ReplyMalformedError" })
    }
  })
})

describe("LedgerWriter, otherwise", () => {
  it("sends one after another, in the order of the calls", async () => {
    const one = writer()
    const mined = await Promise.all([1, 2, 3, 4, 5].map((series) => one.write(registering(series))))

    const blocks = mined.map(({ blockNumber }) => blockNumber)
    expect(blocks).toEqual([...blocks].sort((a, b) => a - b))
    expect(new Set(blocks).size).toBe(5)
  })

  it("is not held up by a call that failed", async () => {
    const one = writer()
    const outcomes = await Promise.allSettled([registering(0), registering(1)].map((call) => one.write(call)))

    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"])
  })

  it("sends the same words twice when they are meant twice", async () => {
    const before = await sent()
    const one = writer()
    await one.write(revoking())
    await one.write(revoking())

    expect(await sent()).toBe(before + 2)
  })

  it("takes what was mined since the caller looked for the call itself, and nothing older", async () => {
    const { blockNumber } = await writer().write(revoking())
    const before = await sent()
    const raw = await signed(1, before)
    const entry = {
      chainId: net.deployment.chainId,
      from: payer(1).address.toLowerCase() as Hex,
      nonce: before,
      raw,
      once: false,
    }
    await net.ask("eth_sendRawTransaction", raw)
    const withEntry = async (): Promise<void> => {
      const probe = memoryJournal()
      const spy: Journal = { ...probe, put: async (put) => journal.put({ ...put, ...entry, hashes: [keccak256(raw)] }) }
      await net
        .writer(1, { journal: spy, ...QUICK })
        .write(revoking())
        .catch(() => undefined)
    }
    await withEntry()
    const sentSoFar = await sent()

    const found = await writer().write({ ...revoking(), seenAt: blockNumber })
    expect(found.hash).toBe(keccak256(raw))
    expect(await sent()).toBe(sentSoFar)

    await withEntry()
    const again = await sent()
    await writer().write({ ...revoking(), seenAt: 1_000_000 })
    expect(await sent()).toBe(again + 1)
  })

  it("leaves other accounts' and other chains' transactions in a shared journal alone", async () => {
    const foreign = { id: root(1), nonce: 3, raw: root(9), hashes: [root(8)], once: false }
    await journal.put({ ...foreign, chainId: net.deployment.chainId, from: payer(2).address })
    await journal.put({ ...foreign, id: root(2), chainId: 1, from: payer(1).address })

    await writer().write(registering(1))

    expect(await journal.entries()).toHaveLength(2)
  })

  it("lets a wallet sign and send", async () => {
    const from = payer(1).address
    const wallet: Payer = {
      address: from,
      sendTransaction: ({ to, data, gas }) =>
        net.ask("eth_sendTransaction", { from, to, data, gas: `0x${gas.toString(16)}` }),
    }

    await writer({ payer: wallet }).write(registering(1))

    expect(await isRegistered(1)).toBe(true)
  })

  it("tells what a call would cost", async () => {
    expect(await writer().estimateGas(registering(1))).toBeGreaterThan(50_000n)
    await expect(writer().estimateGas(registering(0))).rejects.toMatchObject({ errorName: "SeriesInvalid" })
  })
})

const revoking = () =>
  ({
    to: net.deployment.contracts.devices.address,
    abi: deviceRegistryAbi,
    functionName: "revoke",
    args: [1, [{ subject: root(5), series: 0, index: 0 }], 1, 0],
  }) as const

/** A transfer of nothing to oneself. */
async function signed(account: number, nonce: number, maxFeePerGas = 10n * GWEI): Promise<Hex> {
  const from = privateKeyToAccount(TEST_KEYS[account] as Hex)
  const { chainId } = net.deployment
  const fees = { maxFeePerGas, maxPriorityFeePerGas: maxFeePerGas }
  return from.signTransaction({ type: "eip1559", chainId, nonce, to: from.address, gas: 21_000n, ...fees })
}

async function sendAs(account: number, nonce: number, maxFeePerGas: bigint): Promise<void> {
  await net.ask("eth_sendRawTransaction", await signed(account, nonce, maxFeePerGas))
}

async function makeOperator(account: number): Promise<void> {
  await net.ask("evm_setAutomine", true)
  await net.manufacturer(1).setOperator(payer(account).address, ["register"], new Date(FAR * 1000))
  await net.ask("evm_setAutomine", false)
}
