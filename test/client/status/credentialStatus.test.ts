import { describe, expect, it } from "vitest"
import { generateP256Key } from "../../../client/index.ts"
import type { Hex } from "../../../client/index.ts"
import { credentialStatus } from "../../../client/status/credentialStatus.ts"
import { FakeFleet } from "../../gateway/fakeFleet.ts"

const NOW = 1_800_000_000
const MAKER = 3
const SERIES = 9
const CREDENTIAL: Hex = `0x${"c1".repeat(32)}`
const DEVICE_KEY: Hex = `0x${"d1".repeat(32)}`
const PLACE = { manufacturerId: MAKER, series: SERIES, index: 5 }

const batchSigner = await generateP256Key()
const openSigner = await generateP256Key()

/** One credential in a batch, and its like in a record of its own. */
function fleet(): FakeFleet {
  const made = new FakeFleet(NOW)
  made.admit(MAKER)
  made.addKey(MAKER, batchSigner)
  made.addKey(MAKER, openSigner, { purpose: "openIssuer" })
  made.addBatch(MAKER, SERIES, 10)
  return made
}

function recorded(changes: Parameters<FakeFleet["addRecord"]>[2] = {}): FakeFleet {
  const made = fleet()
  made.addRecord(MAKER, CREDENTIAL, { registeredAt: NOW - 60, notAfter: NOW + 1_000, keyIndex: 2, ...changes })
  return made
}

function ask(head: FakeFleet, placed: boolean, settled = head): [status: string, reason: number, refusal?: string] {
  const { status, reason, refusal } = credentialStatus({
    head,
    settled,
    issuerKeyId: placed ? batchSigner.keyId : openSigner.keyId,
    credentialHash: CREDENTIAL,
    deviceKeyId: DEVICE_KEY,
    place: placed ? PLACE : undefined,
    notAfter: NOW + 1_000,
  })
  return refusal === undefined ? [status, reason] : [status, reason, refusal]
}

describe("credentialStatus, of a certificate in a batch", () => {
  it("is good, and as bad as the worst of its place, its record and its key's record", () => {
    expect(ask(fleet(), true)).toEqual(["good", 0])
    const changes: [(fleet: FakeFleet) => void, unknown[]][] = [
      [(f) => f.mark(MAKER, SERIES, 5, { reason: 4 }), ["revoked", 4]],
      [(f) => f.addRecord(MAKER, CREDENTIAL, { mark: "revoked", reason: 5 }), ["revoked", 5]],
      [(f) => f.addRecord(MAKER, DEVICE_KEY, { mark: "revoked", reason: 1 }), ["revoked", 1]],
      [(f) => f.addRecord(MAKER, DEVICE_KEY, { mark: "held", reason: 6 }), ["onHold", 6]],
      [(f) => f.changeBatch(MAKER, SERIES, { mark: "held" }), ["onHold", 6]],
      [(f) => f.changeBatch(MAKER, SERIES, { size: 5 }), ["unknown", 0, "positionElsewhere"]],
    ]
    for (const [change, expected] of changes) {
      const made = fleet()
      change(made)
      expect(ask(made, true)).toEqual(expected)
    }
  })

  it("is revoked once its issuer key was compromised, as who asks by serial may hold a twin", () => {
    const made = fleet()
    made.changeKey(batchSigner.keyId, { compromisedSince: NOW - 1 })
    expect(ask(made, true)).toEqual(["revoked", 2])
  })

  it("is good only when the batch is final", () => {
    expect(ask(fleet().mine(), true, new FakeFleet(NOW))).toEqual(["unknown", 0, "notFinal"])
  })

  it("keeps a hold until its end is final", () => {
    const settled = fleet()
    settled.addRecord(MAKER, CREDENTIAL, { mark: "held", reason: 6 })
    const head = settled.copy().mine()
    head.addRecord(MAKER, CREDENTIAL, { mark: "none", reason: 0 })
    expect(ask(head, true, settled)).toEqual(["onHold", 6])
    expect(ask(head, true)).toEqual(["good", 0])
  })
})

describe("credentialStatus, of a certificate with a record", () => {
  it("is good if the record names the very key, is final and has not ended", () => {
    expect(ask(recorded(), false)).toEqual(["good", 0])
    expect(ask(fleet(), false)).toEqual(["unknown", 0, "notAnchored"])
    expect(ask(recorded({ keyIndex: 1 }), false)).toEqual(["unknown", 0, "notAnchored"])
    expect(ask(recorded({ notAfter: NOW - 1 }), false)).toEqual(["unknown", 0, "anchorEnded"])
    expect(ask(recorded().mine(), false, fleet())).toEqual(["unknown", 0, "notFinal"])
  })

  it("is as bad as its record and its key's record", () => {
    expect(ask(recorded({ mark: "revoked", reason: 9 }), false)).toEqual(["revoked", 9])
    const made = recorded()
    made.addRecord(MAKER, DEVICE_KEY, { mark: "revoked", reason: 1 })
    expect(ask(made, false)).toEqual(["revoked", 1])
  })

  it("is unknown where nobody knows the issuer, or the place is another's", () => {
    const made = fleet()
    const question = { head: made, settled: made, credentialHash: CREDENTIAL, deviceKeyId: DEVICE_KEY, notAfter: NOW }
    expect(credentialStatus({ ...question, issuerKeyId: "0x00", place: PLACE }).refusal).toBe("issuerUnknown")
    const elsewhere = { ...PLACE, manufacturerId: MAKER + 1 }
    expect(credentialStatus({ ...question, issuerKeyId: batchSigner.keyId, place: elsewhere }).refusal).toBe(
      "positionElsewhere",
    )
  })
})
