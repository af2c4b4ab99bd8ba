import type { Hex, JsonRpc } from "../../client/index.ts"
import { DeployedCodeMismatchError } from "./deployErrors.ts"

/** What the compiler says of a contract: its runtime code with zeros where immutables go. */
export type CompiledCode = {
  readonly contractName: string
  readonly deployedBytecode: string
  readonly immutableReferences?: Readonly<
    Record<string, readonly { readonly start: number; readonly length: number }[]>
  >
}

/**
 * Compares the code at an address with what was compiled, immutables aside: those are read back through the contract's views.
 *
 * @throws DeployedCodeMismatchError
 */
export async function assertDeployedCode(rpc: JsonRpc, address: Hex, compiled: CompiledCode): Promise<void> {
  const { contractName: contract, deployedBytecode, immutableReferences = {} } = compiled
  const found = String(await rpc.request({ method: "eth_getCode", params: [address, "latest"] })).toLowerCase()
  const refuse = (problem: string): never => {
    throw new DeployedCodeMismatchError({ contract, address, problem })
  }
  if (found === "0x") refuse("there is no code")
  const expected = deployedBytecode.toLowerCase()
  if (found.length !== expected.length) {
    refuse(`it has ${found.length / 2 - 1} bytes instead of ${expected.length / 2 - 1}`)
  }
  const holes = Object.values(immutableReferences).flat()
  if (withoutImmutables(found, holes) !== withoutImmutables(expected, holes)) refuse("its code differs")
}

function withoutImmutables(code: string, holes: readonly { start: number; length: number }[]): string {
  let masked = code
  for (const { start, length } of holes) {
    const from = 2 + start * 2
    masked = masked.slice(0, from) + "0".repeat(length * 2) + masked.slice(from + length * 2)
  }
  return masked
}
