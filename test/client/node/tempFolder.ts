import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder of a test's own; `[Symbol.dispose]` removes it. */
export class TempFolder {
  readonly path = mkdtempSync(join(tmpdir(), "fleetroot-node-"))

  at(name: string): string {
    return join(this.path, name)
  }

  folder(name: string): string {
    mkdirSync(this.at(name), { recursive: true })
    return this.at(name)
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.at(name), content)
    return this.at(name)
  }

  bytes(name: string): Uint8Array {
    return new Uint8Array(readFileSync(this.at(name)))
  }

  names(name = "."): string[] {
    return readdirSync(this.at(name)).toSorted()
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
