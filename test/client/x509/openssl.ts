import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder of its own in which `openssl` runs; `[Symbol.dispose]` removes it. */
export class OpensslFolder {
  readonly path = mkdtempSync(join(tmpdir(), "fleetroot-x509-"))

  /** Runs `openssl` and returns what it prints; throws with its messages when it fails. */
  run(...commandLine: string[]): string {
    return execFileSync("openssl", commandLine, { cwd: this.path, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  }

  /** What it printed and whether it succeeded. */
  attempt(...commandLine: string[]): { ok: boolean; output: string } {
    try {
      return { ok: true, output: this.run(...commandLine) }
    } catch (error) {
      const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string }
      return { ok: false, output: stdout + stderr }
    }
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(join(this.path, name), content)
  }

  text(name: string): string {
    return readFileSync(join(this.path, name), "utf8")
  }

  bytes(name: string): Uint8Array {
    return new Uint8Array(readFileSync(join(this.path, name)))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
