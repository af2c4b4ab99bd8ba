import { describe, expect, it } from "vitest"
import { generateP256Key } from "../../../client/index.ts"
import { placeStatus, placeStatuses, unmarkedPlaceStatus } from "../../../client/status/placeStatus.ts"
import type { PlaceStatus } from "../../../client/status/placeStatus.ts"
import { FakeFleet } from "../../gateway/fakeFleet.ts"

const NOW = 1_800_000_000
const MAKER = 3
const SERIES = 0x8000_0005
const SIZE = 1_000

const signer = await generateP256Key()

function fleet(): FakeFleet {
  const made = new FakeFleet(NOW)
  made.admit(MAKER)
  made.addKey(MAKER, signer)
  made.addBatch(MAKER, SERIES, SIZE)
  return made
}

function ask(head: FakeFleet, index: number, settled: FakeFleet = head): PlaceStatus {
  return placeStatus({ head, settled, manufacturerId: MAKER, series: SERIES, index })
}

const SHORT = ({ status, reason, since }: PlaceStatus): unknown[] => [status, reason, since]

describe("placeStatus", () => {
  it("is good where nothing speaks against the place", () => {
    expect(SHORT(ask(fleet(), 0))).toEqual(["good", 0, NOW - 100])
  })

  const table: [what: string, change: (fleet: FakeFleet) => void, expected: unknown[], refusal?: string][] = [
    ["its bit is set", (f) => f.mark(MAKER, SERIES, 5, { since: NOW - 9, reason: 4 }), ["revoked", 4, NOW - 9]],
    [
      "a marked subject named the place",
      (f) => f.mark(MAKER, SERIES, 5, { since: NOW - 9, reason: 1, subject: "0xab" }),
      ["revoked", 1, NOW - 9],
    ],
    [
      "a held subject named the place",
      (f) => f.mark(MAKER, SERIES, 5, { since: NOW - 9, reason: 6, mark: "held", subject: "0xab" }),
      ["onHold", 6, NOW - 9],
    ],
    [
      "its batch is revoked",
      (f) => f.changeBatch(MAKER, SERIES, { mark: "revoked", changedAt: NOW - 8, reason: 9 }),
      ["revoked", 9, NOW - 8],
    ],
    [
      "its batch is held",
      (f) => f.changeBatch(MAKER, SERIES, { mark: "held", changedAt: NOW - 8 }),
      ["onHold", 6, NOW - 8],
    ],
    [
      "its manufacturer is suspended",
      (f) => f.admit(MAKER, { status: "suspended", statusSince: NOW - 7 }),
      ["onHold", 6, NOW - 7],
      "manufacturerSuspended",
    ],
    [
      "its issuer key was compromised, though after its registration",
      (f) => f.changeKey(signer.keyId, { compromisedSince: NOW - 1 }),
      ["revoked", 2, NOW - 1],
    ],
    [
      "its issuer key had been retired",
      (f) => f.changeKey(signer.keyId, { revokedAt: NOW - 100 }),
      ["unknown", 0, NOW - 100],
      "issuerKeyRetired",
    ],
    [
      "its manufacturer had left",
      (f) => f.admit(MAKER, { status: "left", statusSince: NOW - 100 }),
      ["unknown", 0, NOW - 100],
      "manufacturerLeft",
    ],
    [
      "the ledger's entry has ended",
      (f) => f.changeBatch(MAKER, SERIES, { notAfter: NOW - 1 }),
      ["unknown", 0, NOW - 1],
      "anchorEnded",
    ],
    [
      "its batch names a key for other things",
      (f) => f.changeKey(signer.keyId, { purpose: "openIssuer" }),
      ["unknown", 0, undefined],
      "issuerKeyPurposeWrong",
    ],
    [
      "its batch names a key that is not there",
      (f) => f.changeBatch(MAKER, SERIES, { keyIndex: 2 }),
      ["unknown", 0, undefined],
      "issuerUnknown",
    ],
  ]

  it.each(table)("says so when %s", (_what, change, expected, refusal) => {
    const made = fleet()
    change(made)
    const answer = ask(made, 5)
    expect(SHORT(answer)).toEqual(expected)
    expect(answer.refusal).toBe(refusal)
  })

  it("still counts the last second of the ledger's entry", () => {
    const made = fleet()
    made.changeBatch(MAKER, SERIES, { notAfter: NOW })
    expect(ask(made, 5).status).toBe("good")
  })

  it.each([-1, SIZE, 2 ** 32, 0.5, Number.NaN])("knows no place %s", (index) => {
    expect(ask(fleet(), index).status).toBe("unknown")
  })

  it("knows no batch of another series, manufacturer or issuer key", async () => {
    const head = fleet()
    const at = { head, settled: head, manufacturerId: MAKER, series: SERIES, index: 5, issuerKeyId: signer.keyId }
    expect(placeStatus(at).status).toBe("good")
    expect(placeStatus({ ...at, series: SERIES + 1 }).status).toBe("unknown")
    expect(placeStatus({ ...at, manufacturerId: MAKER + 1 }).status).toBe("unknown")
    const { keyId } = await generateP256Key()
    expect(placeStatus({ ...at, issuerKeyId: keyId })).toMatchObject({
      status: "unknown",
      refusal: "positionElsewhere",
    })
  })

  it("is good only when its batch is settled as it stands", () => {
    const head = fleet().mine()
    const nothing = new FakeFleet(NOW)
    expect(ask(head, 5, nothing)).toMatchObject({ status: "unknown", refusal: "notFinal" })
    const other = fleet()
    other.changeBatch(MAKER, SERIES, { root: "0x77" })
    expect(ask(head, 5, other)).toMatchObject({ status: "unknown", refusal: "notFinal" })
    expect(ask(head, 5, fleet()).status).toBe("good")
  })

  it("counts bad news at the head, and the end of a hold only when it is final", () => {
    const settled = fleet()
    settled.mark(MAKER, SERIES, 5, { mark: "held", reason: 6, subject: "0xab" })
    const head = settled.copy().mine()
    head.unmark(MAKER, SERIES, 5)
    head.mark(MAKER, SERIES, 6)
    expect(SHORT(ask(head, 5, settled))).toEqual(["onHold", 6, NOW])
    expect(ask(head, 6, settled).status).toBe("revoked")
    expect(ask(head, 5, head).status).toBe("good")
  })

  it("keeps the invalidity date of a revoked subject", () => {
    const made = fleet()
    made.mark(MAKER, SERIES, 5, { subject: "0xab", invalidityDate: NOW - 5_000 })
    expect(ask(made, 5).invalidityDate).toBe(NOW - 5_000)
  })
})

describe("placeStatuses", () => {
  const list = (head: FakeFleet, settled = head, onlyBad = false) => [
    ...placeStatuses({ head, settled, manufacturerId: MAKER, series: SERIES, onlyBad }),
  ]

  it("lists what is barred, ascending, and says of each what placeStatus says", () => {
    const settled = fleet()
    settled.mark(MAKER, SERIES, 7, { mark: "held", reason: 6, subject: "0xab" })
    settled.mark(MAKER, SERIES, 900)
    const head = settled.copy().mine()
    head.unmark(MAKER, SERIES, 7)
    head.mark(MAKER, SERIES, 3)
    const found = list(head, settled)
    expect(found.map(({ index }) => index)).toEqual([3, 7, 900])
    for (const { index, ...status } of found) expect(status).toEqual(ask(head, index, settled))
  })

  it("lists nothing of a batch in good standing, and of one that is not there", () => {
    expect(list(fleet())).toEqual([])
    expect(list(new FakeFleet(NOW))).toEqual([])
  })

  it("lists every place of a batch that is barred as a whole, each with its own worst news", () => {
    const head = fleet()
    head.changeBatch(MAKER, SERIES, { mark: "held", changedAt: NOW - 3 })
    head.mark(MAKER, SERIES, 11, { since: NOW - 50 })
    const found = list(head)
    expect(found).toHaveLength(SIZE)
    expect(found.filter(({ status }) => status === "revoked").map(({ index }) => index)).toEqual([11])
    for (const { index, ...status } of found) expect(status).toEqual(ask(head, index))
  })

  it("leaves out what is unknown when asked to, but not the bad news in it", () => {
    const head = fleet().mine()
    head.mark(MAKER, SERIES, 11)
    const settled = new FakeFleet(NOW)
    expect(list(head, settled)).toHaveLength(SIZE)
    expect(list(head, settled, true).map(({ index }) => index)).toEqual([11])
    expect(unmarkedPlaceStatus({ head, settled, manufacturerId: MAKER, series: SERIES }).refusal).toBe("notFinal")
  })

  it("ignores marks beyond the batch's size", () => {
    const head = fleet()
    head.mark(MAKER, SERIES, SIZE)
    expect(list(head)).toEqual([])
  })
})
