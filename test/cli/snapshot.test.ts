import { readFileSync, writeFileSync } from "node:fs"
import { importSPKI, jwtVerify } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  defaultCrypto,
  decodePem,
  decodeStatusListJwt,
  encodeSnapshot,
  PlaceSet,
  readSnapshot,
  sha256,
  verifyStatusListCwt,
} from "../../client/index.ts"
import { Cli, startTestnet } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

type Answer = Record<string, unknown>

describe("fleetroot snapshot", () => {
  const folder = tempFolder()
  let net: Awaited<ReturnType<typeof startTestnet>>
  let cli: Cli

  async function run(line: string): Promise<void> {
    const { code, stderr } = await cli.run(...line.split(" "))
    if (code !== 0) throw new Error(`${line}: ${stderr}`)
  }

  beforeAll(async () => {
    const ca = new OpensslCa(folder.path)
    ca.issue(5)
    ca.run("pkey", "-in", "ca.key", "-pubout", "-out", "ca.pub")
    net = await startTestnet(new Cli(folder.path))
    cli = net.cli
    for (const line of [
      "manufacturer add --name Works",
      "key add --manufacturer 2 --cert ca.pem --key ca.key --purpose issuer",
      "batch register --manufacturer 2 --issuer ca.pem certs/ --manifest fleet.manifest --receipts receipts/",
      "revoke --manufacturer 2 --series 1 --indices 3 --reason superseded",
      "revoke certs/1.pem --manufacturer 2 --reason keyCompromise --receipts receipts/",
      "hold certs/2.pem --manufacturer 2 --receipts receipts/",
    ]) {
      await run(line)
    }
  })
  afterAll(async () => {
    await net.stop()
    folder.remove()
  })

  it("makes a file and checks it, replayed whole, word by word, and by its heads", async () => {
    const { code, answer: made } = await cli.json<Answer>("snapshot", "make", "--out", "s.bin")
    expect(code).toBe(0)
    expect(made).toMatchObject({ file: "s.bin", batches: 1, devices: 5, revokedPlaces: 1 })
    expect(readFileSync(cli.at("s.bin"))).toHaveLength(made["bytes"] as number)

    for (const [options, compared] of [
      [[], "everything"],
      [["--statements"], "statements"],
      [["--heads-only"], "heads"],
      [["--proof"], "everything"],
    ] as const) {
      const { code: checked, answer } = await cli.json<Answer>("snapshot", "check", "s.bin", ...options)
      expect(checked).toBe(0)
      // Whether its very block is shown depends on whether the next one came within the same second.
      expect(answer).toMatchObject({ compared, current: true, blockConfirmed: expect.any(Boolean), devices: 5 })
    }
    const { stdout } = await cli.run("snapshot", "check", "s.bin")
    expect(stdout).toContain("nothing changed")
  })

  it("makes and checks with a replica in a folder", async () => {
    await run("replica sync --dir R")
    await run("snapshot make --out r.bin --dir R --manufacturer 2")
    const { code, answer } = await cli.json<Answer>("snapshot", "check", "r.bin", "--dir", "R")
    expect([code, answer["compared"], answer["manufacturers"]]).toEqual([0, "everything", 1])
    const missing = await cli.json<Answer>("snapshot", "make", "--out", "x.bin", "--dir", "nowhere")
    expect(missing.code).toBe(2)
  })

  it("finds out a forged file, a damaged one and one that is none", async () => {
    const bytes = new Uint8Array(readFileSync(cli.at("s.bin")))
    const snapshot = readSnapshot(bytes)
    const forged = {
      ...snapshot,
      manufacturers: snapshot.manufacturers.map((entry) => ({
        ...entry,
        batches: entry.batches.map((batch) => ({ ...batch, bits: PlaceSet.of(5, []) })),
      })),
    }
    writeFileSync(cli.at("forged.bin"), encodeSnapshot(forged))
    writeFileSync(
      cli.at("damaged.bin"),
      Uint8Array.from(bytes, (byte, at) => (at === 300 ? byte ^ 1 : byte)),
    )
    const appended = new Uint8Array([...bytes.subarray(0, -8), 0])
    writeFileSync(cli.at("longer.bin"), new Uint8Array([...appended, ...sha256(appended).subarray(0, 8)]))
    for (const [file, code, error] of [
      ["forged.bin", 1, "SNAPSHOT_MISMATCH"],
      ["damaged.bin", 1, "SNAPSHOT_CHECKSUM"],
      ["longer.bin", 2, "SNAPSHOT_FIELD"],
      ["ca.pem", 2, "SNAPSHOT_MAGIC"],
    ] as const) {
      const ended = await cli.json<Answer>("snapshot", "check", file)
      expect([file, ended.code, ended.answer["code"]]).toEqual([file, code, error])
    }
  })

  it("says so when the ledger has moved on", async () => {
    await run("snapshot make --out old.bin")
    await run("revoke certs/5.pem --manufacturer 2 --reason superseded --receipts receipts/")
    const { code, answer } = await cli.json<Answer>("snapshot", "check", "old.bin")
    expect([code, answer["current"], answer["entriesSince"]]).toEqual([0, false, 1])
    expect((await cli.run("snapshot", "check", "old.bin")).stdout).toContain("not for now")
  })

  it("exports a batch as a Token Status List", async () => {
    await run("snapshot make --out s.bin")
    const line = "snapshot export s.bin --key ca.key --series 1 --sub https://example.com/1 --format"
    await run(`${line} jwt --out 1.jwt`)
    await run(`${line} cwt --out 1.cwt`)

    const jwt = cli.text("1.jwt")
    const { iat, list } = await decodeStatusListJwt(jwt)
    const now = new Date(iat * 1000)
    const key = await importSPKI(cli.text("ca.pub"), "ES256")
    const { payload } = await jwtVerify(jwt, key, { typ: "statuslist+jwt", currentDate: now })
    expect(payload.sub).toBe("https://example.com/1")
    expect([0, 1, 2, 3, 4].map((index) => list.at(index))).toEqual([1, 2, 0, 1, 1])

    const spki = decodePem(cli.text("ca.pub"))[0]!.der
    const cwt = new Uint8Array(readFileSync(cli.at("1.cwt")))
    const claims = { spki, crypto: defaultCrypto(), sub: "https://example.com/1", now }
    expect((await verifyStatusListCwt(cwt, claims)).list).toEqual(list)

    const { code, answer } = await cli.json<Answer>(
      ..."snapshot export s.bin --format jwt --key ca.key --series 9 --out x".split(" "),
    )
    expect([code, answer["code"]]).toEqual([1, "SNAPSHOT_SUBJECT"])
  })

  it("takes one way of checking at a time", async () => {
    const { code } = await cli.run("snapshot", "check", "s.bin", "--statements", "--heads-only")
    expect(code).toBe(2)
  })
})
