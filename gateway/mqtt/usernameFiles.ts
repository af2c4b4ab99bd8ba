import { createHash } from "node:crypto"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { equalBytes, parseCertificate, type Certificate, type Hex } from "../../client/index.ts"
import { certificatesFromPath } from "../../client/node/index.ts"
import type { Issuer } from "../issuers/issuer.ts"
import { usernamesFromCertificates } from "./usernames.ts"

const FILES_AT_ONCE = 64

/** User names by the certificates in folders and bundles, which are read again when they changed. */
export class UsernameFiles {
  readonly #paths: readonly string[]
  readonly #issuers: readonly Issuer[]
  #state = ""
  #usernamesOf: (issuerKeyId: Hex, serial: Hex) => readonly string[] = () => []

  constructor(paths: readonly string[], issuers: readonly Issuer[]) {
    this.#paths = paths
    this.#issuers = issuers
  }

  readonly usernamesOf = (issuerKeyId: Hex, serial: Hex): readonly string[] => this.#usernamesOf(issuerKeyId, serial)

  /** Reads what changed. Files that are no certificates are passed over. @throws InputPathError, errors of the file system. */
  async refresh(): Promise<void> {
    let state = ""
    for (const path of this.#paths) state += `${await stateOf(path)} `
    if (state === this.#state) return
    const certificates: Certificate[] = []
    for (const path of this.#paths) {
      for await (const row of certificatesFromPath(path)) {
        if (!("der" in row)) continue
        try {
          certificates.push(parseCertificate(row.der))
        } catch {
          // A stray file must not keep the others' devices connected.
        }
      }
    }
    this.#usernamesOf = usernamesFromCertificates(certificates, (certificate) => this.#issuerOf(certificate))
    this.#state = state
  }

  #issuerOf({ issuerDer, authorityKeyIdentifier }: Certificate): Hex {
    const issuer = this.#issuers.find(
      ({ certificate, keyIdentifier }) =>
        equalBytes(certificate.subjectDer, issuerDer) &&
        (authorityKeyIdentifier === undefined || equalBytes(authorityKeyIdentifier, keyIdentifier)),
    )
    return issuer?.keyId ?? "0x"
  }
}

/**
 * Another text when a file may be another. A folder's own time does not tell that a file in it was written over, or was finished
 * after somebody read its first half.
 */
async function stateOf(path: string): Promise<string> {
  const { mtimeMs, size, isFolder } = await fileAt(path)
  if (!isFolder) return `${mtimeMs} ${size}`
  const hash = createHash("sha256")
  const names = (await readdir(path)).sort()
  for (let i = 0; i < names.length; i += FILES_AT_ONCE) {
    const some = names.slice(i, i + FILES_AT_ONCE)
    // One that is gone by now is missing from the names the next time.
    const files = await Promise.all(some.map((name) => fileAt(join(path, name)).catch(() => undefined)))
    for (const [j, file] of files.entries()) hash.update(JSON.stringify([some[j], file?.mtimeMs, file?.size]))
  }
  return hash.digest("hex")
}

async function fileAt(path: string): Promise<{ mtimeMs: number; size: number; isFolder: boolean }> {
  const found = await stat(path)
  return { mtimeMs: found.mtimeMs, size: found.size, isFolder: found.isDirectory() }
}
