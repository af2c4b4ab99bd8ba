import { stat } from "node:fs/promises"
import { equalBytes, parseCertificate, type Certificate, type Hex } from "../../client/index.ts"
import { certificatesFromPath } from "../../client/node/index.ts"
import type { Issuer } from "../issuers/issuer.ts"
import { usernamesFromCertificates } from "./usernames.ts"

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
    for (const path of this.#paths) state += `${(await stat(path)).mtimeMs} `
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
