import { BaseError, ContractFunctionRevertedError, encodeFunctionData, zeroAddress } from "viem"
import type { Abi, AbiFunction, Hex } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { manufacturerRegistryAbi } from "../../client/abi/ManufacturerRegistry.ts"
import { sha256, toHex } from "../../client/index.ts"
import {
  addKeyCall,
  at,
  batchForCall,
  FAR,
  hashOf,
  openStage,
  payloadOf,
  selfCall,
  send,
  signLow,
  testKey,
} from "./helpers/stage.ts"
import type { Call, Stage } from "./helpers/stage.ts"

/** Who asks, by account number. Manufacturer 1 is active, 2 is suspended and its controller is about to be replaced. */
const ROLES = {
  consortium: 0,
  guardian: 1,
  controller: 2,
  registrar: 3,
  revoker: 4,
  releaser: 5,
  otherController: 6,
  pendingController: 7,
  outsider: 8,
  deployer: 9,
} as const
type Role = keyof typeof ROLES

const CONTROLLER: Role[] = ["controller"]
const REGISTER: Role[] = ["controller", "registrar"]
const REVOKE: Role[] = ["controller", "revoker"]
const CONSORTIUM: Role[] = ["consortium"]
const GUARDIANS: Role[] = ["consortium", "guardian"]
const NOBODY: Role[] = []
const ANYBODY = Object.keys(ROLES) as Role[]

/** Every function that changes something, and who may call it. A new function without a row fails the first test. */
const TABLE: Record<string, Record<string, Role[]>> = {
  ManufacturerRegistry: {
    acceptController: ["pendingController"],
    addKey: CONTROLLER,
    admit: CONSORTIUM,
    confirmSuspension: CONSORTIUM,
    declareCompromise: CONTROLLER,
    declareCompromiseFor: GUARDIANS,
    proposeController: CONSORTIUM,
    replaceController: CONSORTIUM,
    resign: CONTROLLER,
    resume: CONSORTIUM,
    revokeKey: CONTROLLER,
    setMetadataURI: CONTROLLER,
    setOperator: CONTROLLER,
    suspend: GUARDIANS,
    transferController: CONTROLLER,
    vetoReplacement: CONTROLLER,
  },
  DeviceRegistry: {
    hold: REVOKE,
    holdBatch: REVOKE,
    nameSuccessor: CONSORTIUM,
    proposeSuccessor: CONSORTIUM,
    registerBatch: REGISTER,
    registerBatchFor: ANYBODY,
    registerCredentials: REGISTER,
    registerIssued: ANYBODY,
    revoke: REVOKE,
    revokeBatch: REVOKE,
    revokeSelf: ANYBODY,
    revokeWords: REVOKE,
    unhold: REVOKE,
    unholdBatch: REVOKE,
  },
  FleetrootAccess: {
    // A call that somebody may make anyway (here: suspending), said through the manager.
    execute: GUARDIANS,
    // Only what was scheduled, and only calls that wait.
    cancel: NOBODY,
    consumeScheduledOp: NOBODY,
    schedule: NOBODY,
    grantRole: CONSORTIUM,
    labelRole: CONSORTIUM,
    revokeRole: CONSORTIUM,
    // One's own role only.
    renounceRole: ["outsider"],
    // Calls to itself, each with the caller's own rights: an empty list is nobody's business.
    multicall: ANYBODY,
    setGrantDelay: NOBODY,
    setRoleAdmin: NOBODY,
    setRoleGuardian: NOBODY,
    setTargetAdminDelay: NOBODY,
    setTargetClosed: NOBODY,
    setTargetFunctionRole: NOBODY,
    updateAuthority: NOBODY,
  },
}

/** Functions that always refuse: the compiler sees that they change nothing. */
const LOCKED: Record<string, string[]> = {
  ManufacturerRegistry: ["setAuthority"],
  DeviceRegistry: ["setAuthority"],
  FleetrootAccess: [
    "setGrantDelay",
    "setRoleAdmin",
    "setRoleGuardian",
    "setTargetAdminDelay",
    "setTargetClosed",
    "setTargetFunctionRole",
    "updateAuthority",
  ],
}

let stage: Stage
let calls: Record<string, Record<string, Call>>
beforeAll(async () => {
  stage = await openStage()
  calls = await prepare(stage)
})
afterAll(() => stage.close())

describe("who may call what", () => {
  it.each(Object.keys(TABLE))("has a row for every function of %s that changes anything", (contract) => {
    const names = (only: (item: AbiFunction) => boolean): string[] =>
      abiOf(contract)
        .filter((item): item is AbiFunction => item.type === "function" && only(item))
        .map(({ name }) => name)
    const changing = names(({ stateMutability }) => stateMutability !== "view" && stateMutability !== "pure")
    const locked = LOCKED[contract] ?? []
    expect(names(({ stateMutability }) => stateMutability === "pure")).toEqual(expect.arrayContaining(locked))

    const rows = Object.keys(TABLE[contract] ?? {})
    expect(rows.toSorted()).toEqual([...changing, ...locked.filter((name) => name !== "setAuthority")].toSorted())
  })

  it("lets nobody set another authority", async () => {
    for (const contract of [stage.manufacturers, stage.devices]) {
      for (const role of ANYBODY) {
        const call = { contract, functionName: "setAuthority", args: [stage.accounts[8]?.address] }
        expect({ role, outcome: await outcome(role, call) }).toEqual({ role, outcome: "AuthorityImmutable" })
      }
    }
  })

  for (const [contract, rows] of Object.entries(TABLE)) {
    it.each(Object.entries(rows))(`${contract}.%s`, async (name, allowed) => {
      const call = calls[contract]?.[name]
      if (call === undefined) throw new Error(`no call of ${contract}.${name} is prepared`)
      for (const role of ANYBODY) {
        const found = await outcome(role, call)
        const expected = allowed.includes(role) ? "accepted" : (REFUSALS.find((error) => error === found) ?? "refused")
        expect({ role, outcome: found }).toEqual({ role, outcome: expected })
      }
    })
  }

  it("lets no ether in", async () => {
    for (const [contract, { address }] of [
      ["ManufacturerRegistry", stage.manufacturers],
      ["DeviceRegistry", stage.devices],
    ] as const) {
      const takers = abiOf(contract).filter(
        (item) =>
          item.type === "fallback" ||
          item.type === "receive" ||
          ("stateMutability" in item && item.stateMutability === "payable"),
      )
      expect(takers).toEqual([])
      const gift = stage.client.call({ to: address, value: 1n, account: at(stage.accounts, 8).address })
      await expect(gift).rejects.toThrow()
    }
  })
})

/** Errors that say "not you" or "nobody". */
const REFUSALS = [
  "AccountUnauthorized",
  "ControllerUnauthorized",
  "AccessManagedUnauthorized",
  "AccessManagerUnauthorizedAccount",
  "AccessManagerUnauthorizedCall",
  "AccessManagerUnauthorizedCancel",
  "AccessManagerUnauthorizedConsume",
  "AccessManagerBadConfirmation",
  "AccessManagerNotScheduled",
  "RuleImmutable",
  // consumeScheduledOp asks its caller, which is no contract here.
  "no reason",
]

async function outcome(role: Role, call: Call): Promise<string> {
  try {
    await stage.client.simulateContract({
      account: at(stage.accounts, ROLES[role]).address,
      address: call.contract.address,
      abi: call.contract.abi as Abi,
      functionName: call.functionName,
      args: call.args,
    })
    return "accepted"
  } catch (error) {
    if (!(error instanceof BaseError)) throw error
    const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError)
    if (!(reverted instanceof ContractFunctionRevertedError)) throw error
    return reverted.data?.errorName ?? "no reason"
  }
}

function abiOf(contract: string): Abi {
  const { access, manufacturers, devices } = stage
  const all: Record<string, { abi: unknown }> = {
    FleetrootAccess: access,
    ManufacturerRegistry: manufacturers,
    DeviceRegistry: devices,
  }
  return all[contract]?.abi as Abi
}

/** A state in which each function has a call that works for the right account. */
async function prepare(on: Stage): Promise<Record<string, Record<string, Call>>> {
  const { accounts, access, manufacturers, devices } = on
  const who = (role: Role): Hex => at(accounts, ROLES[role]).address
  const man = (functionName: string, ...args: unknown[]): Call => ({ contract: manufacturers, functionName, args })
  const dev = (functionName: string, ...args: unknown[]): Call => ({ contract: devices, functionName, args })
  const acc = (functionName: string, ...args: unknown[]): Call => ({ contract: access, functionName, args })
  const issuer = testKey("issuer")
  const open = testKey("open issuer")
  const device = testKey("device")
  const batch = (series: number) => ({ series, size: 9, keyIndex: 1, notAfter: FAR, root: hashOf("root") })
  const target = (name: string) => [{ subject: hashOf(name), series: 0, index: 0 }]

  for (const role of ["controller", "otherController", "controller"] as const) {
    await send(on, ROLES.consortium, man("admit", who(role), "Acme", ""))
  }
  await send(on, ROLES.controller, addKeyCall(on, 1, issuer, "issuer"))
  await send(on, ROLES.controller, addKeyCall(on, 1, open, "openIssuer"))
  await send(on, ROLES.otherController, addKeyCall(on, 2, testKey("other"), "issuer"))
  await send(on, ROLES.controller, man("setOperator", 1, who("registrar"), 1, FAR))
  await send(on, ROLES.controller, man("setOperator", 1, who("revoker"), 2, FAR))
  await send(on, ROLES.controller, man("setOperator", 1, who("releaser"), 4, FAR))
  await send(on, ROLES.controller, man("transferController", 1, who("pendingController")))
  await send(on, ROLES.guardian, man("suspend", 2))
  await send(on, ROLES.consortium, man("confirmSuspension", 2))
  await send(on, ROLES.consortium, man("proposeController", 2, who("pendingController")))
  await send(on, ROLES.consortium, man("proposeController", 1, who("pendingController")))
  await send(on, ROLES.consortium, dev("proposeSuccessor", 1n, who("outsider"), hashOf("code")))
  await send(on, ROLES.registrar, dev("registerBatch", 1, batch(1)))
  await send(on, ROLES.registrar, dev("registerBatch", 1, batch(2)))
  await send(on, ROLES.revoker, dev("hold", 1, target("held")))
  await send(on, ROLES.revoker, dev("holdBatch", 1, 2))
  const payloadHash = toHex(sha256(payloadOf(device)))
  await send(on, ROLES.registrar, dev("registerCredentials", 1, 2, [payloadHash], [0]))
  await on.provider.request({ method: "evm_increaseTime", params: [30 * 86_400] })
  await on.provider.request({ method: "evm_mine", params: [] })
  const heldSince = (await devices.read.record([1, hashOf("held")])).changedAt
  const batchSince = (await devices.read.batch([1, 2])).changedAt
  const now = Number((await on.client.getBlock()).timestamp)
  const issued = signLow(open, new TextEncoder().encode("a certificate"))

  return {
    ManufacturerRegistry: {
      acceptController: man("acceptController", 1),
      addKey: addKeyCall(on, 1, testKey("another"), "issuer"),
      admit: man("admit", who("outsider"), "Bar", ""),
      confirmSuspension: man("confirmSuspension", 2),
      declareCompromise: man("declareCompromise", 1, 1, now),
      declareCompromiseFor: man("declareCompromiseFor", 2, 1, now),
      proposeController: man("proposeController", 1, who("outsider")),
      replaceController: man("replaceController", 2),
      resign: man("resign", 1),
      resume: man("resume", 2),
      revokeKey: man("revokeKey", 1, 1),
      setMetadataURI: man("setMetadataURI", 1, ""),
      setOperator: man("setOperator", 1, who("outsider"), 7, FAR),
      suspend: man("suspend", 1),
      transferController: man("transferController", 1, who("outsider")),
      vetoReplacement: man("vetoReplacement", 1),
    },
    DeviceRegistry: {
      hold: dev("hold", 1, target("to hold")),
      holdBatch: dev("holdBatch", 1, 1),
      nameSuccessor: dev("nameSuccessor"),
      proposeSuccessor: dev("proposeSuccessor", 1n, who("outsider"), hashOf("code")),
      registerBatch: dev("registerBatch", 1, batch(3)),
      registerBatchFor: batchForCall(on, 1, issuer, batch(2 ** 31)),
      registerCredentials: dev("registerCredentials", 1, 2, [hashOf("new")], [FAR]),
      registerIssued: dev("registerIssued", 1, 2, hashOf("a certificate"), issued.r, issued.s),
      revoke: dev("revoke", 1, target("to revoke"), 1, 0),
      revokeBatch: dev("revokeBatch", 1, 1, 1),
      revokeSelf: selfCall(on, 1, device, { series: 0, index: 0, proof: [] }),
      revokeWords: dev("revokeWords", 1, 1, [0], [1n], 1),
      unhold: dev("unhold", 1, target("held"), [heldSince]),
      unholdBatch: dev("unholdBatch", 1, 2, batchSince),
    },
    FleetrootAccess: {
      execute: acc("execute", manufacturers.address, encodeSuspend()),
      cancel: acc("cancel", who("consortium"), manufacturers.address, encodeSuspend()),
      consumeScheduledOp: acc("consumeScheduledOp", who("consortium"), encodeSuspend()),
      schedule: acc("schedule", manufacturers.address, encodeSuspend(), 0),
      grantRole: acc("grantRole", 3n, who("outsider"), 0),
      labelRole: acc("labelRole", 3n, "guardian"),
      revokeRole: acc("revokeRole", 3n, who("guardian")),
      renounceRole: acc("renounceRole", 3n, who("outsider")),
      multicall: acc("multicall", []),
      setGrantDelay: acc("setGrantDelay", 1n, 0),
      setRoleAdmin: acc("setRoleAdmin", 1n, 0n),
      setRoleGuardian: acc("setRoleGuardian", 1n, 0n),
      setTargetAdminDelay: acc("setTargetAdminDelay", manufacturers.address, 0),
      setTargetClosed: acc("setTargetClosed", manufacturers.address, true),
      setTargetFunctionRole: acc("setTargetFunctionRole", manufacturers.address, [], 0n),
      updateAuthority: acc("updateAuthority", manufacturers.address, zeroAddress),
    },
  }
}

function encodeSuspend(): Hex {
  return encodeFunctionData({ abi: manufacturerRegistryAbi, functionName: "suspend", args: [1] })
}
