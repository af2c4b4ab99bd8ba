import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import {
  buildCertificate,
  encodeRawPublicKey,
  fromHex,
  generateP256Key,
  keyIdOf,
  MerkleTree,
  nobleCrypto,
  parseCertificate,
  toHex,
  Verifier,
} from "../../../client/index.ts"
import type {
  Batch,
  CredentialRecord,
  Hex,
  KeySigner,
  LedgerKey,
  Manufacturer,
  Receipt,
} from "../../../client/index.ts"
import { decodeRawPublicKey } from "../../../client/cose/rawPublicKey.ts"
import { makeDevice, positionSerial } from "../../helpers/fleet.ts"
import {
  blankRecord,
  PAPER_DEPLOYMENT,
  PaperFleet,
  paperState,
  promisingView,
  stateView,
} from "../../helpers/paperFleet.ts"
import type { PaperFacts } from "../../helpers/paperFleet.ts"

const T0 = 1_700_000_000
const NOW = T0 + 1_000
const BURNED = 0x8000_0001
const SERIES = [1, 2, BURNED] as const

/** What is asked about: a certificate or raw public key, with what the asker knows of it. */
type Asked = {
  readonly what: string
  readonly input: string | Uint8Array
  readonly raw?: boolean
  readonly receipt?: Receipt
  readonly issuerKeyId?: Hex
}

let asked: Asked[]
let keys: { issuer: KeySigner; open: KeySigner; firmware: KeySigner }
/** All subjects that may be registered or marked. */
let subjects: Hex[]
/** Certificates with their receipts. */
let listed: { hash: Hex; receipt: Receipt }[]
let roots: Map<number, { root: Hex; size: number }>

beforeAll(async () => {
  keys = { issuer: await generateP256Key(), open: await generateP256Key(), firmware: await generateP256Key() }
  const device = (serial?: Uint8Array, issuer: KeySigner = keys.issuer) =>
    makeDevice({
      issuer,
      notBefore: T0 - 500,
      notAfter: T0 + 1_500,
      ...(serial === undefined ? {} : { serial }),
    })
  const burned = (index: number) =>
    positionSerial(PAPER_DEPLOYMENT, keys.issuer.keyId, { manufacturerId: 1, series: BURNED, index })
  const plain = await Promise.all([device(), device(), device()])
  const places = await Promise.all([device(burned(0)), device(burned(1)), device(burned(7))])
  const twin = await device(burned(0))
  const opened = await device(undefined, keys.open)
  const foreign = await device(undefined, await generateP256Key())
  const wrongDoor = await device(undefined, keys.firmware)
  const ended = await makeDevice({ issuer: keys.issuer, notBefore: T0 - 500, notAfter: T0 + 900 })
  const authority = parseCertificate(
    await buildCertificate({
      subject: { commonName: "a CA, not a device" },
      issuer: { commonName: "Test Issuing CA" },
      spki: keys.open.spki,
      signer: keys.issuer,
      serial: Uint8Array.of(9),
      notBefore: T0,
      notAfter: NOW,
      ca: true,
    }),
  )
  const early = await makeDevice({ issuer: keys.issuer, notBefore: T0 + 2_000, notAfter: T0 + 3_000 })
  const bad = { der: authority.der, certificate: authority }
  const rawSigner = await generateP256Key()
  const deviceId = new Uint8Array(16).fill(7)
  const raw = await encodeRawPublicKey({
    spki: rawSigner.spki,
    notBefore: T0 - 500,
    notAfter: T0 + 1_500,
    deviceId,
    signer: rawSigner,
  })
  const rawHash = decodeRawPublicKey(raw).credentialHash

  roots = new Map()
  const tree = (series: number, hashes: readonly Hex[]): ((index: number) => Receipt) => {
    const built = MerkleTree.fromCredentialHashes(hashes.map(fromHex))
    roots.set(series, { root: toHex(built.root()), size: hashes.length })
    return (index) => ({
      chainId: BigInt(PAPER_DEPLOYMENT.chainId),
      registry: PAPER_DEPLOYMENT.contracts.devices.address,
      manufacturerId: 1,
      series,
      size: hashes.length,
      index,
      proof: built.inclusionProof(index),
    })
  }
  const hashOf = (one: { certificate: { credentialHash: Hex } }) => one.certificate.credentialHash
  const inList = tree(1, [...plain, ended, bad, wrongDoor, early].map(hashOf))
  const inRaw = tree(2, [rawHash])
  const inBurned = tree(BURNED, places.slice(0, 2).map(hashOf))
  const [first, second, third] = plain
  const [place0, place1, place7] = places

  asked = [
    { what: "listed, with its receipt", input: first.der, receipt: inList(0) },
    { what: "listed, with another's receipt", input: second.der, receipt: inList(0) },
    { what: "listed, without a receipt", input: third.der },
    { what: "listed, naming its issuer", input: third.der, issuerKeyId: keys.issuer.keyId },
    { what: "a receipt of another chain", input: first.der, receipt: { ...inList(0), chainId: 5n } },
    { what: "burned, with its receipt", input: place0.der, receipt: inBurned(0) },
    { what: "burned, without a receipt", input: place1.der },
    { what: "burned beyond the batch", input: place7.der },
    { what: "a twin in a place that is taken", input: twin.der },
    { what: "by the open issuer", input: opened.der },
    { what: "by nobody known", input: foreign.der },
    { what: "by nobody known, with a receipt", input: foreign.der, receipt: inList(0) },
    { what: "by a firmware key", input: wrongDoor.der },
    { what: "by a firmware key, with a receipt", input: wrongDoor.der, receipt: inList(5) },
    { what: "not begun", input: early.der, receipt: inList(6) },
    { what: "ended", input: ended.der, receipt: inList(3) },
    { what: "against the profile", input: bad.der, receipt: inList(4) },
    { what: "no certificate", input: Uint8Array.of(0x30, 0x01, 0x00) },
    { what: "no PEM", input: "hello" },
    { what: "raw, with its receipt", input: raw, raw: true, receipt: inRaw(0) },
    { what: "raw, without a receipt", input: raw, raw: true },
  ]
  listed = [
    { hash: hashOf(first), receipt: inList(0) },
    { hash: hashOf(place0), receipt: inBurned(0) },
    { hash: hashOf(wrongDoor), receipt: inList(5) },
  ]
  subjects = [
    hashOf(first),
    first.certificate.keyId,
    hashOf(place1),
    place1.certificate.keyId,
    hashOf(opened),
    opened.certificate.keyId,
    rawHash,
    keyIdOf(rawSigner.spki),
  ]
})

// A short list of times around the registration, so that "before", "then" and "after" all come up.
const time = fc.constantFrom(T0 - 1, T0, T0 + 1, T0 + 50)
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined, freq: 2 })
const seldom = <Value>(value: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
const mark = fc.constantFrom("none", "none", "none", "none", "none", "held", "revoked")
const flag = fc.boolean()

const anyFacts = fc.record({
  unheard: fc.integer({ min: 0, max: 9 }),
  maker: fc.record({ status: fc.constantFrom("active", "active", "active", "suspended", "left"), statusSince: time }),
  keys: fc.array(fc.record({ absent: flag, proven: flag, revokedAt: seldom(time), compromisedSince: seldom(time) }), {
    minLength: 3,
    maxLength: 3,
  }),
  shared: fc.integer({ min: 0, max: 9 }),
  batches: fc.array(
    fc.record({
      here: fc.integer({ min: 0, max: 9 }),
      mark,
      changedAt: time,
      registeredAt: time,
      byKey: flag,
      ends: flag,
    }),
    { minLength: 3, maxLength: 3 },
  ),
  records: fc.array(
    fc.record({ mark, changedAt: time, registeredAt: maybe(time), keyIndex: fc.integer({ min: 1, max: 2 }) }),
    {
      minLength: 8,
      maxLength: 8,
    },
  ),
  bits: fc.array(
    fc.record({ series: fc.constantFrom(...SERIES), index: fc.integer({ min: 0, max: 2 }), revokedAt: time }),
    {
      maxLength: 2,
    },
  ),
})
type Drawn = typeof anyFacts extends fc.Arbitrary<infer Value> ? Value : never

/** The same blocks told twice: by pictures at hand, and by promises. */
const anyStory = fc.array(
  fc.record({
    settled: anyFacts,
    head: maybe(anyFacts),
    lone: maybe(anyFacts),
    ahead: fc.integer({ min: 0, max: 2 }),
    at: maybe(time),
  }),
  { minLength: 1, maxLength: 3 },
)

function factsOf(drawn: Drawn, number: number): PaperFacts {
  const manufacturer = (id: number): Manufacturer => ({
    id,
    name: `maker ${id}`,
    metadataURI: "",
    controller: "0x",
    pendingController: undefined,
    proposedController: undefined,
    replacementAt: undefined,
    status: "active",
    statusSince: T0 - 100,
    suspendedUntil: undefined,
    keyCount: 3,
  })
  const purposes = ["issuer", "openIssuer", "firmware"] as const
  const signers = [keys.issuer, keys.open, keys.firmware]
  const listedKeys = drawn.keys.flatMap(({ absent, ...key }, i): LedgerKey[] => {
    const { keyId, spki } = signers[i] as KeySigner
    const purpose = purposes[i] ?? "issuer"
    const times = { registeredAt: T0 - 90, notBefore: 0, notAfter: T0 + 5_000 }
    return absent && drawn.shared % 3 === 0
      ? []
      : [{ manufacturerId: 1, index: i + 1, keyId, purpose, spki, ...times, ...key }]
  })
  const [first] = listedKeys
  return {
    block: { number, hash: toHex(new Uint8Array(32).fill(number)), timestamp: NOW - 5, finality: "latest" },
    manufacturers: [...(drawn.unheard === 0 ? [] : [{ ...manufacturer(1), ...drawn.maker }]), manufacturer(2)],
    // Once in a while another manufacturer shows the same key.
    keys:
      drawn.shared === 9 && first !== undefined
        ? [...listedKeys, { ...first, manufacturerId: 2, proven: false }]
        : listedKeys,
    batches: drawn.batches.flatMap(({ here, ends, ...batch }, i): Batch[] => {
      const series = SERIES[i] as number
      const shape = roots.get(series)
      if (here === 0 || shape === undefined) return []
      const root = here === 1 ? toHex(new Uint8Array(32)) : shape.root
      const fixed = {
        manufacturerId: 1,
        series,
        root,
        size: shape.size,
        keyIndex: here === 2 ? 3 : 1,
        revokedCount: 0,
        reason: 4,
      }
      return [{ ...fixed, ...batch, rawPublicKeys: series === 2, notAfter: T0 + (ends ? 10 : 4_000) }]
    }),
    records: drawn.records.map(({ registeredAt, ...record }, i): CredentialRecord => {
      const blank = blankRecord(1, subjects[i] as Hex)
      return {
        ...blank,
        ...record,
        registeredAt,
        notAfter: registeredAt === undefined ? undefined : T0 + 4_000,
        reason: 1,
      }
    }),
    bits: drawn.bits.map((bit) => ({ ...bit, manufacturerId: 1, reason: 5 })),
  }
}

/** Everything that a verifier says about all that is asked, an exception told like an answer. */
async function answers(verifier: Verifier, at: Date | undefined): Promise<unknown[]> {
  const one = async ({ input, raw, receipt, issuerKeyId }: Asked): Promise<unknown> => {
    const options = {
      ...(receipt === undefined ? {} : { receipt }),
      ...(issuerKeyId === undefined ? {} : { issuerKeyId }),
      ...(at === undefined ? {} : { at }),
    }
    try {
      if (raw === true) return await verifier.checkRawPublicKey(input as Uint8Array, options)
      return await verifier.checkCertificate(input, options)
    } catch (error) {
      return String(error)
    }
  }
  const found: unknown[] = []
  for (const question of asked) found.push(await one(question))
  return found
}

describe("a check of a picture in memory", () => {
  it("says what a check by promises says, in every story", async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(anyStory, async (story) => {
        const ledgers = [
          new PaperFleet(PAPER_DEPLOYMENT, {} as never),
          new PaperFleet(PAPER_DEPLOYMENT, {} as never),
        ] as const
        const now = () => new Date(NOW * 1000)
        // Each remembers bad news by itself; the story goes on with what they remember.
        const verifiers = ledgers.map((ledger) => new Verifier({ ledger, now }))
        for (const [i, { settled, head, lone, ahead, at }] of story.entries()) {
          const number = 10 + i
          ledgers.forEach((ledger, which) => {
            const view = which === 0 ? stateView : promisingView
            ledger.settled = view(paperState(factsOf(settled, number)))
            ledger.past = ledger.settled
            ledger.head = ahead === 0 ? ledger.settled : view(paperState(factsOf(head ?? settled, number + ahead)))
            if (lone !== undefined && ahead !== 0) {
              ledger.head = { ...ledger.head, unconfirmed: [view(paperState(factsOf(lone, number + 3)))] }
            }
          })
          const when = at === undefined ? undefined : new Date(at * 1000)
          const [byState, byPromise] = await Promise.all(verifiers.map((verifier) => answers(verifier, when)))
          expect(byState).toEqual(byPromise)
          for (const answer of byState ?? []) seen.add(tellShortly(answer))
        }
      }),
      { numRuns: 250, seed: 4, endOnFailure: true },
    )
    // The stories reach all that a verifier can say.
    expect([...seen].toSorted()).toEqual(expect.arrayContaining(EVERYTHING))
  })

  it("says the same of many, in a stream, and by another back end", async () => {
    await fc.assert(
      fc.asyncProperty(anyFacts, async (drawn) => {
        const state = paperState(factsOf(drawn, 10))
        const now = () => new Date(NOW * 1000)
        const receipts = { receiptOf: async (hash: Hex) => known.get(hash) }
        const known = new Map(listed.map((one) => [one.hash, one.receipt]))
        const certificates = asked.filter(({ raw }) => raw !== true).map(({ input }) => input)
        const told = await Promise.all(
          [stateView(state), promisingView(state)].flatMap((view) =>
            [{}, { crypto: nobleCrypto }].map(async (crypto) => {
              const verifier = new Verifier({ ledger: new PaperFleet(PAPER_DEPLOYMENT, view), now, ...crypto })
              const many = await outcome(verifier.checkMany(certificates, { receipts }))
              const streamed = await outcome(all(verifier.checkStream(certificates, { receipts, inFlight: 3 })))
              return [many, streamed]
            }),
          ),
        )
        const [first, ...others] = told.flat()
        for (const other of others) expect(other).toEqual(first)
      }),
      { numRuns: 15, seed: 5, endOnFailure: true },
    )
  })
})

async function all<Value>(stream: AsyncIterable<Value>): Promise<Value[]> {
  const values: Value[] = []
  for await (const value of stream) values.push(value)
  return values
}

async function outcome(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer
  } catch (error) {
    return String(error)
  }
}

function tellShortly(answer: unknown): string {
  if (typeof answer === "string") return answer.split(":")[0] as string
  const { status, reason } = answer as { status: string; reason: string | null }
  return `${status} ${reason}`
}

const EVERYTHING = [
  "KeyOwnerAmbiguousError",
  "PemBlockMissingError",
  "expired anchorEnded",
  "expired certificateEnded",
  "good null",
  "notYetValid certificateNotStarted",
  "onHold certificateHold",
  "onHold manufacturerSuspended",
  "revoked cACompromise",
  "revoked cessationOfOperation",
  "revoked keyCompromise",
  "revoked superseded",
  "unknown issuerKeyPurposeWrong",
  "unknown issuerKeyRetired",
  "unknown issuerUnknown",
  "unknown kindWrong",
  "unknown manufacturerLeft",
  "unknown notAnchored",
  "unknown notFinal",
  "unknown positionElsewhere",
  "unknown profileViolated",
  "unknown receiptForeign",
  "unknown receiptWrong",
  "unknown revocationUnconfirmed",
  "unknown signatureInvalid",
]
