import type { Hex } from "../crypto/hex.ts"

/** A signed transaction on its way. */
export type JournalEntry = {
  /** Hash of chain, account, contract and what is to be done: the same deed has the same id in every run. */
  readonly id: Hex
  readonly chainId: number
  readonly from: Hex
  readonly nonce: number
  /** The latest signed form; earlier ones offered less. */
  readonly raw: Hex
  /** The hashes of all signed forms; at most one of them is ever mined. */
  readonly hashes: readonly Hex[]
  /** Whether it must not be sent again even if it was mined in an earlier run: see `WriteCall.once`. */
  readonly once: boolean
}

/** Where transactions are kept from before they are sent until they are seen in a block. */
export type Journal = {
  entries(): Promise<readonly JournalEntry[]>
  /** Adds an entry, or replaces the one with its id; returns once it would survive a crash. */
  put(entry: JournalEntry): Promise<void>
  remove(id: Hex): Promise<void>
}

/** A journal that lives as long as the process. */
export function memoryJournal(): Journal {
  const entries = new Map<Hex, JournalEntry>()
  return {
    entries: async () => [...entries.values()],
    put: async (entry) => {
      entries.set(entry.id, entry)
    },
    remove: async (id) => {
      entries.delete(id)
    },
  }
}
