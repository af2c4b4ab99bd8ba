import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import type { DatabaseSync } from "node:sqlite"
import type { Hex } from "../crypto/hex.ts"
import { JournalDamagedError, RunInProgressError, StateFolderError } from "../errors/node.ts"
import type { Deployment } from "../ledger/deployment.ts"
import type { Journal, JournalEntry } from "../ledger/journal.ts"
import { deploymentName } from "./stateFolder.ts"

export type OpenJournalOptions = {
  /** Where the journal lies: see `stateFolder`. */
  folder: string
  deployment: Deployment
  /** The account whose transactions it keeps. */
  account: Hex
  /** What this run calls itself when another one asks who holds the journal: "batch register". */
  purpose: string
  /** How long to wait for another run to end, in seconds. Default: 30. */
  waitSeconds?: number
  /** Called once when there is something to wait for. */
  onWait?: (holder: string) => void
}

/** A journal in a file, which belongs to this process until it is closed or the process ends. */
export type FileJournal = Journal & { readonly path: string; close(): void }

// SQLite's result codes: sqlite.org/rescode.html.
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/**
 * Opens the journal of an account on a deployment: an SQLite file that is flushed to disk with every entry, and locked by the
 * system for as long as this process lives, however it ends. Two runs with one account never send at once.
 *
 * @throws RunInProgressError when another run holds it.
 * @throws StateFolderError, JournalDamagedError
 */
export async function openJournal(options: OpenJournalOptions): Promise<FileJournal> {
  const { folder, deployment, account, purpose } = options
  const path = join(folder, `journal-${deploymentName(deployment)}-${account.slice(2)}.sqlite`)
  const database = await openLocked(path, options)
  const holderPath = `${path}.holder`
  writeHolder(holderPath, purpose)

  const run = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw readable(error, path)
    }
  }
  return {
    path,
    entries: async () => run(() => listEntries(database)),
    put: async (entry) => {
      run(() =>
        database.prepare("INSERT OR REPLACE INTO entry (id, json) VALUES (?, ?)").run(entry.id, JSON.stringify(entry)),
      )
    },
    remove: async (id) => {
      run(() => database.prepare("DELETE FROM entry WHERE id = ?").run(id))
    },
    close: () => {
      rmSync(holderPath, { force: true })
      database.close()
    },
  }
}

async function openLocked(path: string, { waitSeconds = 30, onWait }: OpenJournalOptions): Promise<DatabaseSync> {
  // Loaded only where something is written: reading commands start faster.
  const { DatabaseSync } = await import("node:sqlite")
  const deadline = Date.now() + waitSeconds * 1000
  for (let told = false; ; told = true) {
    let database: DatabaseSync | undefined
    try {
      database = new DatabaseSync(path)
      // In exclusive mode the lock of the first transaction is kept until the file is closed.
      database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA")
      database.exec(
        "BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS entry (id TEXT PRIMARY KEY, json TEXT NOT NULL); COMMIT",
      )
      return database
    } catch (error) {
      database?.close()
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw readable(error, path)
      const holder = readHolder(`${path}.holder`)
      if (Date.now() >= deadline) throw new RunInProgressError({ holder, waitedSeconds: waitSeconds })
      if (!told) onWait?.(holder)
      await setTimeout(100)
    }
  }
}

function listEntries(database: DatabaseSync): JournalEntry[] {
  const rows = database.prepare("SELECT json FROM entry ORDER BY rowid").all()
  return rows.map(({ json }) => JSON.parse(String(json)) as JournalEntry)
}

function readable(error: unknown, path: string): Error {
  const code = (error as { errcode?: number }).errcode
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || error instanceof SyntaxError) {
    return new JournalDamagedError({ path, cause: error })
  }
  return new StateFolderError({ path, reason: error instanceof Error ? error.message : String(error), cause: error })
}

/** For the other run's message only: what locks is the database. */
function writeHolder(path: string, purpose: string): void {
  try {
    const started = new Date().toISOString()
    writeFileSync(path, `${purpose}, process ${process.pid} on ${hostname()}, since ${started}`, { mode: 0o600 })
  } catch {
    // Then the other run says less.
  }
}

function readHolder(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(0, 200)
  } catch {
    return "a run that did not say who it is"
  }
}
