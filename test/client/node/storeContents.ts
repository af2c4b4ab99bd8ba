import { toHex } from "../../../client/crypto/hex.ts"
import type { Hex } from "../../../client/crypto/hex.ts"
import { sha256 } from "../../../client/crypto/sha256.ts"
import type { ReplicaCursor, ReplicaRow } from "../../../client/ledger/replica/replicaStore.ts"

const bytes = (text: string): Uint8Array => sha256(new TextEncoder().encode(text))

export const hashOfBlock = (block: number): Hex => toHex(bytes(`block ${block}`))

/** The logs of a block of a chain that nobody has. */
export function rowsOf(block: number): ReplicaRow[] {
  return Array.from({ length: 1 + (block % 4) }, (_, i) => ({
    block,
    blockHash: hashOfBlock(block),
    logIndex: 3 * i,
    contract: (["manufacturers", "devices", "firmware"] as const)[(block + i) % 3] ?? "devices",
    topics: bytes(`topic ${block} ${i}`),
    data: new Uint8Array(32 * (block % 9)).fill(i),
  }))
}

/** The cursor after the logs of all blocks up to this one were written. */
export function cursorAt(block: number): ReplicaCursor {
  const read = { number: block, hash: hashOfBlock(block), timestamp: 1_000 + block }
  return { identity: "a chain that nobody has", origin: { ...read, number: 0 }, read, compared: undefined }
}
