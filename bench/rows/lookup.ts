import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fromHex, Verifier } from "../../client/index.ts"
import { makeDevice } from "../../test/helpers/fleet.ts"
import type { Device } from "../../test/helpers/fleet.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { benchFleet } from "../worlds/fleet.ts"

const REVOKED = 10_000
const SUBJECT = ["-subj", "/CN=Bench CA"]

/** One check of one certificate: out of a replica in this process, by `openssl verify` with a CRL, and by asking `openssl ocsp`. */
export async function lookup({ quick }: GroupOptions): Promise<Measured> {
  const rounds = quick ? 5 : 21
  const folder = await mkdtemp(join(tmpdir(), "fleetroot-bench-"))
  const inFolder = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): string =>
    execFileSync("openssl", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  try {
    // 1. An authority of openssl's with 10,000 revoked certificates, and one device that is not.
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      "-days",
      "3650",
      ...SUBJECT,
    )
    openssl(
      "req",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      "dev.key",
      "-out",
      "dev.csr",
      "-subj",
      "/CN=device",
    )
    openssl(
      "x509",
      "-req",
      "-in",
      "dev.csr",
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-set_serial",
      "0x01",
      "-days",
      "365",
      "-out",
      "dev.pem",
    )
    const revoked = Array.from(
      { length: REVOKED },
      (_, i) => `R\t350101000000Z\t260101000000Z\t${(i + 4096).toString(16).toUpperCase()}\tunknown\t/CN=r${i}\n`,
    )
    await writeFile(inFolder("index.txt"), [`V\t350101000000Z\t\t01\tunknown\t/CN=device\n`, ...revoked].join(""))
    await writeFile(inFolder("crlnumber"), "01\n")
    await writeFile(
      inFolder("ca.cnf"),
      "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n",
    )
    openssl("ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-out", "ca.crl")

    const time = (args: readonly string[], wanted: string): number => {
      const started = performance.now()
      const said = openssl(...args)
      if (!said.includes(wanted)) throw new Error(`openssl ${args[0]} says ${said}`)
      return performance.now() - started
    }
    const port = await freePort()
    // It listens on every address of this machine: openssl 3.0 knows no other way.
    const responder = spawn(
      "openssl",
      [
        "ocsp",
        "-index",
        "index.txt",
        "-port",
        String(port),
        "-rsigner",
        "ca.pem",
        "-rkey",
        "ca.key",
        "-CA",
        "ca.pem",
        "-ndays",
        "1",
      ],
      { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
    )
    const byCrl: number[] = []
    const byOcsp: number[] = []
    const start: number[] = []
    try {
      await once(responder.stderr, "data") // "waiting for OCSP client connections"
      const ask = [
        "ocsp",
        "-issuer",
        "ca.pem",
        "-cert",
        "dev.pem",
        "-url",
        `http://127.0.0.1:${port}`,
        "-CAfile",
        "ca.pem",
        "-no_nonce",
      ]
      for (let round = 0; round < rounds; round++) {
        start.push(time(["version"], "OpenSSL"))
        byCrl.push(time(["verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "ca.crl", "dev.pem"], "OK"))
        byOcsp.push(time(ask, "good"))
      }
    } finally {
      responder.kill("SIGKILL")
    }

    // 2. The same question to a replica: parse, signature, place, status.
    let devices: Device[] = []
    const fleet = await benchFleet({
      credentialHashes: async (issuer) => {
        devices = await Promise.all(Array.from({ length: 64 }, () => makeDevice({ issuer })))
        return Buffer.concat(devices.map(({ certificate }) => fromHex(certificate.credentialHash)))
      },
    })
    const replica = await fleet.openReplica()
    const places = await fleet.index()
    const verifier = new Verifier({ ledger: replica, now: () => fleet.net.clock })
    const checks: number[] = []
    for (let round = 0; round < 40; round++) {
      for (const { der } of devices) {
        const started = performance.now()
        const { status } = await verifier.checkCertificate(der, { places })
        if (status !== "good") throw new Error(`the replica says ${status}`)
        checks.push(performance.now() - started)
      }
    }
    await replica.close()
    await fleet.close()
    return [
      row("one check of one certificate, warm, out of a replica, p50", median(checks), "ms", {
        peers: [
          {
            name: `openssl verify -crl_check, a CRL of ${REVOKED.toLocaleString("en-US")}, its process included`,
            value: median(byCrl),
          },
          { name: "openssl ocsp and its responder, their process included", value: median(byOcsp) },
          { name: "openssl version: the process alone", value: median(start) },
        ],
      }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
