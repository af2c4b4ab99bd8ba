import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The `openssl` command, in a folder of its own that is removed afterwards. */
export class Openssl {
  readonly folder = mkdtempSync(join(tmpdir(), "fleetroot-start-"))

  /** Whether there is an openssl that can be used. */
  static isPresent(): boolean {
    return spawnSync("openssl", ["version"], { stdio: "ignore" }).status === 0
  }

  /** A P-256 key and a self-signed CA certificate, as PEM. */
  makeCa(): { key: string; certificate: string } {
    this.#run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key")
    this.#run("req -x509 -new -key ca.key -sha256 -days 3650 -out ca.pem", [
      "-subj",
      "/O=Acme Works/CN=Acme Issuing CA",
    ])
    return { key: this.#read("ca.key"), certificate: this.#read("ca.pem") }
  }

  /** A device certificate signed by the CA of {@link makeCa}, as PEM. */
  issue(name: string): string {
    writeFileSync(
      join(this.folder, "device.ext"),
      "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nauthorityKeyIdentifier=keyid\n",
    )
    this.#run(`genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ${name}.key`)
    this.#run(`req -new -key ${name}.key -out ${name}.csr`, ["-subj", `/CN=${name}`])
    this.#run(
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 3650 -extfile device.ext -out ${name}.pem`,
    )
    return this.#read(`${name}.pem`)
  }

  /** A P-256 key for firmware and its detached signature over `image`. */
  signFirmware(image: Uint8Array): { key: string; signature: Uint8Array } {
    writeFileSync(join(this.folder, "image.bin"), image)
    this.#run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out firmware.key")
    this.#run("dgst -sha256 -sign firmware.key -out image.sig image.bin")
    return { key: this.#read("firmware.key"), signature: new Uint8Array(readFileSync(join(this.folder, "image.sig"))) }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #run(line: string, more: readonly string[] = []): void {
    execFileSync("openssl", [...line.split(" "), ...more], { cwd: this.folder, stdio: ["ignore", "ignore", "ignore"] })
  }

  #read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8")
  }
}
