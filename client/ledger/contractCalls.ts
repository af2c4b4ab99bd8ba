import type { Abi, ContractFunctionArgs, ContractFunctionName, ContractFunctionReturnType } from "viem"
import { errorsAbi } from "../abi/errors.ts"
import { ContractRevertedError, ReplyMalformedError, RpcRejectedError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"
import { decodeError } from "./abi/errorData.ts"
import { decodeResult, encodeCall } from "./abi/functionData.ts"
import type { FunctionCall } from "./abi/functionData.ts"
import { revertHint } from "./revertHints.ts"
import { decodeUintList, returnsUintList } from "./uintList.ts"

/** The views of a contract. */
export type ViewName<abi extends Abi> = ContractFunctionName<abi, "view" | "pure">

/** A view call that has its types. */
export type ViewCall<abi extends Abi, name extends ViewName<abi>> = {
  abi: abi
  functionName: name
  args: ContractFunctionArgs<abi, "view" | "pure", name>
}

/** The call data of a view. */
export function encodeView<const abi extends Abi, name extends ViewName<abi>>(call: ViewCall<abi, name>): Hex {
  return encodeCall(call as unknown as FunctionCall)
}

/**
 * Decodes what a node says that a view returned, and accepts only what encoding it again would give the same bytes of: no word out
 * of its type's range, no dirty padding, nothing behind the end.
 *
 * @throws ReplyMalformedError
 */
export function decodeView<const abi extends Abi, name extends ViewName<abi>>(
  call: ViewCall<abi, name>,
  reply: unknown,
): ContractFunctionReturnType<abi, "view" | "pure", name> {
  const what: string = call.functionName
  if (typeof reply !== "string" || !/^0x([0-9a-fA-F]{2})*$/.test(reply)) {
    throw new ReplyMalformedError({
      what,
      expected: "hexadecimal data",
      found: JSON.stringify(reply)?.slice(0, 60) ?? "nothing",
    })
  }
  const data = reply.toLowerCase() as Hex
  const untyped = { abi: call.abi as Abi, functionName: call.functionName as string }
  if (returnsUintList(untyped.abi, untyped.functionName)) {
    const list = decodeUintList(data)
    if (list !== undefined) return list as ContractFunctionReturnType<abi, "view" | "pure", name>
    throw new ReplyMalformedError({ what, expected: "a canonical list of words", found: data.slice(0, 74) })
  }
  try {
    return decodeResult(untyped, data) as ContractFunctionReturnType<abi, "view" | "pure", name>
  } catch (cause) {
    const expected = "the function's return type in canonical ABI encoding"
    throw new ReplyMalformedError({ what, expected, found: data.slice(0, 74), cause })
  }
}

/** The custom error in a node's refusal; undefined if it holds none of ours. */
export function decodeRevert(error: unknown, functionName: string): ContractRevertedError | undefined {
  const data = revertData(error)
  if (data === undefined || data === "0x") return undefined
  const { errorName, args } = knownError(data) ?? { errorName: "an error not of ours", args: [data.slice(0, 74)] }
  return new ContractRevertedError({ functionName, errorName, args, hint: revertHint(errorName), cause: error })
}

function knownError(data: Hex): ReturnType<typeof decodeError> {
  try {
    return decodeError(errorsAbi, data)
  } catch {
    // Right selector, wrong values: no contract of ours said this.
    return undefined
  }
}

/** Nodes put the bytes in `data`, or in `data.data` (EDR, older Hardhat), or in `data.result`. */
function revertData(error: unknown): Hex | undefined {
  for (let current: unknown = error, depth = 0; current !== undefined && current !== null && depth < 8; depth++) {
    if (typeof current === "string") return /^0x([0-9a-fA-F]{2})*$/.test(current) ? (current as Hex) : undefined
    if (typeof current !== "object") return undefined
    const { data, result, cause } = current as { data?: unknown; result?: unknown; cause?: unknown }
    current = data ?? (current instanceof RpcRejectedError ? undefined : (result ?? cause))
  }
  return undefined
}
