import { keccakP } from "@noble/hashes/sha3.js"

/** Octets that one permutation takes in: Keccak-256 keeps 512 of its 1600 bits back. */
const RATE_BYTES = 136
/** The pad10*1 rule without SHA-3's suffix: what Ethereum calls Keccak-256 (The Keccak reference 3.0, 1.1.2). */
const FIRST_PAD_BIT = 0x01
const LAST_PAD_BIT = 0x80

const state = new Uint32Array(50)

/**
 * Keccak-256: 32 octets.
 *
 * For logs of many thousand entries: @noble/hashes' permutation in one state that is used again and again, where its own function
 * makes a new one, of memory outside the heap, for every call.
 */
export function keccak256(input: Uint8Array): Uint8Array {
  state.fill(0)
  let offset = 0
  for (; input.length - offset >= RATE_BYTES; offset += RATE_BYTES) {
    absorb(input, offset, RATE_BYTES)
    keccakP(state)
  }
  const rest = input.length - offset
  absorb(input, offset, rest)
  addOctet(rest, FIRST_PAD_BIT)
  addOctet(RATE_BYTES - 1, LAST_PAD_BIT)
  keccakP(state)

  const digest = new Uint8Array(32)
  for (let i = 0; i < digest.length; i++) digest[i] = (state[i >>> 2] as number) >>> (8 * (i & 3))
  return digest
}

/** Lanes are little-endian, on every machine. */
function absorb(input: Uint8Array, offset: number, count: number): void {
  const whole = count >>> 2
  for (let word = 0, at = offset; word < whole; word++, at += 4) {
    const value =
      (input[at] as number) |
      ((input[at + 1] as number) << 8) |
      ((input[at + 2] as number) << 16) |
      ((input[at + 3] as number) << 24)
    state[word] = (state[word] as number) ^ value
  }
  for (let i = 4 * whole; i < count; i++) addOctet(i, input[offset + i] as number)
}

function addOctet(place: number, octet: number): void {
  const word = place >>> 2
  state[word] = (state[word] as number) ^ (octet << (8 * (place & 3)))
}
