import { concatBytes } from "../../crypto/hex.ts"
import { StoredValueInvalidError } from "../../errors/proofs.ts"
import { keccakHex } from "../abi/keccakHex.ts"
import { wordBytes } from "./storageSlots.ts"

/** The registries take no longer texts; more would be another contract's. */
const LONGEST = 1_024

/** Where a string's text is, going by the word in its slot (Solidity: "bytes and string"). */
export type StoredString =
  | { readonly text: string }
  /** Texts of 32 octets and more stand in slots of their own, from the hash of the string's slot on. */
  | { readonly length: number; readonly slots: readonly bigint[] }

/** @throws StoredValueInvalidError */
export function readStoredString(slot: bigint, word: bigint, what: string): StoredString {
  const invalid = (): never => {
    throw new StoredValueInvalidError({ what, expected: "a string", found: `0x${word.toString(16)}` })
  }
  if ((word & 1n) === 0n) {
    const length = Number(word & 0xffn) / 2
    if (length > 31) return invalid()
    const bytes = wordBytes(word)
    if (bytes.subarray(length, 31).some((byte) => byte !== 0)) return invalid()
    return { text: textOf(bytes.subarray(0, length)) }
  }
  const length = (word - 1n) / 2n
  if (length < 32n || length > BigInt(LONGEST)) return invalid()
  const first = BigInt(keccakHex(wordBytes(slot)))
  const slots = Array.from({ length: Math.ceil(Number(length) / 32) }, (_, i) => BigInt.asUintN(256, first + BigInt(i)))
  return { length: Number(length), slots }
}

/** The text in the slots of a long string. */
export function joinStoredString(length: number, words: readonly bigint[]): string {
  return textOf(concatBytes(...words.map(wordBytes)).subarray(0, length))
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
