import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeFunctionData } from "viem/utils"
import { manufacturerRegistryAbi } from "../../../client/abi/ManufacturerRegistry.ts"
import type { Hex } from "../../../client/index.ts"
import { freshLedger, payer } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const TWO_DAYS = 172_800

let net: TestLedger
let delayed: TestLedger
beforeAll(async () => {
  net = await freshLedger()
  delayed = await freshLedger("default", { governanceDelay: TWO_DAYS, keyDelay: TWO_DAYS })
})
afterAll(() => Promise.all([net.close(), delayed.close()]))

const controller = payer(1).address

describe("GovernanceClient.admit", () => {
  it("admits at once where nobody must wait", async () => {
    const results = [
      await net.governance().admit({ controller, name: "Acme" }),
      await net.governance().admit({ controller, name: "Bar" }),
    ]

    expect(results).toMatchObject([
      { state: "admitted", manufacturerId: 1 },
      { state: "admitted", manufacturerId: 2 },
    ])
    expect(await (await net.ledger.at("latest")).manufacturer(2)).toMatchObject({
      name: "Bar",
      status: "active",
      controller: controller.toLowerCase(),
    })
  })

  it("schedules where it must wait, says when it is due, and carries it out then and not before", async () => {
    const admission = { controller, name: "Acme", metadataURI: "https://acme.example/" }
    const governance = delayed.governance()
    const start = await delayed.now()
    const first = await governance.admit(admission)
    const again = await governance.admit(admission)

    expect(first).toMatchObject({ state: "scheduled", transaction: { hash: expect.any(String) } })
    expect(again).toMatchObject({ state: "scheduled", transaction: null })
    if (first.state !== "scheduled" || again.state !== "scheduled") throw new Error("not scheduled")
    expect(again.dueAt).toEqual(first.dueAt)
    const due = first.dueAt.getTime() / 1000
    expect(due).toBeGreaterThanOrEqual(start + TWO_DAYS)

    await delayed.nextBlockAt(due - 1)
    await delayed.ask("evm_mine")
    expect(await governance.admit(admission)).toMatchObject({ state: "scheduled", transaction: null })
    await delayed.nextBlockAt(due)
    await delayed.ask("evm_mine")
    expect(await governance.admit(admission)).toMatchObject({ state: "admitted", manufacturerId: 1 })
    // The same words again are another admission.
    expect(await governance.admit(admission)).toMatchObject({ state: "scheduled" })
  })

  it.each<[string, { controller: Hex; name: string; metadataURI?: string }, object]>([
    ["a controller that is no account", { controller: "0x12", name: "x" }, { name: "AddressInvalidError" }],
    ["nobody", { controller: `0x${"00".repeat(20)}`, name: "x" }, { errorName: "AddressZero" }],
    ["no name", { controller, name: "" }, { errorName: "LengthOutOfRange" }],
    ["a name of 65 octets", { controller, name: "x".repeat(65) }, { errorName: "LengthOutOfRange" }],
  ])("refuses %s by name", async (_what, admission, error) => {
    await expect(net.governance().admit(admission)).rejects.toMatchObject(error)
  })

  it("is refused to others", async () => {
    await expect(net.governance(3).admit({ controller, name: "x" })).rejects.toMatchObject({
      name: "ContractRevertedError",
      errorName: expect.stringMatching(/^AccessManage/),
    })
  })

  it("knows its own admission among others in one block", async () => {
    await net.ask("evm_setAutomine", false)
    const one = net.governance().admit({ controller, name: "First" })
    await waiting(1)
    // Somebody else's consortium transaction, in the same block, behind ours.
    const to = net.deployment.contracts.manufacturers.address
    const { address } = payer(0)
    const data = encodeFunctionData({
      abi: manufacturerRegistryAbi,
      functionName: "admit",
      args: [address, "Second", ""],
    })
    await net.ask("eth_sendTransaction", { from: address, to, data, gas: "0x100000" })
    await waiting(2)
    await net.ask("evm_mine")
    await net.ask("evm_setAutomine", true)

    const result = await one
    const id = result.state === "admitted" ? result.manufacturerId : 0
    expect(await (await net.ledger.at("latest")).manufacturer(id)).toMatchObject({ name: "First" })
  })
})

describe("GovernanceClient, suspending", () => {
  it("suspends, confirms and resumes, each once", async () => {
    const result = await net.governance().admit({ controller, name: "Shady" })
    const id = result.state === "admitted" ? result.manufacturerId : 0
    const governance = net.governance()
    const status = async () => (await net.freshView().at("latest")).manufacturer(id)

    expect([await governance.resume(id), await governance.suspend(id), await governance.suspend(id)]).toEqual([
      null,
      expect.any(Object),
      null,
    ])
    expect(await status()).toMatchObject({ status: "suspended", suspendedUntil: expect.any(Number) })
    expect([await governance.confirmSuspension(id), await governance.confirmSuspension(id)]).toEqual([
      expect.any(Object),
      null,
    ])
    expect(await status()).toMatchObject({ status: "suspended", suspendedUntil: undefined })
    expect([await governance.resume(id), await governance.resume(id)]).toEqual([expect.any(Object), null])
    expect(await status()).toMatchObject({ status: "active" })
  })

  it("names what cannot be", async () => {
    await expect(net.governance().suspend(99)).rejects.toMatchObject({ errorName: "ManufacturerUnknown" })
    await expect(net.governance().confirmSuspension(1)).rejects.toMatchObject({ errorName: "ManufacturerStatusWrong" })
    await expect(net.governance(3).suspend(1)).rejects.toMatchObject({ errorName: "AccessManagedUnauthorized" })
    await expect(net.governance().suspend(Number.NaN)).rejects.toMatchObject({ name: "NumberOutOfRangeError" })
  })
})

async function waiting(count: number): Promise<void> {
  for (;;) {
    const { transactions } = await net.ask<{ transactions: unknown[] }>("eth_getBlockByNumber", "pending", false)
    if (transactions.length >= count) return
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
}
