import { keccak_256 } from "@noble/hashes/sha3.js"
import { describe, expect, it } from "vitest"
import { toHex } from "../../../client/crypto/hex.ts"
import { keccak256 } from "../../../client/crypto/keccak256.ts"

describe("Keccak-256", () => {
  it("is what Ethereum means by it", () => {
    // The code hash of an account without code, and the root of an empty trie (Yellow Paper, 4.1).
    expect(toHex(keccak256(new Uint8Array()))).toBe(
      "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    )
    expect(toHex(keccak256(Uint8Array.of(0x80)))).toBe(
      "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    )
    // The topic of ERC-20's Transfer.
    expect(toHex(keccak256(new TextEncoder().encode("Transfer(address,address,uint256)")))).toBe(
      "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    )
  })

  it("is the library's for every length up to five blocks, wherever the octets stand in their memory", () => {
    const memory = crypto.getRandomValues(new Uint8Array(700))
    for (let length = 0; length <= 690; length++) {
      const input = memory.subarray(length % 7, (length % 7) + length)
      expect(toHex(keccak256(input))).toBe(toHex(keccak_256(input)))
    }
  })

  it("leaves nothing of one call in the next, and gives each its own digest", () => {
    const [one, other] = [new Uint8Array(500).fill(1), new Uint8Array(3).fill(2)]
    const first = keccak256(one)
    const second = keccak256(other)
    expect(toHex(keccak256(one))).toBe(toHex(first))
    expect(toHex(second)).toBe(toHex(keccak_256(other)))
  })
})
