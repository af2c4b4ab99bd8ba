import type { Provider, Signer } from "ethers"
import { EndpointUnreachableError } from "../errors/ledger.ts"
import type { Deployment } from "../ledger/deployment.ts"
import type { JsonRpc } from "../ledger/rpc/jsonRpc.ts"
import { RpcLedger } from "../ledger/rpcLedger.ts"
import type { RpcLedgerOptions } from "../ledger/rpcLedger.ts"
import { LedgerWriter } from "../ledger/writer.ts"
import type { LedgerWriterOptions } from "../ledger/writer.ts"
import { jsonRpcFromEthers } from "./jsonRpcFromEthers.ts"
import type { EthersRpcOptions } from "./jsonRpcFromEthers.ts"
import { payerFromEthers } from "./payerFromEthers.ts"

export type LedgerFromEthersOptions = EthersRpcOptions & Omit<RpcLedgerOptions, "deployment" | "rpc">

/** The ledger as an ethers provider tells it, for a `Verifier` and all others; `rpc` is for clients that write too. */
export function ledgerFromEthers(
  deployment: Deployment,
  provider: Provider,
  options: LedgerFromEthersOptions = {},
): { ledger: RpcLedger; rpc: JsonRpc } {
  const rpc = jsonRpcFromEthers(provider, options)
  return { ledger: new RpcLedger({ ...options, deployment, rpc }), rpc }
}

export type WriterFromEthersOptions = EthersRpcOptions &
  Omit<LedgerWriterOptions, "deployment" | "rpc" | "payer"> & {
    /** Default: the signer's own. */
    provider?: Provider
  }

/** A writer that an ethers signer pays for. @throws EndpointUnreachableError when neither has a provider. */
export async function writerFromEthers(
  deployment: Deployment,
  signer: Signer,
  options: WriterFromEthersOptions = {},
): Promise<LedgerWriter> {
  const provider = options.provider ?? signer.provider
  if (provider === null) {
    throw new EndpointUnreachableError({ endpoint: "the ethers signer, which has no provider", cause: undefined })
  }
  const payer = await payerFromEthers(signer, { chainId: deployment.chainId })
  return new LedgerWriter({ ...options, deployment, rpc: jsonRpcFromEthers(provider, options), payer })
}
