import { network } from "hardhat"
import { privateKeyToAccount } from "viem/accounts"
import {
  GovernanceClient,
  jsonRpcFrom,
  LedgerWriter,
  ManufacturerClient,
  RpcLedger,
  Verifier,
} from "../../client/index.ts"
import type { Deployment, Hex, JsonRpc, LedgerWriterOptions, Payer, VerifierOptions } from "../../client/index.ts"
import Fleetroot from "../../scripts/deploy/modules/Fleetroot.ts"
import { readDeployment } from "../../scripts/deploy/readDeployment.ts"

/** The well-known development accounts of Hardhat and Anvil; worth nothing anywhere else. */
export const TEST_KEYS: readonly Hex[] = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
  "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
]

/** The test accounts, able to sign. */
export const TEST_ACCOUNTS: readonly Payer[] = TEST_KEYS.map((key) => privateKeyToAccount(key))

export type FreshLedgerOptions = { governanceDelay?: number; keyDelay?: number }

/** A fresh ledger in this process, with the contracts on it, and the clients of its users. */
export async function freshLedger(
  networkName: "default" | "cancun" = "default",
  { governanceDelay = 0, keyDelay = 0 }: FreshLedgerOptions = {},
): Promise<TestLedger> {
  const connection = await network.create(networkName)
  const { provider, ignition } = connection
  const rpc = jsonRpcFrom((call) => provider.request(call), "embedded ledger")
  const governor = payer(0).address
  const deployed = (await ignition.deploy(Fleetroot, {
    parameters: { Fleetroot: { consortium: governor, guardian: governor, governanceDelay, keyDelay } },
  })) as Record<string, { address: Hex }>
  const addressOf = (name: string): Hex => {
    const contract = deployed[name]
    if (contract === undefined) throw new Error(`the deployment module has no contract ${name}`)
    return contract.address
  }
  const addresses = {
    access: addressOf("access"),
    manufacturers: addressOf("manufacturers"),
    devices: addressOf("devices"),
    firmware: addressOf("firmware"),
  }
  return new TestLedger({ rpc, deployment: await readDeployment(rpc, addresses, 0), close: () => connection.close() })
}

/** A test account by its number. */
export function payer(account: number): Payer {
  const found = TEST_ACCOUNTS[account]
  if (found === undefined) throw new Error(`there are ${TEST_ACCOUNTS.length} test accounts`)
  return found
}

export type TestLedgerParts = {
  rpc: JsonRpc
  deployment: Deployment
  close: () => Promise<void>
  /** How many blocks the final one is behind the newest. Default: 0. */
  finalityLag?: number
  /** Who pays, by number. Default: the test accounts. */
  payers?: readonly Payer[]
}

/** A ledger under test. Chain time moves only when the test says so. */
export class TestLedger {
  readonly rpc: JsonRpc
  readonly deployment: Deployment
  readonly ledger: RpcLedger
  readonly close: () => Promise<void>
  readonly finalityLag: number
  readonly #payers: readonly Payer[]
  /** The verifiers' clock. */
  clock = new Date()

  constructor({ rpc, deployment, close, finalityLag = 0, payers = TEST_ACCOUNTS }: TestLedgerParts) {
    this.rpc = rpc
    this.deployment = deployment
    this.close = close
    this.finalityLag = finalityLag
    this.#payers = payers
    this.ledger = new RpcLedger({ deployment, rpc })
  }

  /** The same ledger for users who remember nothing of it, for after a snapshot was restored. */
  again(): TestLedger {
    const { rpc, deployment, close, finalityLag } = this
    return new TestLedger({ rpc, deployment, close, finalityLag, payers: this.#payers })
  }

  /** A reader that remembers nothing, for after a snapshot was restored. */
  freshView(): RpcLedger {
    return new RpcLedger({ deployment: this.deployment, rpc: this.rpc })
  }

  writer(account = 0, options: Partial<LedgerWriterOptions> = {}): LedgerWriter {
    const from = this.#payers[account] ?? payer(account)
    return new LedgerWriter({ deployment: this.deployment, rpc: this.rpc, payer: from, ...options })
  }

  governance(account = 0): GovernanceClient {
    return new GovernanceClient({ ledger: this.ledger, rpc: this.rpc, writer: this.writer(account) })
  }

  manufacturer(manufacturerId: number, account = 1): ManufacturerClient {
    return new ManufacturerClient({ ledger: this.ledger, rpc: this.rpc, writer: this.writer(account), manufacturerId })
  }

  /** Admits a manufacturer controlled by an account and gives its client. */
  async admit(name: string, account = 1): Promise<ManufacturerClient> {
    const result = await this.governance().admit({ controller: payer(account).address, name })
    if (result.state !== "admitted") throw new Error("the test chain has no delay")
    return this.manufacturer(result.manufacturerId, account)
  }

  /** A verifier whose clock is the chain's. */
  verifier(options: Partial<VerifierOptions> = {}): Verifier {
    return new Verifier({ ledger: this.ledger, now: () => this.clock, ...options })
  }

  /** Asks the node something. */
  ask<T = unknown>(method: string, ...params: readonly unknown[]): Promise<T> {
    return this.rpc.request({ method, params }) as Promise<T>
  }

  /** Does something on the ledger and undoes it. Readers that saw it must not be used again: to them the chain went back. */
  async inScratch(work: () => Promise<void>): Promise<void> {
    const snapshot = await this.ask("evm_snapshot")
    try {
      await work()
    } finally {
      await this.ask("evm_setAutomine", true)
      await this.ask("evm_revert", snapshot)
    }
  }

  /** Mines a block some seconds after the last one, lets it become final, and sets the verifiers' clock to the newest. */
  async pass(seconds: number): Promise<Date> {
    await this.ask("evm_increaseTime", seconds)
    for (let i = 0; i <= this.finalityLag; i++) await this.ask("evm_mine")
    return this.syncClock()
  }

  /** Sets the verifiers' clock to the newest block's time. */
  async syncClock(): Promise<Date> {
    const { timestamp } = await this.ask<{ timestamp: Hex }>("eth_getBlockByNumber", "latest", false)
    this.clock = new Date(Number(timestamp) * 1000)
    return this.clock
  }

  /** The newest block's time, in Unix seconds. */
  async now(): Promise<number> {
    return Math.floor((await this.syncClock()).getTime() / 1000)
  }

  /** Makes the next block's time `timestamp`. */
  async nextBlockAt(timestamp: number): Promise<void> {
    await this.ask("evm_setNextBlockTimestamp", timestamp)
  }
}
