import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"

/** An existing CA, and devices below it, as a factory makes them with the `openssl` command alone. */
export class OpensslCa {
  readonly folder: string
  readonly name: string

  /** Makes `name`.pem and `name`.key in `folder`. */
  constructor(folder: string, name = "ca", key = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]) {
    this.folder = folder
    this.name = name
    this.run("genpkey", ...key, "-out", `${name}.key`)
    const subject = ["-subj", `/O=Bar Works/CN=${name} issuing CA`]
    this.run("req", "-x509", "-new", "-key", `${name}.key`, ...subject, "-days", "3650", "-out", `${name}.pem`)
  }

  /** Makes `certs`/1.pem and so on. */
  issue(count: number, certs = "certs", days = 365): void {
    mkdirSync(join(this.folder, certs), { recursive: true })
    for (let i = 1; i <= count; i++) this.issueOne(join(certs, `${i}.pem`), `device ${i}`, days)
  }

  issueOne(file: string, commonName: string, days = 365): void {
    const [key, request] = ["device.key", "device.req"]
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]
    this.run("req", "-new", ...newKey, "-subj", `/CN=${commonName}`, "-out", request)
    const ca = ["-CA", `${this.name}.pem`, "-CAkey", `${this.name}.key`, "-CAcreateserial"]
    this.run("x509", "-req", "-in", request, ...ca, "-days", String(days), "-out", file)
    for (const name of [key, request]) rmSync(join(this.folder, name), { force: true })
  }

  run(...commandLine: string[]): string {
    return execFileSync("openssl", commandLine, {
      cwd: this.folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    })
  }
}
