import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { crlAddresses, CrlBook, crlRoutes } from "../../../gateway/crl/index.ts"
import { shardOf } from "../../../gateway/crl/shards.ts"
import { FakeFactory, MAKER, SERIES } from "../fakeFactory.ts"
import { serveRoutes } from "../serveRoutes.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run } from "./programs.ts"

let factory: FakeFactory
let files: KeyFiles
let server: Awaited<ReturnType<typeof serveRoutes>>
let book: CrlBook

beforeAll(async () => {
  factory = await FakeFactory.make(10_000)
  factory.fleet.timestamp -= 60
  const { fleet } = factory
  fleet.mark(MAKER, SERIES, 1, { reason: 1, subject: "0x1", invalidityDate: factory.now - 9_999 })
  fleet.mark(MAKER, SERIES, 2, { reason: 6, mark: "held", subject: "0x2" })
  fleet.mark(MAKER, SERIES, 9_000, { reason: 5 })
  // The address is known before the server is: it stands in the CRLs.
  const port = await freePort()
  const context = {
    replica: factory.source,
    issuers: [factory.issuer],
    publicUrl: `http://127.0.0.1:${port}`,
    // The ledger of this test makes no blocks by itself.
    maxAgeSeconds: 1_000,
  }
  book = new CrlBook(context)
  server = await serveRoutes(crlRoutes(context, book), port)
  files = new KeyFiles(factory)
  for (const [index, name] of ["good", "revoked", "held"].entries()) await files.device(factory, name, index)
  const addresses = crlAddresses(server.url, factory.signer.keyId)
  for (const index of [8_000, 9_000]) {
    await files.device(factory, `at-${index}`, index, { crlUrl: addresses.shardOf({ series: SERIES, index }) })
  }
  // Two small batches, whose devices find each other's CRLs in one shard.
  for (const series of [SERIES + 1, SERIES + 2]) {
    factory.fleet.addBatch(MAKER, series, 8)
    const crlUrl = addresses.shardOf({ series, index: 5 })
    await files.device(factory, `small-${series - SERIES}`, 5, { serial: factory.serial(5, series), crlUrl })
  }
  fleet.mark(MAKER, SERIES + 2, 5, { reason: 4 })
})

afterAll(async () => {
  book.close()
  await server.close()
  files.remove()
})

/** Fetches a CRL as PEM. */
async function fetch(name: string, path: string): Promise<string> {
  const der = files.at(`${name}.der`)
  const fetched = await run("curl", ["-sS", "--fail", "-o", der, `${server.url}/crl/${path}`])
  expect(fetched.all.trim()).toBe("")
  await run("openssl", ["crl", "-inform", "DER", "-in", der, "-out", files.at(name)])
  return files.at(name)
}

const digits = (): string => factory.signer.keyId.slice(2)

async function verify(name: string, ...more: string[]): Promise<string> {
  const asked = ["-CAfile", files.at("ca.pem"), "-crl_check", ...more, files.at(`${name}.pem`)]
  const { code, all } = await run("openssl", ["verify", ...asked])
  if (code === 0) return all.includes(": OK") ? "good" : all
  return /error \d+ at 0 depth lookup: ([\w ]+)/.exec(all)?.[1] ?? all
}

describe("openssl", () => {
  it("reads the CRL, and its signature is right", async () => {
    const crl = await fetch("complete.pem", `${digits()}.crl`)
    const { all } = await run("openssl", ["crl", "-in", crl, "-CAfile", files.at("ca.pem"), "-noout", "-text"])
    expect(all).toContain("verify OK")
    expect(all).toMatch(/X509v3 CRL Number:\s+\d{19}/)
    expect(all.match(/Serial Number: /g)).toHaveLength(4)
    for (const text of ["Key Compromise", "Certificate Hold", "Invalidity Date", "X509v3 Freshest CRL"]) {
      expect(all).toContain(text)
    }
  })

  it("refuses who is revoked or on hold", async () => {
    const crl = await fetch("complete.pem", `${digits()}.crl`)
    expect(await verify("good", "-CRLfile", crl)).toBe("good")
    expect(await verify("revoked", "-CRLfile", crl)).toBe("certificate revoked")
    expect(await verify("held", "-CRLfile", crl)).toBe("certificate revoked")
  })

  it("goes by the shard that a certificate names, and by no other", async () => {
    const [first, second] = [
      await fetch("shard-0.pem", `${digits()}/${shardOf({ series: SERIES, index: 8_000 }).name}.crl`),
      await fetch("shard-1.pem", `${digits()}/${shardOf({ series: SERIES, index: 9_000 }).name}.crl`),
    ]
    expect(await verify("at-8000", "-extended_crl", "-CRLfile", first)).toBe("good")
    expect(await verify("at-9000", "-extended_crl", "-CRLfile", second)).toBe("certificate revoked")
    expect(await verify("at-9000", "-extended_crl", "-CRLfile", first)).toBe("different CRL scope")
  })

  it("downloads the shard from where the certificate says", async () => {
    expect(await verify("at-8000", "-extended_crl", "-crl_download")).toBe("good")
    expect(await verify("at-9000", "-extended_crl", "-crl_download")).toBe("certificate revoked")
  })

  it("finds small batches of neighbouring series in one shard", async () => {
    const small = [1, 2].map((more) => shardOf({ series: SERIES + more, index: 5 }).name)
    expect(small[0]).toBe(small[1])
    const shard = await fetch("small.pem", `${digits()}/${small[0]}.crl`)
    expect(await verify("small-1", "-extended_crl", "-CRLfile", shard)).toBe("good")
    expect(await verify("small-2", "-extended_crl", "-CRLfile", shard)).toBe("certificate revoked")
    expect(await verify("small-1", "-extended_crl", "-crl_download")).toBe("good")
    expect(await verify("small-2", "-extended_crl", "-crl_download")).toBe("certificate revoked")
    expect(await verify("at-8000", "-extended_crl", "-CRLfile", shard)).toBe("different CRL scope")
  })

  it("applies a delta to the CRL that it has, also the end of a hold", async () => {
    const old = await fetch("old.pem", `${digits()}.crl`)
    factory.fleet.mine(10)
    factory.fleet.mark(MAKER, SERIES, 0, { reason: 4 })
    factory.fleet.unmark(MAKER, SERIES, 2)
    factory.source.changed({ kind: "places", manufacturerId: MAKER, series: SERIES, first: 0, last: 2 })
    const delta = await fetch("delta.pem", `${digits()}-delta.crl`)
    const { all } = await run("openssl", ["crl", "-in", delta, "-CAfile", files.at("ca.pem"), "-noout", "-text"])
    expect(all).toContain("verify OK")
    expect(all).toContain("X509v3 Delta CRL Indicator: critical")
    expect(all).toContain("Remove From CRL")
    expect(await verify("good", "-CRLfile", old)).toBe("good")
    const both = ["-extended_crl", "-use_deltas", "-CRLfile", old, "-CRLfile", delta]
    expect(await verify("good", ...both)).toBe("certificate revoked")
    expect(await verify("revoked", ...both)).toBe("certificate revoked")
    expect(await verify("held", ...both)).toBe("good")
    const complete = await fetch("complete.pem", `${digits()}.crl`)
    expect(await verify("good", "-CRLfile", complete)).toBe("certificate revoked")
    expect(await verify("held", "-CRLfile", complete)).toBe("good")
  })

  it("locks everybody out with a CRL that has ended, so ours end late", async () => {
    const crl = await fetch("complete.pem", `${digits()}.crl`)
    const later = String(factory.now + 3_700)
    expect(await verify("revoked", "-CRLfile", crl, "-attime", String(factory.now + 1_900))).toBe("certificate revoked")
    expect(await verify("good", "-CRLfile", crl, "-attime", later)).toBe("CRL has expired")
  })
})

describe("GnuTLS certtool", () => {
  it("finds the CRL's signature right, and reads every entry", async () => {
    const crl = await fetch("complete.pem", `${digits()}.crl`)
    const trusted = ["--load-ca-certificate", files.at("ca.pem"), "--infile", crl]
    const verified = await run("certtool", ["--verify-crl", ...trusted])
    expect(verified.all).toContain("Verified.")
    expect(verified.all).not.toContain("Not verified")
    const { all } = await run("certtool", ["--crl-info", "--infile", crl])
    expect(all).toMatch(/Revoked certificates \(\d\)/)
  })

  it("refuses who is on it", async () => {
    const crl = await fetch("complete.pem", `${digits()}.crl`)
    const check = async (name: string): Promise<string> => {
      const asked = [
        "--load-ca-certificate",
        files.at("ca.pem"),
        "--load-crl",
        crl,
        "--infile",
        files.at(`${name}.pem`),
      ]
      return (await run("certtool", ["--verify", ...asked])).all
    }
    expect(await check("revoked")).toContain("revoked")
    expect(await check("held")).toContain("Verified. The certificate is trusted.")
  })
})
