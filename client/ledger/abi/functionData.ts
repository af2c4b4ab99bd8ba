import type { Abi } from "viem"
import { fromHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { abiItem, selectorOf } from "./abiItem.ts"
import { decodeParameters } from "./decodeParameters.ts"
import { encodeParameters } from "./encodeParameters.ts"

/** A call of a contract's function. */
export type FunctionCall = { readonly abi: Abi; readonly functionName: string; readonly args: readonly unknown[] }

/**
 * The data of a call: selector and arguments.
 *
 * @throws AbiValueInvalidError, AbiTypeUnsupportedError
 */
export function encodeCall({ abi, functionName, args }: FunctionCall): Hex {
  const item = abiItem(abi, "function", functionName)
  return `${selectorOf(item)}${encodeParameters(item.inputs, args).slice(2)}` as Hex
}

/**
 * What a function returned: the value if it returns one, a list of them if it returns several.
 *
 * @throws AbiDataInvalidError, AbiTypeUnsupportedError
 */
export function decodeResult({ abi, functionName }: Omit<FunctionCall, "args">, data: Hex): unknown {
  const values = decodeParameters(abiItem(abi, "function", functionName).outputs, fromHex(data))
  return values.length > 1 ? values : values[0]
}
