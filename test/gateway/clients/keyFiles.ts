import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encodePem, generateP256Key } from "../../../client/index.ts"
import type { Certificate } from "../../../client/index.ts"
import type { FakeFactory } from "../fakeFactory.ts"

/** A folder of certificates and keys for programs that read files. */
export class KeyFiles {
  readonly folder: string
  readonly factory: FakeFactory

  constructor(factory: FakeFactory) {
    this.folder = mkdtempSync(join(tmpdir(), "fleetroot-clients-"))
    this.factory = factory
    this.write("ca.pem", encodePem("CERTIFICATE", factory.issuer.certificate.der))
  }

  at(name: string): string {
    return join(this.folder, name)
  }

  write(name: string, data: string | Uint8Array): string {
    writeFileSync(this.at(name), data, { mode: 0o644 })
    return this.at(name)
  }

  /** Makes `name`.pem and `name`.key for a place. */
  async device(name: string, ...more: Parameters<FakeFactory["certificate"]>): Promise<Certificate> {
    const key = await generateP256Key()
    const [index, options = {}] = more
    const certificate = await this.factory.certificate(index, { name, ...options, key })
    this.write(`${name}.pem`, encodePem("CERTIFICATE", certificate.der))
    this.write(`${name}.key`, encodePem("PRIVATE KEY", await key.exportPkcs8()))
    return certificate
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
