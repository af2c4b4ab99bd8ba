/**
 * Fleetroot for those who have an ethers v6 `Provider` and `Signer`.
 *
 * ethers itself is imported for its types only: what runs is the caller's.
 */
export { jsonRpcFromEthers } from "./jsonRpcFromEthers.ts"
export type { EthersRpcOptions } from "./jsonRpcFromEthers.ts"
export { payerFromEthers } from "./payerFromEthers.ts"
export { ledgerFromEthers, writerFromEthers } from "./connect.ts"
export type { LedgerFromEthersOptions, WriterFromEthersOptions } from "./connect.ts"
