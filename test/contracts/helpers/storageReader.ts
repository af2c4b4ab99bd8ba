import { encodeAbiParameters, keccak256 } from "viem"
import type { Address, Hex } from "viem"
import { storageLayout } from "../../../client/abi/storageLayout.ts"
import type { Stage } from "./stage.ts"

type Member = { label: string; slot: string; offset: number; type: string }
type LayoutType = { encoding: string; numberOfBytes: string; key?: string; value?: string; members?: readonly Member[] }
type Layout = { storage: readonly Member[]; types: Readonly<Record<string, LayoutType>> }

/** A mapping's key: a number, or 32 octets. */
export type MapKey = number | bigint | Hex

/**
 * Reads a stored value by nothing but the generated layout and `eth_getStorageAt`.
 *
 * @param path the variable, then keys of mappings (arrays of one) and names of members
 */
export async function readStored(
  stage: Stage,
  contract: keyof typeof storageLayout,
  address: Address,
  path: readonly [string, ...(string | readonly [MapKey])[]],
): Promise<bigint> {
  const layout = storageLayout[contract] as unknown as Layout
  const [label, ...steps] = path
  const variable = layout.storage.find((item) => item.label === label)
  if (variable === undefined) throw new Error(`${contract} stores no ${label}`)
  let place = { slot: BigInt(variable.slot), offset: variable.offset, type: variable.type }
  for (const step of steps)
    place = typeof step === "string" ? member(layout, place, step) : entry(layout, place, step[0])

  const slot: Hex = `0x${place.slot.toString(16).padStart(64, "0")}`
  const word = BigInt((await stage.client.getStorageAt({ address, slot })) ?? "0x0")
  const bits = BigInt(typeOf(layout, place.type).numberOfBytes) * 8n
  return (word >> BigInt(place.offset * 8)) & ((1n << bits) - 1n)
}

type Place = { slot: bigint; offset: number; type: string }

function member(layout: Layout, { slot, type }: Place, label: string): Place {
  const found = typeOf(layout, type).members?.find((item) => item.label === label)
  if (found === undefined) throw new Error(`${type} has no member ${label}`)
  return { slot: slot + BigInt(found.slot), offset: found.offset, type: found.type }
}

/** Solidity, "Layout of Mappings": keccak256(key, padded to a word, then the mapping's slot). */
function entry(layout: Layout, { slot, type }: Place, key: MapKey): Place {
  const { value } = typeOf(layout, type)
  if (value === undefined) throw new Error(`${type} is no mapping`)
  const words = [BigInt(key), slot] as const
  return {
    slot: BigInt(keccak256(encodeAbiParameters([{ type: "uint256" }, { type: "uint256" }], words))),
    offset: 0,
    type: value,
  }
}

function typeOf(layout: Layout, name: string): LayoutType {
  const found = layout.types[name]
  if (found === undefined) throw new Error(`the layout knows no ${name}`)
  return found
}
