// Questions about a time that is past and not final yet. Nobody has the state of that time; what has changed since is no secret.
import { beforeAll, describe, expect, it } from "vitest"
import { generateP256Key, Verifier } from "../../../client/index.ts"
import type {
  Batch,
  CredentialRecord,
  Hex,
  KeySigner,
  LedgerKey,
  LedgerView,
  Manufacturer,
} from "../../../client/index.ts"
import { manufacturerCheck } from "../../../client/firmware/releaseChecks.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { blankRecord, PAPER_DEPLOYMENT, PaperFleet, paperState, promisingView } from "../../helpers/paperFleet.ts"

const T0 = 1_700_000_000
const FINAL = T0 + 100
const HEAD = T0 + 700
const ENDED = T0 + 500
const SERIES = 1

let issuer: KeySigner
let device: Device
let tree: ReturnType<typeof makeTree>

beforeAll(async () => {
  issuer = await generateP256Key()
  device = await makeDevice({ issuer, notBefore: T0 - 1_000, notAfter: T0 + 10_000 })
  tree = makeTree(PAPER_DEPLOYMENT, 1, SERIES, [device.certificate.credentialHash])
})

type Changes = {
  readonly manufacturer?: Partial<Manufacturer>
  readonly batch?: Partial<Batch>
  readonly record?: (device: Device) => Partial<CredentialRecord> & { subject: Hex }
}

function viewAt(number: number, timestamp: number, { manufacturer, batch, record }: Changes = {}): LedgerView {
  const keyId = issuer.keyId
  const key = { manufacturerId: 1, index: 1, keyId, purpose: "issuer", proven: true, spki: issuer.spki } as LedgerKey
  const marked = record?.(device)
  return promisingView(
    paperState({
      block: { number, hash: `0x${number.toString(16).padStart(64, "0")}`, timestamp, finality: "latest" },
      manufacturers: [
        { id: 1, name: "Acme", status: "active", statusSince: T0 - 100, keyCount: 1, ...manufacturer } as Manufacturer,
      ],
      keys: [key],
      batches: [
        {
          manufacturerId: 1,
          series: SERIES,
          root: tree.root,
          size: 1,
          keyIndex: 1,
          registeredAt: T0,
          notAfter: T0 + 10_000,
          mark: "none",
          byKey: false,
          rawPublicKeys: false,
          revokedCount: 0,
          changedAt: 0,
          reason: 0,
          ...batch,
        },
      ],
      records: marked === undefined ? [] : [{ ...blankRecord(1, marked.subject), ...marked }],
      bits: [],
    }),
  )
}

function ledgerWith(changes: Changes): PaperFleet {
  const ledger = new PaperFleet(PAPER_DEPLOYMENT, viewAt(9, HEAD, changes))
  ledger.settled = viewAt(5, FINAL)
  return ledger
}

async function statusAt(seconds: number | undefined, changes: Changes): Promise<string> {
  const now = (): Date => new Date((HEAD + 5) * 1_000)
  const verifier = new Verifier({ ledger: ledgerWith(changes), now })
  const at = seconds === undefined ? {} : { at: new Date(seconds * 1_000) }
  const { status } = await verifier.checkCertificate(device.der, { receipt: tree.receipt(0), ...at })
  return status
}

/** All that ended at {@link ENDED}, and began at nobody knows what time. */
const HOLDS: [what: string, changes: Changes][] = [
  ["the credential's", { record: ({ certificate }) => ({ subject: certificate.credentialHash, changedAt: ENDED }) }],
  ["its key's", { record: ({ certificate }) => ({ subject: certificate.keyId, changedAt: ENDED }) }],
  ["the batch's", { batch: { changedAt: ENDED } }],
  ["the manufacturer's", { manufacturer: { statusSince: ENDED } }],
]

describe.each(HOLDS)("After a hold of %s that has ended, and is not final", (_whose, changes) => {
  it("nothing was good before its end", async () => {
    expect(await statusAt(ENDED - 1, changes)).toBe("unknown")
    expect(await statusAt(FINAL + 1, changes)).toBe("unknown")
  })

  it("all is good from its end on, and now", async () => {
    expect(await statusAt(ENDED, changes)).toBe("good")
    expect(await statusAt(HEAD + 1, changes)).toBe("good")
    expect(await statusAt(undefined, changes)).toBe("good")
  })
})

describe("Without any change", () => {
  it("what is good now was good since the newest final block", async () => {
    for (const time of [FINAL + 1, HEAD - 1, HEAD]) expect(await statusAt(time, {})).toBe("good")
  })
})

describe("A manufacturer that was resumed after the time asked about", () => {
  it("could publish nothing then", async () => {
    const ledger = ledgerWith({ manufacturer: { statusSince: ENDED } })
    const heads = await ledger.heads()
    const checkAt = (time: number): ReturnType<typeof manufacturerCheck> =>
      manufacturerCheck({ ...heads, today: heads.head, time, isLater: time < HEAD, staleSeconds: 5 }, 1, undefined)
    expect(await checkAt(ENDED - 1)).toMatchObject({ name: "manufacturer", ok: false })
    expect(await checkAt(ENDED)).toMatchObject({ ok: true })
    expect(await checkAt(HEAD + 5)).toMatchObject({ ok: true })
  })
})
