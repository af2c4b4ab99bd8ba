import type { Signer } from "ethers"
import type { Hex } from "../crypto/hex.ts"
import type { Payer } from "../ledger/writer.ts"
import { fromEthersError } from "./ethersErrors.ts"

export type PayerFromEthersOptions = {
  /** Makes a wallet that is on another chain refuse. Left out: it is not asked. */
  chainId?: number
}

/** What a `JsonRpcSigner` has besides: `sendTransaction` waits until the node shows the transaction, which may be never. */
type UncheckedSigner = Signer & { sendUncheckedTransaction(transaction: object): Promise<string> }

/**
 * Makes a {@link Payer} of an ethers v6 signer.
 *
 * One that holds its key (`Wallet`, `HDNodeWallet`) signs, and the writer journals and sends: a run that was killed never pays
 * twice. Any other one (a browser's wallet, a `NonceManager`) signs and sends by itself, which cannot promise that.
 */
export async function payerFromEthers(signer: Signer, { chainId }: PayerFromEthersOptions = {}): Promise<Payer> {
  const guard = async <T>(method: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw fromEthersError(error, { method, endpoint: "the ethers signer", timeoutMs: 0 })
    }
  }
  const address = (await guard("getAddress", () => signer.getAddress())).toLowerCase() as Hex
  if ("signingKey" in signer) {
    return {
      address,
      signTransaction: ({ type: _type, gas, ...transaction }) =>
        guard("signTransaction", async () => {
          return (await signer.signTransaction({ ...transaction, type: 2, gasLimit: gas })) as Hex
        }),
    }
  }
  return {
    address,
    sendTransaction: ({ to, data, gas }) =>
      guard("sendTransaction", async () => {
        const transaction = { to, data, gasLimit: gas, ...(chainId === undefined ? {} : { chainId }) }
        if (sendsUnchecked(signer)) return (await signer.sendUncheckedTransaction(transaction)) as Hex
        return (await signer.sendTransaction(transaction)).hash as Hex
      }),
  }
}

function sendsUnchecked(signer: Signer): signer is UncheckedSigner {
  return typeof (signer as { sendUncheckedTransaction?: unknown }).sendUncheckedTransaction === "function"
}
