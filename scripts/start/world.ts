import { privateKeyToAccount } from "viem/accounts"
import { GovernanceClient, LedgerWriter, ManufacturerClient, RpcLedger, Verifier } from "../../client/index.ts"
import type { Deployment, Hex, JsonRpc } from "../../client/index.ts"
import { deployEmbedded } from "../deploy/deployEmbedded.ts"

/** The development accounts that every Hardhat and Anvil chain funds; their keys are public and worth nothing elsewhere. */
const GOVERNOR: Hex = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
const MAKER: Hex = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
const STRANGER: Hex = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"

/** A ledger in this process, the accounts that use it, and a clock that follows the chain's. */
export class World {
  readonly rpc: JsonRpc
  readonly deployment: Deployment
  readonly ledger: RpcLedger
  readonly governance: GovernanceClient
  readonly verifier: Verifier
  readonly close: () => Promise<void>
  #now = new Date()

  private constructor(rpc: JsonRpc, deployment: Deployment, close: () => Promise<void>) {
    this.rpc = rpc
    this.deployment = deployment
    this.close = close
    this.ledger = new RpcLedger({ deployment, rpc })
    this.governance = new GovernanceClient({ ledger: this.ledger, rpc, writer: this.#writer(GOVERNOR) })
    this.verifier = new Verifier({ ledger: this.ledger, now: () => this.#now })
  }

  static async create(): Promise<World> {
    const { rpc, deployment, close } = await deployEmbedded(privateKeyToAccount(GOVERNOR).address)
    return new World(rpc, deployment, close)
  }

  /** Admits a manufacturer whose controller is the maker's account. */
  async admit(name: string): Promise<ManufacturerClient> {
    const result = await this.governance.admit({ controller: privateKeyToAccount(MAKER).address, name })
    if (result.state !== "admitted") throw new Error("an embedded ledger has no delays")
    return this.maker(result.manufacturerId)
  }

  maker(manufacturerId: number): ManufacturerClient {
    return new ManufacturerClient({ ledger: this.ledger, rpc: this.rpc, writer: this.#writer(MAKER), manufacturerId })
  }

  /** The chain's time, as of the last {@link pass}. */
  get now(): Date {
    return this.#now
  }

  /** The account of the manufacturer's controller. */
  makerWriter(): LedgerWriter {
    return this.#writer(MAKER)
  }

  /** Somebody with ether and nothing to do with any manufacturer. */
  stranger(): LedgerWriter {
    return this.#writer(STRANGER)
  }

  /** Lets time pass on the chain, so that one thing happens clearly after another. */
  async pass(seconds: number): Promise<Date> {
    await this.rpc.request({ method: "evm_increaseTime", params: [seconds] })
    await this.rpc.request({ method: "evm_mine", params: [] })
    const { block } = await this.ledger.at("latest")
    this.#now = new Date(block.timestamp * 1000)
    return this.#now
  }

  #writer(key: Hex): LedgerWriter {
    return new LedgerWriter({ deployment: this.deployment, rpc: this.rpc, payer: privateKeyToAccount(key) })
  }
}
