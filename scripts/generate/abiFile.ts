import { type AbiItem, type AbiParameter, type CompiledContract, signatureOf } from "./readContracts.ts"

/**
 * The TypeScript file of one contract's ABI.
 *
 * `errors` that the contract does not declare itself are added, so that a revert in a contract that it calls decodes too.
 */
export function abiFile({ name, abi }: CompiledContract, errors: AbiItem[]): string {
  const own = new Set(abi.filter(({ type }) => type === "error").map(signatureOf))
  const items = [...abi, ...errors.filter((error) => !own.has(signatureOf(error)))]
  return constantFile(`${name[0]?.toLowerCase()}${name.slice(1)}Abi`, items)
}

/** The TypeScript file of every error of the project, for decoding a revert whose contract is not known. */
export function errorsFile(errors: AbiItem[]): string {
  return constantFile("errorsAbi", errors)
}

function constantFile(constant: string, items: AbiItem[]): string {
  const lines = items.map((item) => `  ${JSON.stringify(plainItem(item))},\n`)
  return `// Written by \`npm run generate\` from the compiled contracts.\nexport const ${constant} = [\n${lines.join("")}] as const\n`
}

/** Keeps what callers need; the compiler's `internalType` names Solidity types that TypeScript does not know. */
function plainItem({ type, name, inputs, outputs, stateMutability, anonymous }: AbiItem): AbiItem {
  return {
    type,
    ...(name === undefined ? {} : { name }),
    ...(inputs === undefined ? {} : { inputs: inputs.map(plainParameter) }),
    ...(outputs === undefined ? {} : { outputs: outputs.map(plainParameter) }),
    ...(stateMutability === undefined ? {} : { stateMutability }),
    ...(anonymous === true ? { anonymous } : {}),
  }
}

function plainParameter({ name, type, indexed, components }: AbiParameter): AbiParameter {
  return {
    name,
    type,
    ...(indexed === undefined ? {} : { indexed }),
    ...(components === undefined ? {} : { components: components.map(plainParameter) }),
  }
}
