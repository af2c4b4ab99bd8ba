import type { Hex } from "../../crypto/hex.ts"
import type { HeadMemory } from "../finalHead.ts"

/** The memory given, or one that lasts as long as this object. */
export function memoryOrOwn(memory: HeadMemory | undefined): HeadMemory {
  if (memory !== undefined) return memory
  let head: { number: number; hash: Hex } | undefined
  return {
    load: async () => head,
    save: async (next) => {
      head = next
    },
  }
}
