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
import type { Deployment, Hex, JsonRpc, Payer, VerifierOptions } from "../../client/index.ts"
import Fleetroot from "../../scripts/deploy/modules/Fleetroot.ts"
import { readDeployment } from "../../scripts/deploy/readDeployment.ts"

/** The well-known development accounts of Hardhat and Anvil; worth nothing anywhere else. */
export const TEST_KEYS: readonly Hex[] = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
  "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
]

/** A fresh ledger in this process, with the contracts on it, and the clients of its users. */
export async function freshLedger(networkName: "default" | "cancun" = "default") {
  const connection = await network.create(networkName)
  const { provider, ignition } = connection
  const rpc = jsonRpcFrom((call) => provider.request(call), "embedded ledger")
  const accounts = TEST_KEYS.map((key) => privateKeyToAccount(key))
  const [governor] = accounts
  if (governor === undefined) throw new Error("no account")
  const deployed = await ignition.deploy(Fleetroot, {
    parameters: {
      Fleetroot: { consortium: governor.address, guardian: governor.address, governanceDelay: 0, keyDelay: 0 },
    },
  })
  const { access, manufacturers, devices } = deployed as Record<string, { address: Hex }>
  const deployment = await readDeployment(
    rpc,
    {
      access: (access as { address: Hex }).address,
      manufacturers: (manufacturers as { address: Hex }).address,
      devices: (devices as { address: Hex }).address,
    },
    0,
  )
  return new TestLedger(rpc, deployment, accounts as Payer[], async () => {
    await connection.close()
  })
}

/** A ledger under test. Chain time moves only when the test says so. */
export class TestLedger {
  readonly rpc: JsonRpc
  readonly deployment: Deployment
  readonly ledger: RpcLedger
  readonly accounts: readonly Payer[]
  readonly close: () => Promise<void>

  constructor(rpc: JsonRpc, deployment: Deployment, accounts: readonly Payer[], close: () => Promise<void>) {
    this.rpc = rpc
    this.deployment = deployment
    this.accounts = accounts
    this.close = close
    this.ledger = new RpcLedger({ deployment, rpc })
  }

  writer(account = 0): LedgerWriter {
    return new LedgerWriter({ deployment: this.deployment, rpc: this.rpc, payer: this.accounts[account] as Payer })
  }

  governance(account = 0): GovernanceClient {
    return new GovernanceClient({ ledger: this.ledger, rpc: this.rpc, writer: this.writer(account) })
  }

  manufacturer(manufacturerId: number, account = 1): ManufacturerClient {
    return new ManufacturerClient({ ledger: this.ledger, rpc: this.rpc, writer: this.writer(account), manufacturerId })
  }

  /** Admits a manufacturer controlled by an account and gives its client. */
  async admit(name: string, account = 1): Promise<ManufacturerClient> {
    const controller = (this.accounts[account] as Payer).address
    const result = await this.governance().admit({ controller, name })
    if (result.state !== "admitted") throw new Error("the test chain has no delay")
    return this.manufacturer(result.manufacturerId, account)
  }

  /** A verifier whose clock is the chain's. */
  async verifier(options: Partial<VerifierOptions> = {}): Promise<Verifier> {
    return new Verifier({ ledger: this.ledger, now: () => this.clock, ...options })
  }

  clock = new Date()

  /** Mines a block some seconds after the last one and sets the verifiers' clock to it. */
  async pass(seconds: number): Promise<Date> {
    await this.rpc.request({ method: "evm_increaseTime", params: [seconds] })
    await this.rpc.request({ method: "evm_mine", params: [] })
    return this.syncClock()
  }

  /** Sets the verifiers' clock to the newest block's time. */
  async syncClock(): Promise<Date> {
    const block = (await this.rpc.request({ method: "eth_getBlockByNumber", params: ["latest", false] })) as {
      timestamp: Hex
    }
    this.clock = new Date(Number(block.timestamp) * 1000)
    return this.clock
  }
}
