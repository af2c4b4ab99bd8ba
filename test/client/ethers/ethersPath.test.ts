import { AbstractProvider, JsonRpcProvider, Wallet } from "ethers"
import type { Network, PerformActionRequest } from "ethers"
import { jsonRpcFromEthers, payerFromEthers } from "../../../client/ethers/index.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { TEST_KEYS, TestLedger } from "../../helpers/ledger.ts"
import { tellMainPath } from "../status/mainPath.ts"

tellMainPath("Fleetroot on an ethers JsonRpcProvider and Wallets", async () => {
  const node = await anvilLedger()
  const { deployment, finalityLag } = node
  const provider = new JsonRpcProvider(node.url, undefined, { staticNetwork: true })
  const payers = await Promise.all(TEST_KEYS.map((key) => payerFromEthers(new Wallet(key))))
  const close = async (): Promise<void> => {
    provider.destroy()
    await node.close()
  }
  return new TestLedger({ deployment, finalityLag, rpc: jsonRpcFromEthers(provider), close, payers })
})

tellMainPath(
  "Fleetroot on an ethers provider that cannot send JSON-RPC, and signers that keep their keys",
  async () => {
    const node = await anvilLedger()
    const { deployment, finalityLag } = node
    const inner = new JsonRpcProvider(node.url, undefined, { staticNetwork: true, cacheTimeout: -1 })
    const signers = await Promise.all(TEST_KEYS.map((_, i) => inner.getSigner(i)))
    const payers = await Promise.all(signers.map((signer) => payerFromEthers(signer, deployment)))
    const rpc = jsonRpcFromEthers(new SilentProvider(inner))
    const close = async (): Promise<void> => {
      inner.destroy()
      await node.close()
    }
    // Time on the test chain moves by methods that no ethers provider has.
    const moving = {
      ...rpc,
      request: (call: Parameters<typeof rpc.request>[0]) =>
        call.method.startsWith("evm_") ? node.rpc.request(call) : rpc.request(call),
    }
    return new TestLedger({ deployment, finalityLag, rpc: moving, close, payers })
  },
)

/** A provider as somebody might write one: what `AbstractProvider` demands and nothing else. */
class SilentProvider extends AbstractProvider {
  readonly #inner: JsonRpcProvider

  constructor(inner: JsonRpcProvider) {
    super("any", { cacheTimeout: -1 })
    this.#inner = inner
  }

  override async _detectNetwork(): Promise<Network> {
    return this.#inner._detectNetwork()
  }

  override async _perform<T = unknown>(request: PerformActionRequest): Promise<T> {
    return this.#inner._perform(request) as Promise<T>
  }
}
