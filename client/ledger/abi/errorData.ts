import type { Abi } from "viem"
import { fromHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { selectorOf } from "./abiItem.ts"
import type { AbiError } from "./abiItem.ts"
import { decodeParameters } from "./decodeParameters.ts"

/** What Solidity itself reverts with. */
const BUILT_IN: readonly AbiError[] = [
  { type: "error", name: "Error", inputs: [{ name: "message", type: "string" }] },
  { type: "error", name: "Panic", inputs: [{ name: "reason", type: "uint256" }] },
]

/**
 * The error that a contract reverted with; undefined if the ABI has none of its selector.
 *
 * @throws AbiDataInvalidError when what follows the selector is not that error's encoding.
 */
export function decodeError(abi: Abi, data: Hex): { errorName: string; args: readonly unknown[] } | undefined {
  const selector = data.slice(0, 10).toLowerCase()
  const errors = [...abi.filter((item): item is AbiError => item.type === "error"), ...BUILT_IN]
  const error = errors.find((item) => selectorOf(item) === selector)
  if (error === undefined) return undefined
  return { errorName: error.name, args: decodeParameters(error.inputs, fromHex(`0x${data.slice(10)}`)) }
}
