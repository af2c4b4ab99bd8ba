/**
 * What a program needs that only checks devices, and nothing else: it starts faster than with all of `fleetroot`, where the same
 * classes are.
 *
 * Runs in Node and in browsers.
 */
export * from "./errors/index.ts"

export { toHex } from "./crypto/hex.ts"
export type { Hex } from "./crypto/hex.ts"
export { readOneCertificate } from "./x509/pem.ts"
export { decodeReceipt } from "./merkle/receipt.ts"
export type { Receipt } from "./merkle/receipt.ts"
export { oneReceipt } from "./merkle/receiptSource.ts"
export type { ReceiptSource } from "./merkle/receiptSource.ts"
export { parseDeployment } from "./ledger/deployment.ts"
export type { Deployment } from "./ledger/deployment.ts"
export { httpRpc } from "./ledger/rpc/httpRpc.ts"
export type { HttpRpcOptions } from "./ledger/rpc/httpRpc.ts"
export { jsonRpcFrom } from "./ledger/rpc/jsonRpc.ts"
export type { JsonRpc, RpcCall } from "./ledger/rpc/jsonRpc.ts"
export { RpcLedger } from "./ledger/rpcLedger.ts"
export type { HeadMemory, RpcLedgerOptions } from "./ledger/rpcLedger.ts"
export type * from "./ledger/ledger.ts"
export { Verifier } from "./status/verifier.ts"
export type { CheckOptions, ManyVerdict, StreamOptions, VerifierOptions } from "./status/verifier.ts"
export type { DeviceStatus, RefusalReason, RevocationReason, Verdict, VerdictBatch } from "./status/verdict.ts"
