import type { DatabaseSync, SQLOutputValue } from "node:sqlite"
import {
  ReplicaStoreBusyError,
  ReplicaStoreDamagedError,
  ReplicaStoreError,
  ReplicaStoreForeignError,
  ReplicaStoreUnusableError,
  ReplicaStoreVersionError,
} from "../errors/replica.ts"
import { equalBytes, fromHex, toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { sha256, sha256Hex } from "../crypto/sha256.ts"
import type { LoggedContract } from "../ledger/ledger.ts"
import type { ReplicaCursor, ReplicaRow, ReplicaStore, ReplicaWrite } from "../ledger/replica/replicaStore.ts"

export type SqliteReplicaStoreOptions = {
  /** The file is never made larger than this, in octets. Default: as large as the disk lets it. */
  maxBytes?: number
}

/** "FRRP": a file of another program is never written to. */
const APPLICATION_ID = 0x46_52_52_50
const VERSION = 1
const CONTRACTS: readonly LoggedContract[] = ["manufacturers", "devices", "firmware"]
const PAGE_BYTES = 4096
const SUM_BYTES = 8
const NO_BYTES = new Uint8Array()
const PORTION = 1_000
const BUSY_MS = 5_000

// SQLite's primary result codes: sqlite.org/rescode.html.
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** As `rowOf` takes them. */
const COLUMNS = "block, log_index, block_hash, contract, topics, data, sum"
const SCHEMA = `
  CREATE TABLE log (
    block INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    contract INTEGER NOT NULL,
    topics BLOB NOT NULL,
    data BLOB NOT NULL,
    sum BLOB NOT NULL,
    PRIMARY KEY (block, log_index)
  ) WITHOUT ROWID;
  CREATE TABLE cursor (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, json TEXT NOT NULL, sum TEXT NOT NULL);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};
`

/**
 * Keeps a replica's log in an SQLite file. Rows and cursor change together, flushed to the disk with every write, so that a process
 * that is killed, or a power cut, loses nothing that was told to be written and repeats nothing. One process writes at a time;
 * what another one wrote meanwhile is noticed.
 *
 * @throws ReplicaStoreDamagedError, ReplicaStoreForeignError, ReplicaStoreVersionError, ReplicaStoreBusyError,
 *   ReplicaStoreUnusableError
 */
export async function openSqliteReplicaStore(
  path: string,
  options: SqliteReplicaStoreOptions = {},
): Promise<ReplicaStore> {
  const { DatabaseSync: Database } = await import("node:sqlite")
  const run = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw named(error, path)
    }
  }
  let database: DatabaseSync | undefined
  try {
    database = new Database(path)
    prepare(database, path, options)
    return sqliteStore(database, path, run)
  } catch (error) {
    database?.close()
    throw named(error, path)
  }
}

type Run = <T>(work: () => T) => T

function sqliteStore(database: DatabaseSync, path: string, run: Run): ReplicaStore {
  /** Of the last load or write. */
  let revision = 0
  const insert = database.prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)")
  const drop = database.prepare("DELETE FROM log WHERE block >= ?")
  const readCursor = database.prepare("SELECT revision, json, sum FROM cursor")
  const writeCursor = database.prepare("INSERT OR REPLACE INTO cursor VALUES (1, ?, ?, ?)")

  const stored = (): { revision: number; cursor: ReplicaCursor | undefined } => {
    const row = readCursor.get()
    if (row === undefined) return { revision: 0, cursor: undefined }
    const json = String(row["json"])
    if (sha256Hex(new TextEncoder().encode(json)) !== row["sum"]) {
      throw new ReplicaStoreDamagedError({ path, reason: "its cursor is not what was written" })
    }
    return { revision: Number(row["revision"]), cursor: JSON.parse(json) as ReplicaCursor }
  }
  const change = (work: () => void): void => {
    run(() => {
      // Rows that nobody read to their end.
      if (database.isTransaction) database.exec("ROLLBACK")
      database.exec("BEGIN IMMEDIATE")
      try {
        if (stored().revision !== revision) throw new ReplicaStoreBusyError({ path })
        work()
        database.exec("COMMIT")
        revision += 1
      } catch (error) {
        // Some errors have ended the transaction already.
        if (database.isTransaction) database.exec("ROLLBACK")
        throw error
      }
    })
  }
  const write = ({ dropFrom, rows, cursor }: ReplicaWrite): void => {
    if (dropFrom !== undefined) drop.run(dropFrom)
    for (const row of rows) {
      const { block, logIndex, topics, data } = row
      const [blockHash, contract] = [fromHex(row.blockHash), CONTRACTS.indexOf(row.contract)]
      const sum = sumOf(block, logIndex, blockHash, contract, topics, data)
      insert.run(block, logIndex, blockHash, contract, topics, data, sum)
    }
    const json = JSON.stringify(cursor)
    writeCursor.run(revision + 1, json, sha256Hex(new TextEncoder().encode(json)))
  }

  return {
    name: path,
    load: async () => {
      // Rows and cursor of one moment, whoever else writes.
      run(() => database.exec("BEGIN"))
      try {
        const found = run(stored)
        revision = found.revision
        return { cursor: found.cursor, rows: portions(database, path, run) }
      } catch (error) {
        database.exec("ROLLBACK")
        throw error
      }
    },
    write: async (wanted) => {
      change(() => {
        write(wanted)
      })
    },
    clear: async () => {
      change(() => database.exec("DELETE FROM log; DELETE FROM cursor"))
      revision = 0
    },
    close: async () => {
      run(() => {
        database.close()
      })
    },
  }
}

/** All rows, in the transaction that is open, which ends with them. */
async function* portions(database: DatabaseSync, path: string, run: Run): AsyncGenerator<readonly ReplicaRow[]> {
  try {
    const rows = run(() => {
      const all = database.prepare(`SELECT ${COLUMNS} FROM log ORDER BY block, log_index`)
      // A third of the time of a row is spent on the names of its columns.
      all.setReturnArrays(true)
      return all.iterate() as unknown as Iterator<SQLOutputValue[]>
    })
    const hashes = new BlockHashes()
    let portion: ReplicaRow[] = []
    for (;;) {
      const next = run(() => rows.next())
      if (next.done === true) break
      portion.push(rowOf(next.value, hashes, path))
      if (portion.length < PORTION) continue
      yield portion
      portion = []
    }
    yield portion
  } finally {
    if (database.isOpen && database.isTransaction) run(() => database.exec("ROLLBACK"))
  }
}

function prepare(database: DatabaseSync, path: string, { maxBytes }: SqliteReplicaStoreOptions): void {
  const pragma = (name: string): number => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0])
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
  // Asked first: a file that is no database must not be changed.
  const [application, version] = [pragma("application_id"), pragma("user_version")]
  const isNew = pragma("schema_version") === 0
  if (!isNew && application !== APPLICATION_ID) {
    throw new ReplicaStoreForeignError({ path, expected: "a ledger", found: "another program's data" })
  }
  if (version > VERSION) throw new ReplicaStoreVersionError({ path, expected: VERSION, found: version })
  database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`)
  if (maxBytes !== undefined) {
    database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / PAGE_BYTES))}`)
  }
  if (!isNew) return
  database.exec("BEGIN IMMEDIATE")
  // Another process may have been quicker.
  if (pragma("application_id") !== APPLICATION_ID) database.exec(SCHEMA)
  database.exec("COMMIT")
}

function rowOf(row: SQLOutputValue[], hashes: BlockHashes, path: string): ReplicaRow {
  const [block, logIndex] = [Number(row[0]), Number(row[1])]
  const contract = CONTRACTS[Number(row[3])]
  const [blockHash, topics, data] = [bytesOf(row[2]), bytesOf(row[4]), bytesOf(row[5])]
  const sum = sumOf(block, logIndex, blockHash, Number(row[3]), topics, data)
  if (contract === undefined || !equalBytes(sum, bytesOf(row[6]))) {
    const reason = `log ${String(row[1])} of block ${String(row[0])} is not what was written`
    throw new ReplicaStoreDamagedError({ path, reason })
  }
  return { block, blockHash: hashes.hex(blockHash), logIndex, contract, topics, data }
}

/** Hashes of blocks as hex: the logs of one block, which come in a row, share theirs. */
class BlockHashes {
  #bytes: Uint8Array = NO_BYTES
  #hex: Hex = "0x"

  hex(bytes: Uint8Array): Hex {
    if (!equalBytes(bytes, this.#bytes)) {
      this.#hex = toHex(bytes)
      this.#bytes = bytes
    }
    return this.#hex
  }
}

const PLACE_BYTES = 20
let summed = new DataView(new ArrayBuffer(1024))

/** The first octets of the hash over all of a row: enough to notice what a failing disk does. */
function sumOf(
  block: number,
  logIndex: number,
  blockHash: Uint8Array,
  contract: number,
  topics: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  const length = PLACE_BYTES + blockHash.length + topics.length + data.length
  // One piece of memory for all rows: a new one for each costs more than its hash.
  if (length > summed.byteLength) summed = new DataView(new ArrayBuffer(2 * length))
  summed.setFloat64(0, block)
  summed.setFloat64(8, logIndex)
  summed.setUint16(16, contract)
  summed.setUint16(18, topics.length)
  const whole = new Uint8Array(summed.buffer, 0, length)
  whole.set(blockHash, PLACE_BYTES)
  whole.set(topics, PLACE_BYTES + blockHash.length)
  whole.set(data, PLACE_BYTES + blockHash.length + topics.length)
  return sha256(whole).subarray(0, SUM_BYTES)
}

function bytesOf(value: SQLOutputValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : NO_BYTES
}

function named(error: unknown, path: string): unknown {
  if (error instanceof ReplicaStoreError) return error
  const { errcode: code, code: kind } = (error ?? {}) as { errcode?: unknown; code?: unknown }
  const reason = error instanceof Error ? error.message : String(error)
  if (typeof code !== "number") {
    // The cursor is no JSON, or a number larger than any that was written.
    const damaged = error instanceof SyntaxError || kind === "ERR_OUT_OF_RANGE"
    return damaged ? new ReplicaStoreDamagedError({ path, reason, cause: error }) : error
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
      return new ReplicaStoreBusyError({ path, cause: error })
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new ReplicaStoreDamagedError({ path, reason, cause: error })
    default:
      return new ReplicaStoreUnusableError({ path, reason, cause: error })
  }
}
