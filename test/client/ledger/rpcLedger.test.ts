import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ContractMismatchError, HeadRolledBackError, RpcLedger, TimeOutOfRangeError } from "../../../client/index.ts"
import type { Deployment, HeadMemory, Hex, JsonRpc, RpcCall } from "../../../client/index.ts"
import { FinalHead } from "../../../client/ledger/finalHead.ts"
import type { RpcBlock } from "../../../client/ledger/rpcBlock.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

let net: TestLedger
beforeAll(async () => {
  net = await freshLedger()
  await net.admit("Acme Works")
})
afterAll(() => net.close())

const ledgerWith = (options: { rpc?: JsonRpc; headMemory?: HeadMemory; deployment?: Deployment } = {}) =>
  new RpcLedger({ deployment: net.deployment, rpc: net.rpc, ...options })

/** The node, with some answers replaced. */
function lying(answer: (call: RpcCall, honest: () => Promise<unknown>) => Promise<unknown>): JsonRpc {
  const request = (call: RpcCall): Promise<unknown> => answer(call, () => net.rpc.request(call))
  return { endpoint: "a lying node", request, requestMany: (calls) => Promise.all(calls.map(request)) }
}

function memoryOf(seen?: { number: number; hash: Hex }): HeadMemory & { seen: typeof seen } {
  const memory = {
    seen,
    load: async () => memory.seen,
    save: async (head: { number: number; hash: Hex }) => {
      memory.seen = head
    },
  }
  return memory
}

describe("RpcLedger.at", () => {
  it("gives the newest block of a finality", async () => {
    await net.pass(1)
    const latest = await net.ledger.at("latest")
    const { number } = await net.ask<{ number: Hex }>("eth_getBlockByNumber", "latest", false)

    expect(latest.block.number).toBe(Number(number))
    expect(latest.evidence).toEqual({ kind: "singleNode", detail: expect.stringContaining("embedded ledger") })
  })

  it("refuses a chain that does not have the deployment's block, or has another one in its place", async () => {
    const at = (block: Deployment["block"]) => ledgerWith({ deployment: { ...net.deployment, block } }).at("latest")

    await expect(at({ number: 0, hash: `0x${"11".repeat(32)}` })).rejects.toThrow(ContractMismatchError)
    await expect(at({ number: 1_000_000, hash: net.deployment.block.hash })).rejects.toThrow(ContractMismatchError)
  })

  it("asks each question once, and those of one moment together", async () => {
    const trips: number[] = []
    const rpc: JsonRpc = {
      ...net.rpc,
      requestMany: (calls) => {
        trips.push(calls.length)
        return net.rpc.requestMany(calls)
      },
    }
    const view = await ledgerWith({ rpc }).at("latest")
    trips.length = 0

    await Promise.all([view.manufacturer(1), view.manufacturer(1), view.batch(1, 1), view.manufacturer(2)])
    await view.manufacturer(1)

    expect(trips).toEqual([3])
  })
})

describe("RpcLedger, when the node goes back in time", () => {
  it("refuses a node that was restored from an older state, even once it grew past it again", async () => {
    const snapshot = await net.ask("evm_snapshot")
    await net.pass(1)
    const memory = memoryOf()
    const ledger = ledgerWith({ headMemory: memory })
    await ledger.at("finalized")
    await net.ask("evm_revert", snapshot)

    await expect(ledger.at("finalized")).rejects.toThrow(HeadRolledBackError)
    await expect(ledger.heads("finalized")).rejects.toThrow(HeadRolledBackError)
    await expect(ledgerWith({ headMemory: memory }).at("finalized")).rejects.toThrow(HeadRolledBackError)
    for (let i = 0; i < 3; i++) await net.pass(7)
    await expect(ledger.at("finalized")).rejects.toThrow(HeadRolledBackError)
    expect((await ledgerWith().at("finalized")).block.finality).toBe("finalized")
  })

  it("takes a final block that it knows over an older one, if the node has it still", async () => {
    const chain = new Map(
      [9, 10, 11].map((number) => [number, { number, hash: `0x${number}`, parentHash: "0x0", timestamp: number }]),
    ) as unknown as Map<number, RpcBlock>
    const memory = memoryOf({ number: 10, hash: "0x10" })
    const head = new FinalHead(memory)
    const byNumber = async (number: number) => chain.get(number)

    expect(await head.advance(chain.get(9) as RpcBlock, byNumber)).toBe(chain.get(10))
    expect(memory.seen).toEqual({ number: 10, hash: "0x10" })
    const both = await Promise.all([11, 10].map((number) => head.advance(chain.get(number) as RpcBlock, byNumber)))
    expect(both).toEqual([chain.get(11), chain.get(11)])
    expect(memory.seen).toEqual({ number: 11, hash: "0x11" })

    chain.delete(11)
    await expect(head.advance(chain.get(10) as RpcBlock, byNumber)).rejects.toThrow(HeadRolledBackError)
    // What failed once does not stand in the way of what comes after.
    chain.set(11, { number: 11, hash: "0x11", parentHash: "0x0", timestamp: 11 })
    expect(await head.advance(chain.get(11) as RpcBlock, byNumber)).toBe(chain.get(11))
  })

  it("does not stumble over answers that overtake each other", async () => {
    const ledger = ledgerWith()
    const questions: Promise<unknown>[] = []
    for (let i = 0; i < 10; i++) {
      questions.push(ledger.at("finalized"), ledger.heads("finalized"), net.ask("evm_mine"))
    }

    await expect(Promise.all(questions)).resolves.toHaveLength(30)
  })
})

describe("RpcLedger.heads", () => {
  it("is one view when the newest block is final", async () => {
    await net.pass(1)
    const { head, settled } = await net.ledger.heads("finalized")

    expect(head).toBe(settled)
  })

  it("never has a head that is older than what is settled, whatever the node says", async () => {
    await net.pass(1)
    const older = await net.ask<{ number: Hex }>("eth_getBlockByNumber", "0x1", false)
    const rpc = lying(async (call, honest) =>
      call.params[0] === "latest" && call.method.includes("Block") ? older : honest(),
    )

    const { head, settled } = await ledgerWith({ rpc }).heads("finalized")

    expect(head).toBe(settled)
    expect(head.block.number).toBeGreaterThan(1)
  })
})

describe("RpcLedger.atTime", () => {
  it("finds the last block at or before each second", async () => {
    const start = (await net.pass(1)).getTime() / 1000
    const first = (await net.ledger.at("latest")).block
    for (const seconds of [3, 1, 10, 2]) await net.pass(seconds)
    const blocks = await Promise.all(
      [0, 1, 2, 3, 4].map(async (i) => {
        const block = await net.ask<{ timestamp: Hex }>(
          "eth_getBlockByNumber",
          `0x${(first.number + i).toString(16)}`,
          false,
        )
        return { number: first.number + i, timestamp: Number(block.timestamp) }
      }),
    )
    const end = blocks.at(-1)?.timestamp ?? 0

    for (let time = start; time <= end; time++) {
      const expected = blocks.findLast(({ timestamp }) => timestamp <= time)
      expect((await net.ledger.atTime(time)).block).toMatchObject({ ...expected, finality: "finalized" })
    }
  })

  it("refuses times that it cannot speak of", async () => {
    const { block } = await net.ledger.at("finalized")

    for (const time of [0, block.timestamp + 1, Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      await expect(net.ledger.atTime(time)).rejects.toThrow(TimeOutOfRangeError)
    }
  })

  it("says so when there were no contracts yet", async () => {
    const rpc = lying(async (call, honest) =>
      call.params[0] === "latest" ? net.ask("eth_getBlockByNumber", "0x0", false) : honest(),
    )
    const view = await ledgerWith({ rpc }).at("latest")

    await expect(view.manufacturer(1)).rejects.toThrow(ContractMismatchError)
  })
})

describe("A view", () => {
  it.each<[string, (view: Awaited<ReturnType<RpcLedger["at"]>>) => Promise<unknown>, string]>([
    ["manufacturer -1", (view) => view.manufacturer(-1), "NumberOutOfRangeError"],
    ["manufacturer 2^32", (view) => view.manufacturer(2 ** 32), "NumberOutOfRangeError"],
    ["manufacturer NaN", (view) => view.manufacturer(Number.NaN), "NumberOutOfRangeError"],
    ["key 1.5", (view) => view.key(1, 1.5), "NumberOutOfRangeError"],
    ["series 2^53", (view) => view.batch(1, 2 ** 53), "NumberOutOfRangeError"],
    ["word -1", (view) => view.word(1, 1, -1), "NumberOutOfRangeError"],
    ["a short subject", (view) => view.record(1, "0x12"), "HashInvalidError"],
    ["a subject in capitals", (view) => view.record(1, `0x${"AB".repeat(32)}`), "HashInvalidError"],
    ["no subject", (view) => view.record(1, undefined as unknown as Hex), "HashInvalidError"],
    ["a short key id", (view) => view.keyById("0x"), "HashInvalidError"],
    [
      "an account with a wrong checksum",
      (view) => view.operator(1, "0xf39fd6e51aad88F6F4ce6aB8827279cffFb92266"),
      "AddressInvalidError",
    ],
    ["an account cut short", (view) => view.operator(1, "0xf39f"), "AddressInvalidError"],
  ])("refuses %s by name", async (_what, ask, name) => {
    await expect(ask(await net.ledger.at("latest"))).rejects.toMatchObject({ name })
  })

  it("knows absence from failure", async () => {
    const view = await net.ledger.at("latest")

    expect(await view.manufacturer(9)).toBeUndefined()
    expect(await view.key(9, 1)).toBeUndefined()
    expect(await view.key(1, 1)).toBeUndefined()
    expect(await view.batch(1, 9)).toBeUndefined()
    expect(await view.keyById(`0x${"00".repeat(32)}`)).toBeUndefined()
    expect(await view.operator(1, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")).toBeUndefined()
    expect(await view.record(1, `0x${"00".repeat(32)}`)).toMatchObject({ mark: "none", registeredAt: undefined })
  })
})
