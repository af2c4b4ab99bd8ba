import { describe, expect, it } from "vitest"
import type { Batch, CredentialRecord, Hex, LedgerKey, Manufacturer, Mark } from "../../../client/index.ts"
import { BadNews } from "../../../client/status/badNews.ts"
import { complaintsOf, decide, subjectsOf } from "../../../client/status/decide.ts"
import type { StandingFacts } from "../../../client/status/decide.ts"

const REGISTERED = 1_000
const START = 900
const END = 2_000
const ANCHOR_END = 1_800

const MARKS: readonly Mark[] = ["none", "held", "revoked"]
/** When something happened, seen from the registration; undefined: never. */
const WHEN = [undefined, REGISTERED - 1, REGISTERED, REGISTERED + 1] as const
const MAKERS = ["active", "suspended", "leftBefore", "leftThen", "leftAfter"] as const
const TIMES = [START - 1, START, ANCHOR_END, ANCHOR_END + 1, END, END + 1] as const

type Case = {
  credential: Mark
  deviceKey: Mark
  batch: Mark
  bit: boolean
  maker: (typeof MAKERS)[number]
  compromisedSince: (typeof WHEN)[number]
  revokedAt: (typeof WHEN)[number]
  settled: boolean
  time: (typeof TIMES)[number]
}

function* everyCase(): Generator<Case> {
  for (const credential of MARKS)
    for (const deviceKey of MARKS)
      for (const batch of MARKS)
        for (const bit of [false, true])
          for (const maker of MAKERS)
            for (const compromisedSince of WHEN)
              for (const revokedAt of WHEN)
                for (const settled of [true, false])
                  for (const time of TIMES)
                    yield { credential, deviceKey, batch, bit, maker, compromisedSince, revokedAt, settled, time }
}

const record = (subject: Hex, mark: Mark): CredentialRecord => ({
  manufacturerId: 1,
  subject,
  registeredAt: undefined,
  notAfter: undefined,
  keyIndex: 0,
  mark,
  changedAt: 1_500,
  reason: mark === "revoked" ? 4 : 6,
  invalidityDate: undefined,
})

function factsOf(state: Case): StandingFacts {
  const left = { leftBefore: REGISTERED - 1, leftThen: REGISTERED, leftAfter: REGISTERED + 1 }
  const { maker } = state
  const status = maker === "active" || maker === "suspended" ? maker : "left"
  const statusSince = maker === "active" || maker === "suspended" ? 500 : left[maker]
  const { compromisedSince, revokedAt } = state
  return {
    time: state.time,
    manufacturer: { id: 1, status, statusSince } as Manufacturer,
    issuerKey: { manufacturerId: 1, index: 1, compromisedSince, revokedAt } as LedgerKey,
    registeredAt: REGISTERED,
    settled: state.settled,
    place: { series: 7, index: 3 },
    batch: { manufacturerId: 1, series: 7, mark: state.batch, changedAt: 1_600, reason: 1 } as Batch,
    bit: state.bit ? { revokedAt: 1_700, reason: 5 } : undefined,
    credentialRecord: record("0xaa", state.credential),
    deviceKeyRecord: record("0xbb", state.deviceKey),
    notBefore: START,
    notAfter: END,
    anchorNotAfter: ANCHOR_END,
  }
}

/** The rule in words: any one of these is enough, from the heaviest down. */
function expected(state: Case): string {
  const marks = [state.credential, state.deviceKey, state.batch]
  const notAfter = (when: number | undefined): boolean => when !== undefined && when <= REGISTERED
  if (marks.includes("revoked") || state.bit || notAfter(state.compromisedSince)) return "revoked"
  if (marks.includes("held") || state.maker === "suspended") return "onHold"
  if (!state.settled || state.maker === "leftBefore" || state.maker === "leftThen") return "unknown"
  if (notAfter(state.revokedAt)) return "unknown"
  if (state.time < START) return "notYetValid"
  return state.time > ANCHOR_END ? "expired" : "good"
}

describe("decide", () => {
  it("follows the rule in every combination of states", () => {
    const counts: Record<string, number> = {}
    for (const state of everyCase()) {
      const { status, reason } = decide(factsOf(state))
      if (status !== expected(state)) expect({ state, status }).toEqual({ state, status: expected(state) })
      if ((status === "good") !== (reason === null)) expect({ state, reason }).toBe("a reason unless good")
      counts[status] = (counts[status] ?? 0) + 1
    }

    expect(Object.keys(counts).sort()).toEqual(["expired", "good", "notYetValid", "onHold", "revoked", "unknown"])
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(51_840)
  })

  it("says nothing against a credential exactly when no complaint is known", () => {
    for (const state of everyCase()) {
      const facts = factsOf(state)
      const weighs = ["revoked", "onHold"].includes(decide(facts).status)
      if (weighs !== complaintsOf(facts).length > 0) expect(state).toBe("in agreement")
      const subjects = subjectsOf(facts)
      if (!complaintsOf(facts).every(({ about }) => subjects.includes(about))) expect(state).toBe("about its subjects")
    }
  })

  it("never calls an unregistered credential good, and only its own marks speak against it", () => {
    for (const state of everyCase()) {
      const facts = { ...factsOf(state), registeredAt: undefined, batch: undefined, bit: undefined, place: undefined }
      const { status } = decide(facts)
      const marks = [state.credential, state.deviceKey]
      const wanted = marks.includes("revoked") ? "revoked" : marks.includes("held") ? "onHold" : "unknown"
      if (status !== wanted) expect({ state, status }).toEqual({ state, status: wanted })
    }
  })
})

describe("BadNews", () => {
  const revoked = factsOf({ ...firstCase(), credential: "revoked" })
  const compromised = factsOf({ ...firstCase(), compromisedSince: REGISTERED })
  const clean = factsOf(firstCase())

  function firstCase(): Case {
    const [first] = everyCase()
    return first as Case
  }
  const remembering = (facts: StandingFacts, block: number): BadNews => {
    const news = new BadNews()
    for (const complaint of complaintsOf(facts)) news.remember(complaint, block)
    return news
  }

  it("stands until the chain is final past the block that it was seen in", () => {
    const news = remembering(revoked, 10)

    expect(news.standing(subjectsOf(clean), REGISTERED, 9)).toMatchObject({ status: "revoked" })
    expect(news.standing(subjectsOf(clean), REGISTERED, 10)).toBeUndefined()
    expect(news.standing(subjectsOf(clean), REGISTERED, 9)).toBeUndefined()
  })

  it("concerns whatever shares the subject and nothing else", () => {
    const news = remembering(revoked, 10)
    const other = { ...clean, credentialRecord: record("0xcc", "none") }

    expect(news.standing(subjectsOf(other), REGISTERED, 9)).toBeUndefined()
    expect(
      news.standing(subjectsOf({ ...other, deviceKeyRecord: record("0xaa", "none") }), REGISTERED, 9),
    ).toBeDefined()
  })

  it("spares what was anchored before a compromise", () => {
    const news = remembering(compromised, 10)

    expect(news.standing(subjectsOf(clean), REGISTERED, 9)).toMatchObject({ reason: "cACompromise" })
    expect(news.standing(subjectsOf(clean), REGISTERED - 1, 9)).toBeUndefined()
  })
})
