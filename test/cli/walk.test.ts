import { existsSync, readdirSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Cli, startTestnet } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

type StatusItem = { file: string; status: string; reason: string | null; since: string | null } & Record<
  string,
  unknown
>

const ITEM_KEYS = [
  "file",
  "fingerprint",
  "credentialHash",
  "status",
  "reason",
  "since",
  "manufacturer",
  "batch",
  "block",
  "staleSeconds",
  "evidence",
]

describe.each([
  ["for people", false],
  ["with --json", true],
] as const)("the main job with an existing openssl CA, %s", (_name, json) => {
  const folder = tempFolder()
  let net: Awaited<ReturnType<typeof startTestnet>>
  let cli: Cli
  const CERTS = [1, 2, 3, 4, 5].map((i) => `certs/${i}.pem`)

  /** Runs a step as this round runs them; what it printed as JSON, if it did. */
  async function step(
    ...commandLine: string[]
  ): Promise<{ code: number | null; answer: Record<string, unknown>; text: string }> {
    if (!json) {
      const { code, stdout, stderr } = await cli.run(...commandLine)
      expect(stderr).toBe("")
      return { code, answer: {}, text: stdout }
    }
    const { code, answer } = await cli.json(...commandLine)
    return { code, answer, text: "" }
  }

  async function statuses(...commandLine: string[]): Promise<{ code: number | null; items: StatusItem[] }> {
    const { code, answer } = await cli.json<StatusItem[]>("status", ...commandLine)
    return { code, items: answer }
  }

  beforeAll(async () => {
    new OpensslCa(folder.path).issue(5)
    net = await startTestnet(new Cli(folder.path))
    cli = net.cli
  })
  afterAll(async () => {
    await net.stop()
    folder.remove()
  })

  it("admits a manufacturer and prints its id", async () => {
    const { code, answer, text } = await step("manufacturer", "add", "--name", "Bar Works")

    expect(code).toBe(0)
    if (json) expect(answer).toMatchObject({ manufacturer: 2, state: "admitted", name: "Bar Works" })
    else expect(text).toContain('manufacturer 2 "Bar Works"')
  })

  it("adds the CA's key, and finds it there the second time", async () => {
    const add = ["key", "add", "--manufacturer", "2", "--cert", "ca.pem", "--key", "ca.key", "--purpose", "issuer"]
    const first = await step(...add)
    const second = await cli.json(...add)

    expect(first.code).toBe(0)
    if (json) expect(first.answer).toMatchObject({ manufacturer: 2, index: 1, purpose: "issuer", proven: true })
    expect(second).toMatchObject({ code: 0, answer: { index: 1, transaction: null } })
  })

  it("registers the fleet, and pays nothing the second time", async () => {
    const register = [
      "batch",
      "register",
      "--manufacturer",
      "2",
      "--issuer",
      "ca.pem",
      "certs/",
      "--manifest",
      "fleet.manifest",
      "--receipts",
      "receipts/",
    ]
    const first = await step(...register)
    const second = await cli.json(...register)

    expect(first.code).toBe(0)
    if (json) expect(first.answer).toMatchObject({ series: 1, size: 5, registered: true, receipts: 5, badRows: 0 })
    expect(existsSync(cli.at("fleet.manifest"))).toBe(true)
    expect(readdirSync(cli.at("receipts"))).toHaveLength(5)
    expect(second).toMatchObject({ code: 0, answer: { series: 1, alreadyRegistered: true, transaction: null } })
  })

  it("finds all good by receipts, and says so by exit code", async () => {
    const { code, text } = await step("status", ...CERTS, "--receipts", "receipts/")
    const { items } = await statuses(...CERTS, "--receipts", "receipts/")

    expect(code).toBe(0)
    if (!json) expect(text.trim().split("\n")).toHaveLength(5)
    expect(items.map(({ file }) => file)).toEqual(CERTS)
    for (const [index, item] of items.entries()) {
      expect(Object.keys(item)).toEqual(ITEM_KEYS)
      expect(item).toMatchObject({
        status: "good",
        reason: null,
        manufacturer: { id: 2, name: "Bar Works" },
        batch: { series: 1, index, size: 5, root: expect.stringMatching(/^0x[0-9a-f]{64}$/) },
        fingerprint: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        credentialHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        block: {
          number: expect.any(Number),
          hash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
          finality: expect.any(String),
        },
        staleSeconds: expect.any(Number),
      })
      expect(Object.keys(item["block"] as object)).toEqual(["number", "hash", "timestamp", "finality"])
      expect(Object.keys(item["batch"] as object)).toEqual(["series", "root", "index", "size"])
      expect(new Date(item.since!).toISOString()).toBe(item.since)
      expect(item["evidence"]).toContainEqual({ kind: "singleNode", detail: expect.any(String) })
    }
  })

  it("finds all good by the manifest in place of receipts", async () => {
    expect((await step("status", ...CERTS, "--manifest", "fleet.manifest")).code).toBe(0)
  })

  it("does not find them good without either", async () => {
    const { code, items } = await statuses("certs/1.pem")

    expect(code).toBe(1)
    expect(items[0]).toMatchObject({ status: "unknown" })
  })

  it("revokes one, and its device key with it", async () => {
    const { code, answer, text } = await step(
      "revoke",
      "certs/1.pem",
      "--manufacturer",
      "2",
      "--reason",
      "keyCompromise",
    )

    expect(code).toBe(0)
    if (json) expect(answer).toMatchObject({ credentials: [{ checked: true }], deviceKeyIds: [expect.any(String)] })
    else expect(text).toMatch(/device key 0x/)
  })

  it("holds another", async () => {
    expect((await step("hold", "certs/2.pem", "--manufacturer", "2")).code).toBe(0)
  })

  it("tells revoked, on hold and good apart", async () => {
    const { code, items } = await statuses("certs/1.pem", "certs/2.pem", "certs/3.pem", "--receipts", "receipts/")

    expect(code).toBe(1)
    expect(items.map(({ status, reason }) => [status, reason])).toEqual([
      ["revoked", "keyCompromise"],
      ["onHold", "certificateHold"],
      ["good", null],
    ])
  })

  it("revoking and holding again changes nothing and costs nothing", async () => {
    const revoke = await cli.json("revoke", "certs/1.pem", "--manufacturer", "2", "--reason", "superseded")
    const hold = await cli.json("hold", "certs/2.pem", "--manufacturer", "2")
    const wrong = await cli.json("hold", "certs/1.pem", "--manufacturer", "2")

    expect(revoke).toMatchObject({ code: 0, answer: { transactions: [], alreadyDone: 1 } })
    expect(hold).toMatchObject({ code: 0, answer: { transactions: [], alreadyDone: 1 } })
    expect(wrong).toMatchObject({ code: 1, answer: { code: "ALREADY_REVOKED" } })
  })

  it("calls nothing of a suspended manufacturer good, and all again when it is resumed", async () => {
    expect((await step("manufacturer", "suspend", "2")).code).toBe(0)
    const { code, items } = await statuses("certs/3.pem", "--receipts", "receipts/")
    const shown = await cli.json("manufacturer", "show", "2")
    expect((await step("manufacturer", "resume", "2")).code).toBe(0)

    expect(code).toBe(1)
    expect(items[0]).toMatchObject({ status: "onHold", reason: "manufacturerSuspended" })
    expect(shown).toMatchObject({ code: 0, answer: { status: "suspended" } })
    expect((await statuses("certs/3.pem", "--receipts", "receipts/")).code).toBe(0)
  })

  // What people read of these is the same few lines; one round of them is enough.
  if (!json) return

  it("ends a hold, but no revocation", async () => {
    expect((await step("unhold", "certs/2.pem", "--manufacturer", "2")).code).toBe(0)
    expect((await statuses("certs/2.pem", "--receipts", "receipts/")).code).toBe(0)
    expect(await cli.json("unhold", "certs/1.pem", "--manufacturer", "2")).toMatchObject({
      code: 1,
      answer: { code: "NOT_ON_HOLD" },
    })
  })

  it("revokes places of the batch by their bits", async () => {
    const { code } = await step(
      "revoke",
      "--manufacturer",
      "2",
      "--series",
      "1",
      "--indices",
      "3-4",
      "--reason",
      "superseded",
    )
    const { items } = await statuses(...CERTS.slice(2), "--receipts", "receipts/")

    expect(code).toBe(0)
    expect(items.map(({ status }) => status)).toEqual(["good", "revoked", "revoked"])
  })

  it("shows the batch, and rebuilds its root from the manifest", async () => {
    const shown = await cli.json("batch", "show", "1", "--manufacturer", "2", "--audit", "--manifest", "fleet.manifest")
    const without = await cli.json("batch", "show", "1", "--manufacturer", "2", "--audit")
    const missing = await cli.json(
      "batch",
      "show",
      "1",
      "--manufacturer",
      "2",
      "--audit",
      "--manifest",
      "gone.manifest",
    )

    expect(shown).toMatchObject({ code: 0, answer: { size: 5, revokedPlaces: 2, audit: { size: 5 } } })
    expect(without).toMatchObject({ code: 3, answer: { code: "MANIFEST_UNAVAILABLE" } })
    expect(missing).toMatchObject({ code: 3, answer: { code: "MANIFEST_UNAVAILABLE" } })
    expect((await step("batch", "show", "--manufacturer", "2")).code).toBe(0)
  })

  it("makes one device's receipt from the manifest", async () => {
    const made = await step("batch", "receipt", "certs/3.pem", "--manifest", "fleet.manifest", "--out", "3.receipt")

    expect(made.code).toBe(0)
    expect((await statuses("certs/3.pem", "--receipt", "3.receipt")).code).toBe(0)
  })

  it("lists manufacturers and keys", async () => {
    const manufacturers = await cli.json<{ id: number }[]>("manufacturer", "show")
    const keys = await cli.json<{ state: string }[]>("key", "list", "--manufacturer", "2")

    expect(manufacturers.answer.map(({ id }) => id)).toEqual([1, 2])
    expect(keys.answer).toMatchObject([{ index: 1, purpose: "issuer", state: "current" }])
    expect((await step("manufacturer", "show")).code).toBe(0)
    expect((await step("key", "list", "--manufacturer", "2")).code).toBe(0)
  })

  it("lets another account act, and takes its rights away again", async () => {
    const operator = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    const key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
    const other = cli.with({ FLEETROOT_PRIVATE_KEY: key })
    const hold = ["hold", "certs/3.pem", "--manufacturer", "2"]

    expect(await other.json(...hold)).toMatchObject({ code: 1, answer: { code: "CONTRACT_REVERTED" } })
    expect((await step("operator", "add", operator, "--manufacturer", "2", "--rights", "revoke")).code).toBe(0)
    expect((await other.json(...hold)).code).toBe(0)
    expect((await other.json("unhold", "certs/3.pem", "--manufacturer", "2")).code).toBe(0)
    expect((await step("operator", "remove", operator, "--manufacturer", "2")).code).toBe(0)
    expect((await other.json(...hold)).code).toBe(1)
  })

  it("registers single credentials of an open issuer, which need no receipt", async () => {
    const open = new OpensslCa(folder.path, "open")
    open.issueOne("lone.pem", "lone device")
    const add = await step(
      "key",
      "add",
      "--manufacturer",
      "2",
      "--cert",
      "open.pem",
      "--key",
      "open.key",
      "--purpose",
      "open-issuer",
    )
    const registered = await step("credential", "register", "lone.pem", "--manufacturer", "2")
    const again = await cli.json("credential", "register", "lone.pem", "--manufacturer", "2")

    expect([add.code, registered.code]).toEqual([0, 0])
    expect(again).toMatchObject({ code: 0, answer: { transactions: [], alreadyDone: 1 } })
    const { code, items } = await statuses("lone.pem", "--issuer", "open.pem")
    expect({ code, batch: items[0]!["batch"] }).toEqual({ code: 0, batch: null })
  })

  it("retires a key, and declares its compromise", async () => {
    const retire = await step("key", "revoke", "1", "--manufacturer", "2")
    const early = await statuses("certs/3.pem", "--receipts", "receipts/")
    const at = (await cli.json<Record<string, unknown>[]>("key", "list", "--manufacturer", "2")).answer[0]![
      "registeredAt"
    ]
    const compromise = await step("key", "revoke", "1", "--manufacturer", "2", "--compromised-since", String(at))
    const late = await statuses("certs/3.pem", "--receipts", "receipts/")

    expect([retire.code, compromise.code]).toEqual([0, 0])
    expect(early.items[0]).toMatchObject({ status: "good" })
    expect(late.items[0]).toMatchObject({ status: "revoked", reason: "cACompromise" })
  })
})
