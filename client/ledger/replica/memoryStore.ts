import type { ReplicaCursor, ReplicaRow, ReplicaStore } from "./replicaStore.ts"

/** A replica's log kept in memory: for browsers, and for programs that read it anew each time. */
export function memoryStore(): ReplicaStore {
  let rows: ReplicaRow[] = []
  let cursor: ReplicaCursor | undefined
  return {
    name: "memory",
    load: async () => ({ cursor, rows: portions([...rows]) }),
    write: async (change) => {
      const { dropFrom } = change
      if (dropFrom !== undefined) rows = rows.filter(({ block }) => block < dropFrom)
      for (const row of change.rows) rows.push(row)
      cursor = change.cursor
    },
    clear: async () => {
      rows = []
      cursor = undefined
    },
    close: async () => undefined,
  }
}

async function* portions(rows: readonly ReplicaRow[]): AsyncGenerator<readonly ReplicaRow[]> {
  yield rows
}
