import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encodePem, generateP256Key } from "../../../client/index.ts"
import type { Certificate, ExportableKeySigner } from "../../../client/index.ts"
import type { Issuer } from "../../../gateway/issuers/issuer.ts"
import type { FakeFactory } from "../fakeFactory.ts"

/** A folder of certificates and keys for programs that read files. */
export class KeyFiles {
  readonly folder: string

  constructor(factory: { readonly issuer: Issuer }) {
    this.folder = mkdtempSync(join(tmpdir(), "fleetroot-clients-"))
    this.write("ca.pem", encodePem("CERTIFICATE", factory.issuer.certificate.der))
  }

  at(name: string): string {
    return join(this.folder, name)
  }

  write(name: string, data: string | Uint8Array): string {
    writeFileSync(this.at(name), data, { mode: 0o644 })
    return this.at(name)
  }

  /** Writes `name`.pem and `name`.key. */
  async pair(name: string, certificate: Certificate, key: ExportableKeySigner): Promise<void> {
    this.write(`${name}.pem`, encodePem("CERTIFICATE", certificate.der))
    this.write(`${name}.key`, encodePem("PRIVATE KEY", await key.exportPkcs8()))
  }

  /** Makes a device for a place, and writes `name`.pem and `name`.key. */
  async device(
    factory: FakeFactory,
    name: string,
    index: number,
    options: { serial?: Uint8Array; crlUrl?: string } = {},
  ): Promise<Certificate> {
    const key = await generateP256Key()
    const certificate = await factory.certificate(index, { name, ...options, key })
    await this.pair(name, certificate, key)
    return certificate
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
