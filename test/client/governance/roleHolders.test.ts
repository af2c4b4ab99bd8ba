import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { fleetrootAccessAbi } from "../../../client/abi/FleetrootAccess.ts"
import { readRoleHolders } from "../../../client/index.ts"
import type { GovernanceRole, Hex, RoleHolder } from "../../../client/index.ts"
import { freshLedger, payer } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

let net: TestLedger
beforeAll(async () => {
  net = await freshLedger()
})
afterAll(() => net.close())

const consortium = payer(0).address.toLowerCase() as Hex

async function holders(): Promise<Readonly<Record<GovernanceRole, readonly RoleHolder[]>>> {
  return readRoleHolders(net, (await net.ledger.at("latest")).block)
}

// THREATS.md, G3.
describe("readRoleHolders", () => {
  it("names who was given each role, and with which delay", async () => {
    const found = await holders()

    for (const role of ["admin", "admission", "consortium"] as const) {
      expect(found[role]).toEqual([{ account: consortium, delaySeconds: 0 }])
    }
    expect(found.guardian.map(({ account }) => account)).toContain(consortium)
  })

  it("knows who came, who was dismissed and who left, down to nobody", async () => {
    const other = payer(3).address.toLowerCase() as Hex
    const access = { to: net.deployment.contracts.access.address, abi: fleetrootAccessAbi } as const
    const writer = net.writer(0)
    await writer.write({ ...access, functionName: "grantRole", args: [2n, other, 60] })
    expect((await holders()).consortium).toEqual([
      { account: consortium, delaySeconds: 0 },
      { account: other, delaySeconds: 60 },
    ])

    await writer.write({ ...access, functionName: "revokeRole", args: [2n, other] })
    await writer.write({ ...access, functionName: "renounceRole", args: [2n, consortium] })
    await writer.write({ ...access, functionName: "renounceRole", args: [0n, consortium] })

    const found = await holders()
    expect(found.consortium).toEqual([])
    expect(found.admin).toEqual([])
    expect(found.admission).toEqual([{ account: consortium, delaySeconds: 0 }])
  })
})
