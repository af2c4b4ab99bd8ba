import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  decodeReceipt,
  ecdsaDerToRaw,
  ecdsaRawToDer,
  encodePem,
  encodeReceipt,
  P256_ORDER,
  parseCertificate,
  readOneCertificate,
} from "../../client/index.ts"
import { FaultProxy } from "../helpers/faultProxy.ts"
import { Cli, startTestnet } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

type Item = { file: string; status: string; reason: string; error?: { code: string } }

const folder = tempFolder()
let net: Awaited<ReturnType<typeof startTestnet>>
let cli: Cli

beforeAll(async () => {
  const ca = new OpensslCa(folder.path)
  ca.issue(4)
  const other = new OpensslCa(folder.path, "other")
  other.issue(1, "foreign")
  net = await startTestnet(new Cli(folder.path))
  cli = net.cli
  for (const [id, name] of [
    ["2", "ca"],
    ["3", "other"],
  ] as const) {
    expect((await cli.run("manufacturer", "add", "--name", `Maker ${id}`)).code).toBe(0)
    const key = ["--cert", `${name}.pem`, "--key", `${name}.key`, "--purpose", "issuer"]
    expect((await cli.run("key", "add", "--manufacturer", id, ...key)).code).toBe(0)
  }
  const register = ["batch", "register", "--manufacturer", "2", "--issuer", "ca.pem", "certs"]
  const registered = await cli.run(...register, "--manifest", "fleet.manifest", "--receipts", "receipts")
  expect(registered).toMatchObject({ code: 0 })
})
afterAll(async () => {
  await net.stop()
  folder.remove()
})

const der = (file: string): Uint8Array => readOneCertificate(readFileSync(cli.at(file), "utf8"))
const hashOf = (file: string): string => parseCertificate(der(file)).credentialHash.slice(2)

async function status(...commandLine: string[]): Promise<{ code: number | null; item: Item; stderr: string }> {
  const { code, answer, stderr } = await cli.json<Item[]>("status", ...commandLine)
  return { code, item: answer[0]!, stderr }
}

describe("status of what is no certificate", () => {
  it.each<[string, () => Uint8Array | string]>([
    ["truncated DER", () => der("certs/1.pem").slice(0, 150)],
    ["DER with a byte behind it", () => Buffer.concat([der("certs/1.pem"), Buffer.of(0)])],
    ["an indefinite length", () => Uint8Array.of(0x30, 0x80, 0, 0)],
    ["oversized DER", () => Buffer.concat([Uint8Array.of(0x30, 0x83, 0x02, 0, 0), new Uint8Array(131_072)])],
    ["a PEM with two blocks", () => cli.text("certs/1.pem") + cli.text("certs/2.pem")],
    ["a PEM without a block", () => "-----BEGIN NOTHING-----\n"],
    ["a PEM cut in the middle", () => cli.text("certs/1.pem").slice(0, 200)],
    ["nothing at all", () => ""],
    ["a key", () => cli.text("ca.key")],
    ["a malformed raw public key object", () => Uint8Array.of(0xd2, 0x84, 0x43)],
  ])("is unknown, malformed, with the error beside it: %s", async (_name, make) => {
    writeFileSync(cli.at("bad.pem"), make())

    const { code, item } = await status("bad.pem", "certs/2.pem", "--receipts", "receipts")

    expect(code).toBe(1)
    expect(item).toMatchObject({ file: "bad.pem", status: "unknown", reason: "malformed" })
    expect(item.error).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/), message: expect.any(String) })
  })

  it("does not stop the answers about the others", async () => {
    writeFileSync(cli.at("bad.pem"), "nonsense")
    const { answer } = await cli.json<Item[]>(
      "status",
      "certs/1.pem",
      "bad.pem",
      "certs/2.pem",
      "--receipts",
      "receipts",
    )

    expect(answer.map((item) => item.status)).toEqual(["good", "unknown", "good"])
  })
})

describe("status of what is not what it seems", () => {
  it("knows the signature's twin for the same credential, and its revocation catches both", async () => {
    writeFileSync(cli.at("twin.pem"), encodePem("CERTIFICATE", twinOf(der("certs/4.pem"))))

    const before = await status("twin.pem", "--receipts", "receipts")
    expect((await cli.run("revoke", "certs/4.pem", "--manufacturer", "2")).code).toBe(0)
    const after = await status("twin.pem", "--receipts", "receipts")

    expect(before.item.status).toBe("good")
    expect(after).toMatchObject({ code: 1, item: { status: "revoked" } })
  })

  it("does not know a certificate of a CA that is in no batch", async () => {
    expect((await status("foreign/1.pem", "--receipts", "receipts")).item).toMatchObject({ status: "unknown" })
  })

  it.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
    ["of another device", () => readFileSync(cli.at("receipts", `${hashOf("certs/2.pem")}.receipt`)), "receiptWrong"],
    ["with another index", (bytes) => change(bytes, { index: 1 }), "receiptWrong"],
    ["of another size", (bytes) => change(bytes, { size: 3 }), "receiptWrong"],
    ["of another series", (bytes) => change(bytes, { series: 9 }), "notAnchored"],
    ["of another manufacturer", (bytes) => change(bytes, { manufacturerId: 1 }), "notAnchored"],
    ["of another chain", (bytes) => change(bytes, { chainId: 1n }), "receiptForeign"],
    ["of another registry", (bytes) => change(bytes, { registry: `0x${"ab".repeat(20)}` }), "receiptForeign"],
  ])("is not good by a receipt %s", async (_name, make, reason) => {
    const own = readFileSync(cli.at("receipts", `${hashOf("certs/1.pem")}.receipt`))
    writeFileSync(cli.at("x.receipt"), make(new Uint8Array(own)))

    const { code, item } = await status("certs/1.pem", "--receipt", "x.receipt")

    expect(code).toBe(1)
    expect(item).toMatchObject({ status: "unknown", reason })
  })

  it("counts a damaged receipt as none, and says so", async () => {
    cpSync(cli.at("receipts"), cli.at("damaged"), { recursive: true })
    const path = cli.at("damaged", `${hashOf("certs/1.pem")}.receipt`)
    writeFileSync(path, readFileSync(path).subarray(0, 60))

    const { code, answer } = await cli.json<Item[]>("status", "certs/1.pem", "certs/2.pem", "--receipts", "damaged")

    expect(code).toBe(1)
    expect(answer[0]).toMatchObject({ status: "unknown", error: { code: "RECEIPT_MALFORMED" } })
    expect(answer[1]).toMatchObject({ status: "good" })
  })

  it("refuses a manifest that was changed", async () => {
    const bytes = readFileSync(cli.at("fleet.manifest"))
    bytes[200] = bytes[200]! ^ 1
    writeFileSync(cli.at("changed.manifest"), bytes)

    expect(await cli.json("status", "certs/1.pem", "--manifest", "changed.manifest")).toMatchObject({
      code: 1,
      answer: { code: "MANIFEST_ROOT" },
    })
    expect(
      await cli.json("batch", "show", "1", "--manufacturer", "2", "--audit", "--manifest", "changed.manifest"),
    ).toMatchObject({ code: 1, answer: { code: "MANIFEST_ROOT" } })
  })
})

describe("a time that cannot be judged", () => {
  it.each(["2099-01-01", "1999-12-31T00:00:00Z"])("is no answer: %s", async (at) => {
    expect(await cli.json("status", "certs/1.pem", "--at", at)).toMatchObject({
      code: 3,
      answer: { code: "TIME_OUT_OF_RANGE" },
    })
  })
})

describe("commands that would do the wrong thing", () => {
  it("refuse to mark another manufacturer's certificate", async () => {
    for (const command of ["revoke", "hold", "unhold"]) {
      expect(await cli.json(command, "foreign/1.pem", "--manufacturer", "2")).toMatchObject({
        code: 1,
        answer: { code: "CERTIFICATE_FOREIGN" },
      })
    }
  })

  it("refuse a fingerprint where a credential hash is needed, and take the hash", async () => {
    const fingerprint = new OpensslCa(folder.path, "unused")
      .run("x509", "-in", "certs/3.pem", "-noout", "-fingerprint", "-sha256")
      .trim()
    const typed = [fingerprint, fingerprint.split("=")[1]!]
    for (const given of typed) {
      expect(await cli.json("hold", given, "--manufacturer", "2")).toMatchObject({
        code: 2,
        answer: { code: "FINGERPRINT_GIVEN" },
      })
      expect(await cli.json("status", given)).toMatchObject({ code: 2, answer: { code: "FINGERPRINT_GIVEN" } })
    }
    expect(await cli.json("status", `0x${hashOf("certs/3.pem")}`)).toMatchObject({ code: 2, answer: { code: "USAGE" } })

    const held = await cli.json("hold", `0x${hashOf("certs/3.pem")}`, "--manufacturer", "2")

    expect(held).toMatchObject({
      code: 0,
      answer: { credentials: [{ checked: false }], notes: [expect.stringContaining("nobody checked")] },
    })
    expect((await status("certs/3.pem", "--receipts", "receipts")).item.status).toBe("onHold")
    expect((await cli.run("unhold", "certs/3.pem", "--manufacturer", "2")).code).toBe(0)
  })

  it("register nothing unless every row is good, or the bad ones are left out", async () => {
    new OpensslCa(folder.path, "third").issue(3, "mixed")
    expect(
      (
        await cli.run(
          "key",
          "add",
          "--manufacturer",
          "2",
          "--cert",
          "third.pem",
          "--key",
          "third.key",
          "--purpose",
          "issuer",
        )
      ).code,
    ).toBe(0)
    writeFileSync(cli.at("mixed", "9.pem"), "nonsense")
    cpSync(cli.at("foreign", "1.pem"), cli.at("mixed", "8.pem"))
    const register = ["batch", "register", "--manufacturer", "2", "--issuer", "third.pem", "mixed"]

    const refused = await cli.json(...register)
    const dry = await cli.json(...register, "--skip-bad", "--dry-run")
    const forced = await cli.json(...register, "--skip-bad")

    expect(refused).toMatchObject({ code: 1, answer: { code: "BATCH_REFUSED", badRows: 2, rows: 5 } })
    expect(refused.answer["findings"]).toMatchObject([
      { source: "8.pem", code: "wrongIssuer" },
      { source: "9.pem", code: "pemBlockMissing" },
    ])
    expect(refused.stderr).toContain("8.pem")
    expect(dry).toMatchObject({ code: 0, answer: { registered: false, size: 3, transaction: null } })
    expect(forced).toMatchObject({ code: 0, answer: { registered: true, size: 3, series: dry.answer["series"] } })
  })

  it("refuse a key that is not the certificate's", async () => {
    const wrong = ["key", "add", "--manufacturer", "2", "--cert", "ca.pem", "--key", "other.key", "--purpose", "issuer"]
    expect(await cli.json(...wrong)).toMatchObject({ code: 2, answer: { code: "KEY_PAIR_MISMATCH" } })
  })

  it("refuse a key that another manufacturer has", async () => {
    const taken = ["key", "add", "--manufacturer", "3", "--cert", "ca.pem", "--key", "ca.key", "--purpose", "issuer"]
    expect(await cli.json(...taken)).toMatchObject({ code: 1, answer: { code: "KEY_TAKEN" } })
  })

  it("refuse a series in which another batch is, and a series that needs the issuer's signature", async () => {
    const register = ["batch", "register", "--manufacturer", "2", "--issuer", "ca.pem", "certs/1.pem"]
    expect(await cli.json(...register, "--series", "1")).toMatchObject({ code: 1, answer: { code: "SERIES_USED" } })
    expect(await cli.json(...register, "--series", "2147483650")).toMatchObject({
      code: 1,
      answer: { code: "ISSUER_SIGNATURE_MISSING" },
    })
  })

  it("refuse places past the end of a batch, and batches that are not there", async () => {
    const revoke = ["revoke", "--manufacturer", "2", "--series", "1", "--indices"]
    expect(await cli.json(...revoke, "4")).toMatchObject({ code: 2, answer: { code: "INDEX_OUT_OF_RANGE" } })
    expect(await cli.json("revoke", "--manufacturer", "2", "--batch", "77")).toMatchObject({
      code: 1,
      answer: { code: "BATCH_MISSING" },
    })
    expect(await cli.json("batch", "show", "77", "--manufacturer", "2")).toMatchObject({
      code: 1,
      answer: { code: "BATCH_MISSING" },
    })
    expect(await cli.json("manufacturer", "show", "99")).toMatchObject({
      code: 1,
      answer: { code: "MANUFACTURER_UNKNOWN" },
    })
  })
})

describe("a node that gives no answer to rely on", () => {
  const ask = (rpc: string, ...more: string[]) =>
    cli.json("status", "certs/1.pem", "--receipts", "receipts", "--rpc", rpc, ...more)

  it("is down", async () => {
    expect(await ask("http://127.0.0.1:9")).toMatchObject({ code: 3, answer: { code: "ENDPOINT_UNREACHABLE" } })
  })

  it.each<[string, number, string, string]>([
    ["never answers", 0, "", "ENDPOINT_TIMEOUT"],
    ["answers with HTML", 200, "<html>", "REPLY_MALFORMED"],
    ["is refused by a proxy", 502, "bad gateway", "ENDPOINT_STATUS"],
  ])("%s", async (_name, code, body, expected) => {
    const server = createServer((_request, response) => {
      if (code > 0) response.writeHead(code).end(body)
    })
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })

    const { port } = server.address() as AddressInfo
    const answer = await ask(`http://127.0.0.1:${port}`, "--timeout", "1")
    server.closeAllConnections()
    server.close()

    expect(answer).toMatchObject({ code: 3, answer: { code: expected } })
    expect(answer.stderr).toMatch(/^error: [\s\S]*hint: /)
    expect(answer.stderr).not.toMatch(/\n\s+at /)
  })

  it("is on another chain, is without the contracts, or has others in their place", async () => {
    const good = JSON.parse(cli.text("net.json")) as {
      chainId: number
      contracts: Record<string, { address: string; codeHash: string }>
    }
    const edit = (name: string, change: (deployment: typeof good) => void): Cli => {
      const copy = structuredClone(good)
      change(copy)
      writeFileSync(cli.at(name), JSON.stringify(copy))
      return cli.with({ FLEETROOT_DEPLOYMENT: cli.at(name) })
    }
    const status = ["status", "certs/1.pem", "--receipts", "receipts"]
    const rows: [Cli, string][] = [
      [edit("chain.json", (d) => (d.chainId = 1)), "CHAIN_MISMATCH"],
      [edit("empty.json", (d) => (d.contracts["devices"]!.address = `0x${"12".repeat(20)}`)), "CONTRACT_MISMATCH"],
      [edit("code.json", (d) => (d.contracts["devices"]!.codeHash = `0x${"12".repeat(32)}`)), "CONTRACT_MISMATCH"],
    ]
    for (const [other, code] of rows) {
      expect(await other.json(...status)).toMatchObject({ code: 3, answer: { code } })
      expect(await other.json("hold", "certs/1.pem", "--manufacturer", "2")).toMatchObject({
        code: 3,
        answer: { code },
      })
    }
  })

  it("was started anew: the old deployment file is not believed", async () => {
    const second = tempFolder()
    const fresh = await startTestnet(new Cli(second.path))
    try {
      expect(await ask(fresh.url)).toMatchObject({ code: 3, answer: { code: "CONTRACT_MISMATCH" } })
    } finally {
      await fresh.stop()
      second.remove()
    }
  })

  it("has a head that is too old", async () => {
    const stale = {
      number: "0x10",
      hash: `0x${"11".repeat(32)}`,
      parentHash: `0x${"22".repeat(32)}`,
      timestamp: "0x65000000",
    }
    const proxy = await FaultProxy.start(net.url)
    proxy.tamper = ({ method, params, reply }) =>
      method === "eth_getBlockByNumber" && !String(params[0]).startsWith("0x") ? { ...reply, result: stale } : undefined
    const answer = await cli
      .with({ FLEETROOT_STATE: cli.at("other-state") })
      .json("status", "certs/1.pem", "--receipts", "receipts", "--rpc", proxy.url)
    await proxy.close()

    expect(answer).toMatchObject({ code: 3, answer: { code: "STALE_HEAD" } })
  })
})

/** The same certificate with (r, n - s) for (r, s): as valid, and other bytes. */
function twinOf(certificate: Uint8Array): Uint8Array {
  const { signatureValue } = parseCertificate(certificate)
  const raw = ecdsaDerToRaw(signatureValue, 32)
  const s = P256_ORDER - BigInt(`0x${Buffer.from(raw.subarray(32)).toString("hex")}`)
  const twin = ecdsaRawToDer(Buffer.concat([raw.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex")]))
  const head = Buffer.from(certificate)
  const at = head.lastIndexOf(Buffer.from(signatureValue))
  const bits = Buffer.concat([Buffer.of(0x03, twin.length + 1, 0), twin])
  const content = Buffer.concat([head.subarray(4, at - 3), bits])
  return Buffer.concat([Buffer.of(0x30, 0x82, content.length >> 8, content.length & 255), content])
}

function change(receipt: Uint8Array, fields: Partial<ReturnType<typeof decodeReceipt>>): Uint8Array {
  const changed = { ...decodeReceipt(receipt), ...fields }
  // Another size may demand another number of hashes.
  const proof = fields.size === 3 ? changed.proof.slice(0, 2) : changed.proof
  return encodeReceipt({ ...changed, proof })
}
