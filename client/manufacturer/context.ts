import { deviceRegistryAbi } from "../abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../abi/ManufacturerRegistry.ts"
import { normalizeLowS, splitRaw } from "../crypto/ecdsa.ts"
import type { Hex } from "../crypto/hex.ts"
import type { KeySigner } from "../crypto/signer.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { JsonRpc } from "../ledger/rpc/jsonRpc.ts"
import type { StatementDomain } from "../ledger/statements.ts"
import type { LedgerWriter, Mined } from "../ledger/writer.ts"

/** What the manufacturer's operations need. */
export type WriteContext = { readonly ledger: Ledger; readonly writer: LedgerWriter; readonly rpc: JsonRpc }

/** What an operation did: the transactions it paid for, and how many items needed none. */
export type WriteOutcome = { readonly transactions: readonly Mined[]; readonly alreadyDone: number }

/** The longest list that one call takes: `DeviceRegistry.MAX_LIST`. */
export const MAX_LIST = 512

/** The manufacturer registry, as a target of calls. */
export function manufacturersTarget({ ledger }: WriteContext): { to: Hex; abi: typeof manufacturerRegistryAbi } {
  return { to: ledger.deployment.contracts.manufacturers.address, abi: manufacturerRegistryAbi }
}

/** The device registry, as a target of calls. */
export function devicesTarget({ ledger }: WriteContext): { to: Hex; abi: typeof deviceRegistryAbi } {
  return { to: ledger.deployment.contracts.devices.address, abi: deviceRegistryAbi }
}

/** The EIP-712 domain of a registry. */
export function statementDomain(ledger: Ledger, registry: "manufacturers" | "devices"): StatementDomain {
  return { chainId: ledger.deployment.chainId, verifyingContract: ledger.deployment.contracts[registry].address }
}

/** A P-256 signer's (r, s) over a statement, with low s, as the contracts take it. */
export async function signStatement(signer: KeySigner, statement: Uint8Array): Promise<{ r: Hex; s: Hex }> {
  return splitRaw(normalizeLowS(await signer.sign(statement)))
}

/** `items` in lists that one call can take. */
export function* chunksOf<T>(items: readonly T[], length = MAX_LIST): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += length) yield items.slice(start, start + length)
}
