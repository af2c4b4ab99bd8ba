// Writes to a replica's store for as long as it is let, and says after each write how far it has come.
import { openSqliteReplicaStore } from "../../../client/node/sqliteReplicaStore.ts"
import { cursorAt, rowsOf } from "./storeContents.ts"

const [path = ""] = process.argv.slice(2)
const store = await openSqliteReplicaStore(path)
const { cursor, rows } = await store.load()
for await (const _ of rows);
for (let n = (cursor?.read.number ?? 0) + 1; ; n++) {
  // Now and then the last blocks are written anew, as after a reorganisation.
  const from = n % 7 === 0 ? Math.max(1, n - 2) : n
  const blocks = Array.from({ length: n - from + 1 }, (_, i) => rowsOf(from + i)).flat()
  await store.write({ ...(from === n ? {} : { dropFrom: from }), rows: blocks, cursor: cursorAt(n) })
  process.stdout.write(`${n}\n`)
}
