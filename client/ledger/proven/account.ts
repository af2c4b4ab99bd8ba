import { fromHex, toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { keccak256 } from "../../crypto/keccak256.ts"
import { ContractMismatchError } from "../../errors/ledger.ts"
import { StateProofInvalidError } from "../../errors/proofs.ts"
import type { DeployedContract } from "../deployment.ts"
import { wordBytes, wordHex } from "./storageSlots.ts"
import type { TrieNodes } from "./trieNodes.ts"
import { decodeRlp, proveEntry } from "./trieProof.ts"
import type { RlpItem } from "./trieProof.ts"

/**
 * The root of a contract's storage, proven under a state root, if the contract has the code that the deployment names.
 *
 * @throws StateProofInvalidError, ContractMismatchError
 */
export async function proveContract(
  stateRoot: Hex,
  contract: string,
  { address, codeHash }: DeployedContract,
  proof: unknown,
  known?: TrieNodes,
): Promise<Hex> {
  const what = `the account of ${contract}`
  const entry = await proveEntry(stateRoot, keccak256(fromHex(address)), proof, what, known)
  const mismatch = { contract, address, expected: codeHash }
  if (entry === undefined) throw new ContractMismatchError({ ...mismatch, found: "no account" })
  // Yellow Paper, 4.1: nonce, balance, storage root, code hash.
  const account = decodeRlp(entry, what)
  const parts: readonly RlpItem[] = account instanceof Uint8Array ? [] : account
  const [, , storageRoot, code] = parts
  if (
    parts.length !== 4 ||
    !(storageRoot instanceof Uint8Array && storageRoot.length === 32) ||
    !(code instanceof Uint8Array && code.length === 32)
  ) {
    throw new StateProofInvalidError({ what, expected: "an account's four fields", found: toHex(entry).slice(0, 74) })
  }
  const found = toHex(code)
  if (found !== codeHash) throw new ContractMismatchError({ ...mismatch, found })
  return toHex(storageRoot)
}

/** The word in a storage slot, proven under a storage root; 0 where nothing stands. @throws StateProofInvalidError */
export async function proveWord(
  storageRoot: Hex,
  slot: bigint,
  proof: unknown,
  contract: string,
  known?: TrieNodes,
): Promise<bigint> {
  const what = `slot ${wordHex(slot)} of ${contract}`
  const entry = await proveEntry(storageRoot, keccak256(wordBytes(slot)), proof, what, known)
  if (entry === undefined) return 0n
  const value = decodeRlp(entry, what)
  // A word is stored without leading zeros. Zero is not stored at all, but Anvil keeps it once a slot was cleared.
  if (!(value instanceof Uint8Array) || value.length > 32 || value[0] === 0) {
    throw new StateProofInvalidError({ what, expected: "a word", found: toHex(entry).slice(0, 74) })
  }
  return value.length === 0 ? 0n : BigInt(toHex(value))
}
