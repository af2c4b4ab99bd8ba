import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

const KEYS = {
  p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  p384: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  rsa3072: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
  ed25519: ["-algorithm", "Ed25519"],
} as const

/** The kinds of key that firmware is signed with. */
export type KeyKind = keyof typeof KEYS

/** A fresh private key, PEM, made by openssl. */
export async function makeKey(kind: KeyKind): Promise<string> {
  const { stdout } = await run("openssl", ["genpkey", ...KEYS[kind]])
  return stdout
}

/** A folder that is gone afterwards, and openssl in it. */
export async function inFolder<T>(use: (folder: OpensslFolder) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(tmpdir(), "fleetroot-firmware-"))
  try {
    return await use({
      path,
      write: async (name, content) => {
        await writeFile(join(path, name), content)
        return join(path, name)
      },
      read: async (name) => new Uint8Array(await readFile(join(path, name))),
      openssl: async (...args) => {
        await run("openssl", args, { cwd: path })
      },
    })
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

export type OpensslFolder = {
  readonly path: string
  readonly write: (name: string, content: string | Uint8Array) => Promise<string>
  readonly read: (name: string) => Promise<Uint8Array>
  readonly openssl: (...args: string[]) => Promise<void>
}
