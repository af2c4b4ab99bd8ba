import { readFile } from "node:fs/promises"
import { writeFileAtomic } from "../../client/node/index.ts"

/** Which clients were disabled here, each with the certificates (issuer key id and serial) that it was disabled for. */
export type Disabled = ReadonlyMap<string, ReadonlySet<string>>

/** Where that is kept over restarts, so that nobody is enabled whom somebody else disabled. */
export type DisabledJournal = {
  read(): Promise<Disabled>
  /** @throws OutputWriteError */
  write(disabled: Disabled): Promise<void>
}

/** A journal in a file. One that is damaged counts as empty: then those who are disabled stay so. */
export function disabledJournal(path: string): DisabledJournal {
  return {
    read: async () => {
      try {
        const value: unknown = JSON.parse(await readFile(path, "utf8"))
        return typeof value === "object" && value !== null ? new Map(Object.entries(value).flatMap(entryOf)) : new Map()
      } catch {
        return new Map()
      }
    },
    write: async (disabled) => {
      const value = Object.fromEntries([...disabled].map(([username, names]) => [username, [...names]]))
      await writeFileAtomic(path, `${JSON.stringify(value)}\n`, { mode: 0o600 })
    },
  }
}

function entryOf([username, names]: [string, unknown]): [string, Set<string>][] {
  const valid = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === "string")
  return valid ? [[username, new Set(names)]] : []
}
