import type { Abi, AbiEvent, AbiFunction } from "viem"
import type { Hex } from "../../crypto/hex.ts"
import { AbiTypeUnsupportedError } from "../../errors/abi.ts"
import type { Parameter } from "./abiType.ts"
import { keccakText } from "./keccakHex.ts"

/** A custom error in an ABI. */
export type AbiError = Extract<Abi[number], { type: "error" }>

type Items = { function: AbiFunction; event: AbiEvent; error: AbiError }

/** Hashes of the signatures of items that were asked for before. */
const hashes = new WeakMap<object, Hex>()

/**
 * The function, event or error of a name. The registries' ABIs have one of each name; of several the first would be taken.
 *
 * @throws AbiTypeUnsupportedError when there is none.
 */
export function abiItem<kind extends keyof Items>(abi: Abi, kind: kind, name: string): Items[kind] {
  const item = abi.find((entry) => entry.type === kind && entry.name === name)
  if (item === undefined) throw new AbiTypeUnsupportedError({ type: `${kind} ${name}` })
  return item as Items[kind]
}

/** The first four octets of the hash of a function's or error's signature, which are the first of its data. */
export function selectorOf(item: AbiFunction | AbiError): Hex {
  return signatureHash(item).slice(0, 10) as Hex
}

/** The first topic of an event. */
export function topicOf(event: AbiEvent): Hex {
  return signatureHash(event)
}

function signatureHash(item: AbiFunction | AbiEvent | AbiError): Hex {
  const known = hashes.get(item)
  if (known !== undefined) return known
  const hash = keccakText(`${item.name}(${item.inputs.map(spell).join(",")})`)
  hashes.set(item, hash)
  return hash
}

/** A type as signatures have it: a tuple is written out. */
function spell({ type, components = [] }: Parameter): string {
  return type.startsWith("tuple") ? `(${components.map(spell).join(",")})${type.slice("tuple".length)}` : type
}
