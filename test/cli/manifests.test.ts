import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parseCertificate, readOneCertificate } from "../../client/index.ts"
import type { Hex } from "../../client/index.ts"
import { Cli, startTestnet } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

const DEVICES = 12
const HEADER = 128

const folder = tempFolder()
let net: Awaited<ReturnType<typeof startTestnet>>
let cli: Cli

beforeAll(async () => {
  new OpensslCa(folder.path).issue(DEVICES)
  net = await startTestnet(new Cli(folder.path))
  cli = net.cli
  await cli.run("manufacturer", "add", "--name", "Acme")
  await cli.run("key", "add", "--manufacturer", "2", "--cert", "ca.pem", "--key", "ca.key", "--purpose", "issuer")
})
afterAll(async () => {
  await net.stop()
  folder.remove()
})

const register = (...more: string[]): string[] => {
  return ["batch", "register", "--manufacturer", "2", "--issuer", "ca.pem", "certs", ...more]
}

/** The credential hashes of a manifest, in the order of their indices. */
function hashesOf(manifest: string): string[] {
  const body = readFileSync(cli.at(manifest)).subarray(-32 * DEVICES)
  return Array.from({ length: DEVICES }, (_, i) => `0x${body.subarray(32 * i, 32 * i + 32).toString("hex")}`)
}

function credentialHash(file: string): Hex {
  return parseCertificate(readOneCertificate(readFileSync(cli.at(file), "utf8"))).credentialHash
}

/** A web server that serves these files and nothing else. */
async function serve(files: Readonly<Record<string, Uint8Array>>): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const file = files[(request.url ?? "").slice(1)]
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

// THREATS.md, W4.
describe("batch register --shuffle", () => {
  it("orders the fleet by a secret, the same way each time, and its receipts are good", async () => {
    writeFileSync(cli.at("order.secret"), `${"5a".repeat(32)}\n`, { mode: 0o600 })
    const line = register("--shuffle", "order.secret", "--manifest", "fleet.manifest", "--receipts", "receipts")
    expect(await cli.run(...line)).toMatchObject({ code: 0 })
    const found = hashesOf("fleet.manifest")
    const made = Array.from({ length: DEVICES }, (_, i) => credentialHash(`certs/${i + 1}.pem`))

    expect(readFileSync(cli.at("fleet.manifest"))).toHaveLength(HEADER + 32 * DEVICES)
    expect(found).not.toEqual(made)
    expect(found.toSorted()).toEqual(made.toSorted())
    expect((await cli.json(...line)).answer).toMatchObject({ alreadyRegistered: true })
    expect(await cli.run("status", "certs/3.pem", "--receipts", "receipts")).toMatchObject({ code: 0 })
  })

  it("refuses a secret that is short, missing or open to others", async () => {
    writeFileSync(cli.at("short.secret"), "guess me", { mode: 0o600 })
    writeFileSync(cli.at("open.secret"), "5a".repeat(32))
    chmodSync(cli.at("open.secret"), 0o644)
    for (const file of ["short.secret", "no.secret", "open.secret"]) {
      const { code, answer } = await cli.json(...register("--shuffle", file, "--series", "9"))
      expect([code, typeof answer["code"], answer["code"]]).not.toEqual([0, "string", "UNEXPECTED"])
      expect(code).toBe(2)
    }
  })
})

describe("status --manifest URL", () => {
  it("takes a manifest from any web server, and a wrong one from none", async () => {
    const right = ["--series", "7", "--manifest", "seven.manifest"]
    expect(await cli.run(...register(...right))).toMatchObject({ code: 0 })
    const manifest = readFileSync(cli.at("seven.manifest"))
    const changed = Uint8Array.from(manifest)
    changed[HEADER + 5] = (changed[HEADER + 5] ?? 0) ^ 1
    const mirror = await serve({ right: manifest, changed, cut: manifest.subarray(0, -1), page: Buffer.from("<html>") })
    try {
      const ask = async (name: string): Promise<[number | null, unknown]> => {
        const { code, answer } = await cli.json("status", "certs/3.pem", "--manifest", `${mirror.url}/${name}`)
        return [code, Array.isArray(answer) ? (answer as { status: string }[])[0]?.status : answer["code"]]
      }
      expect(await ask("right")).toEqual([0, "good"])
      for (const name of ["changed", "cut", "page", "missing"]) {
        const [code, found] = await ask(name)
        expect(code).not.toBe(0)
        expect(found).toMatch(/^(MANIFEST|MERKLE|MIRROR|ROOT)_/)
      }
    } finally {
      mirror.close()
    }
  })
})
