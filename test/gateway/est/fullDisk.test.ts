import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll, expect, it } from "vitest"
import { MerkleTree, toHex, usedSeries } from "../../../client/index.ts"
import { makeToken } from "../../../gateway/est/index.ts"
import { openSqliteEnrolmentStore } from "../../../gateway/store/enrolmentSqlite.ts"
import { certificateIn, deviceCsr, EstBed } from "./estBed.ts"

const DEVICES = 60
const FILL_BYTES = 256 * 1024

let bed: EstBed
let path: string

beforeAll(async () => {
  // Its disk is full of something else, but for what is left in pages that are begun.
  const openFull: typeof openSqliteEnrolmentStore = async (file, options) => {
    path = file
    await (await openSqliteEnrolmentStore(file, options)).close()
    const other = new DatabaseSync(file)
    other.exec("CREATE TABLE other_data (octets BLOB)")
    other.prepare("INSERT INTO other_data VALUES (zeroblob(?))").run(FILL_BYTES)
    other.close()
    return openSqliteEnrolmentStore(file, { ...options, maxBytes: 1 })
  }
  bed = await EstBed.start({ leaseSeconds: 4 }, openFull)
})
afterAll(() => bed.close())

it(
  "issues nothing on a full disk, loses nothing, and goes on when there is room again",
  { timeout: 120_000 },
  async () => {
    const roomy = await openSqliteEnrolmentStore(path, { deployment: bed.net.deployment })
    const devices = await Promise.all(
      Array.from({ length: DEVICES }, async (_, i) => ({
        csr: (await deviceCsr(`device ${i}`)).csr,
        token: (await makeToken(roomy, { now: () => bed.net.clock })).text,
      })),
    )
    await roomy.close()
    const ask = ({ csr, token }: (typeof devices)[number]): ReturnType<EstBed["enrol"]> =>
      bed.enrol("simpleenroll", csr, { token })

    // One after another, so that the disk is full at one step or another of them.
    bed.use({}, { holdMs: 2_000 })
    const given = new Map<number, string>()
    const refused: number[] = []
    for (const [i, device] of devices.entries()) {
      const answer = await ask(device)
      if (answer.status === 200) given.set(i, certificateIn(answer).fingerprint)
      else {
        refused.push(i)
        expect(answer).toMatchObject({ status: 503, headers: { "Retry-After": "2" } })
        expect((JSON.parse(answer.text) as { code: string }).code).toBe("ENROLMENT_STORE")
      }
      if (refused.length === 3) break
    }
    expect(refused).toHaveLength(3)
    const steps = bed.events.flatMap((event) => ("step" in event ? [event.step] : []))
    // It fails where certificates are written: they were signed, and nobody was given one.
    expect(steps.filter((step) => step === "signed").length).toBeGreaterThan(given.size)
    // Asked again while nothing changed, nobody gets anything either.
    for (const i of refused) expect([202, 503]).toContain((await ask(devices[i]!)).status)

    const other = new DatabaseSync(path)
    other.exec("DROP TABLE other_data")
    other.close()
    bed.use({})
    for (const [i, device] of devices.entries()) {
      let answer = await ask(device)
      const end = Date.now() + 60_000
      while ((answer.status === 202 || answer.status === 503) && Date.now() < end) {
        await new Promise((resolve) => {
          setTimeout(resolve, 100)
        })
        answer = await ask(device)
      }
      expect(answer.status).toBe(200)
      const { fingerprint } = certificateIn(answer)
      // Who had one has that one.
      expect(given.get(i) ?? fingerprint).toBe(fingerprint)
      given.set(i, fingerprint)
    }

    // What was handed out is on the ledger, in batches as they were written, and nothing else is.
    const view = await bed.net.freshView().at("latest")
    const roots = new Map<number, string>()
    for (const fingerprint of given.values()) {
      const enrolment = await bed.store.byFingerprint(fingerprint as `0x${string}`)
      expect(enrolment?.window.state).toMatch(/mined|final/)
      roots.set(enrolment!.window.series, enrolment!.window.root)
      const hashes = await bed.store.credentialHashes(enrolment!.window)
      expect(toHex(MerkleTree.fromCredentialHashes(hashes).root())).toBe(enrolment!.window.root)
    }
    const registered = await usedSeries({ ledger: bed.net.ledger, rpc: bed.net.rpc }, view, bed.manufacturerId)
    expect(new Map(registered.map(({ series, root }) => [series, root]))).toEqual(roots)
  },
)
