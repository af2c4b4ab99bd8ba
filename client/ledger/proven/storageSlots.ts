import { storageLayout } from "../../abi/storageLayout.ts"
import { concatBytes, fromHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { NumberOutOfRangeError } from "../../errors/ledger.ts"
import { keccakHex } from "../abi/keccakHex.ts"

/** A contract whose storage layout is known. */
export type LaidOutContract = keyof typeof storageLayout

/** A step on the way to a field: a name, or the key of a mapping. */
export type Step = string | { readonly key: bigint | number | Hex }

/** Where something stands in a contract's storage. */
export type StoragePlace = { readonly slot: bigint; readonly type: string }

/** A field that shares a slot with others: `offset` counts bytes from the low end. */
type Member = { readonly label: string; readonly slot: string; readonly offset: number; readonly type: string }
type TypeEntry = {
  readonly encoding: string
  readonly numberOfBytes: string
  readonly key?: string
  readonly value?: string
  readonly members?: readonly Member[]
}
type Layout = { readonly storage: readonly Member[]; readonly types: Readonly<Record<string, TypeEntry>> }

/**
 * The slot of a variable, a struct's member or a mapping's entry, by name, as the compiler laid them out (Solidity: "Layout of
 * State Variables in Storage").
 *
 * @throws NumberOutOfRangeError when a mapping's key does not fit its type.
 */
export function locate(contract: LaidOutContract, ...path: readonly Step[]): StoragePlace {
  const { storage, types }: Layout = storageLayout[contract]
  let members = storage
  let slot = 0n
  let type = ""
  for (const step of path) {
    if (typeof step === "string") {
      const member = members.find(({ label }) => label === step)
      if (member === undefined) throw new TypeError(`${contract} has no ${step} in its storage layout`)
      slot += BigInt(member.slot)
      type = member.type
    } else {
      const { key, value } = typeOf(types, type)
      if (key === undefined || value === undefined) throw new TypeError(`${type} of ${contract} is no mapping`)
      slot = BigInt(keccakHex(concatBytes(keyBytes(step.key, key, typeOf(types, key)), wordBytes(slot))))
      type = value
    }
    members = typeOf(types, type).members ?? []
  }
  return { slot, type }
}

/** The members of a struct, cut out of its words: word i is what stands in its slot i. Mappings and strings are left out. */
export function unpack(
  contract: LaidOutContract,
  place: StoragePlace,
  words: readonly bigint[],
): Readonly<Record<string, bigint>> {
  const { types }: Layout = storageLayout[contract]
  const fields: Record<string, bigint> = {}
  for (const member of typeOf(types, place.type).members ?? []) {
    const { encoding, numberOfBytes, members } = typeOf(types, member.type)
    const word = words[Number(member.slot)]
    if (encoding !== "inplace" || members !== undefined || word === undefined) continue
    const bits = BigInt(numberOfBytes) * 8n
    fields[member.label] = (word >> BigInt(member.offset * 8)) & ((1n << bits) - 1n)
  }
  return fields
}

/** The storage slots that a place occupies, in order. */
export function slotsOf(contract: LaidOutContract, { slot, type }: StoragePlace): bigint[] {
  const { types }: Layout = storageLayout[contract]
  const words = Math.ceil(Number(typeOf(types, type).numberOfBytes) / 32)
  return Array.from({ length: words }, (_, i) => slot + BigInt(i))
}

/** A slot or word as 32 octets. */
export function wordBytes(word: bigint): Uint8Array {
  return fromHex(wordHex(word))
}

/** A slot or word as 32 octets in hex. */
export function wordHex(word: bigint): Hex {
  return `0x${word.toString(16).padStart(64, "0")}`
}

function typeOf(types: Layout["types"], name: string): TypeEntry {
  const type = types[name]
  if (type === undefined) throw new TypeError(`the storage layout has no type ${name}`)
  return type
}

/** Numbers are padded on the left; a bytes32 is its own padding. */
function keyBytes(key: bigint | number | Hex, type: string, { numberOfBytes }: TypeEntry): Uint8Array {
  const value = BigInt(key)
  const maximum = (1n << (BigInt(numberOfBytes) * 8n)) - 1n
  if (value < 0n || value > maximum) {
    throw new NumberOutOfRangeError({
      what: `a key of type ${type.slice(2)}`,
      found: key,
      minimum: 0,
      maximum: Number(maximum),
    })
  }
  return wordBytes(value)
}
