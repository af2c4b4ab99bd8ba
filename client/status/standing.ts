import { FleetrootError } from "../errors/base.ts"
import type { Batch, BitRevocation, CredentialRecord, LedgerKey, Manufacturer } from "../ledger/ledger.ts"
import { bitIsSet } from "./anchor.ts"
import type { Anchor } from "./anchor.ts"
import type { Credential } from "./credential.ts"
import type { StandingFacts } from "./decide.ts"
import { run, wait, waitForAll } from "./steps.ts"
import type { Steps } from "./steps.ts"
import type { StatusMoment, StatusView } from "./statusView.ts"

/** What the ledger says about an anchored credential, at the head and where things are settled. */
export type Standing = {
  readonly manufacturer: Manufacturer
  /** When the credential was anchored, in Unix seconds; undefined if it was not. */
  readonly registeredAt: number | undefined
  readonly facts: StandingFacts
  /** The same marks as they stood where things are settled; undefined if that is the head, or there was nothing yet. */
  readonly settledFacts: StandingFacts | undefined
}

/** Reads everything that {@link decide} asks for; undefined if the ledger does not know the issuer there. */
export function* readStanding(
  credential: Credential,
  anchor: Anchor,
  { head, settled, today, time }: StatusMoment,
): Steps<Standing | undefined> {
  const { place, issuerKey } = anchor
  const [now, before, key] = yield* waitForAll<[Marks, Marks | undefined, LedgerKey | undefined]>([
    run(readMarks(head, credential, anchor, true)),
    settled === head ? undefined : run(readMarks(settled, credential, anchor, false)),
    today.key(issuerKey.manufacturerId, issuerKey.index),
  ])
  if (now.manufacturer === undefined || key === undefined || key.keyId !== issuerKey.keyId) return undefined

  const registeredAt = registrationOf(now, anchor)
  const shared = {
    time,
    issuerKey: key,
    registeredAt,
    place,
    notBefore: credential.notBefore,
    notAfter: credential.notAfter,
  }
  const facts: StandingFacts = {
    ...shared,
    ...now,
    manufacturer: now.manufacturer,
    settled: sameAnchor(now, before ?? now, anchor),
    anchorNotAfter: place === undefined ? now.credentialRecord.notAfter : now.batch?.notAfter,
  }
  const settledFacts =
    before?.manufacturer === undefined ? undefined : { ...facts, ...before, manufacturer: before.manufacturer }
  return { manufacturer: now.manufacturer, registeredAt, facts, settledFacts }
}

type Marks = Pick<StandingFacts, "batch" | "bit" | "credentialRecord" | "deviceKeyRecord"> & {
  readonly manufacturer: Manufacturer | undefined
}

function* readMarks(view: StatusView, credential: Credential, anchor: Anchor, explain: boolean): Steps<Marks> {
  const { place, issuerKey } = anchor
  const { manufacturerId } = issuerKey
  const [manufacturer, credentialRecord, deviceKeyRecord, batch, bit] = yield* waitForAll<
    [Manufacturer | undefined, CredentialRecord, CredentialRecord, Batch | undefined, Marks["bit"]]
  >([
    view.manufacturer(manufacturerId),
    view.record(manufacturerId, credential.credentialHash),
    view.record(manufacturerId, credential.deviceKeyId),
    place === undefined ? undefined : view.batch(manufacturerId, place.series),
    place === undefined || view.bit?.(manufacturerId, place.series, place.index) === false
      ? undefined
      : run(readBit(view, manufacturerId, place, explain)),
  ])
  return { manufacturer, credentialRecord, deviceKeyRecord, batch, bit }
}

function* readBit(
  view: StatusView,
  manufacturerId: number,
  { series, index }: { series: number; index: number },
  explain: boolean,
): Steps<Partial<BitRevocation> | undefined> {
  const word = yield* wait(view.word(manufacturerId, series, Math.floor(index / 256)))
  if (!bitIsSet(word, index)) return undefined
  if (!explain) return {}
  try {
    return (yield* wait(view.bitRevocation(manufacturerId, series, index))) ?? {}
  } catch (error) {
    // When and why is for information; that the bit is set is the answer.
    if (error instanceof FleetrootError) return {}
    throw error
  }
}

/** An open issuer's credential stands in a record that names that very key. */
function registrationOf({ batch, credentialRecord }: Marks, { place, issuerKey }: Anchor): number | undefined {
  if (place !== undefined) return batch?.registeredAt
  return namesKey(credentialRecord, issuerKey) ? credentialRecord.registeredAt : undefined
}

function namesKey(record: { keyIndex: number }, key: LedgerKey): boolean {
  return key.purpose === "openIssuer" && record.keyIndex === key.index
}

/** Whether what anchors the credential at the head is, to the last field that matters, what stands where things are settled. */
function sameAnchor(now: Marks, before: Marks, { place, issuerKey, batch }: Anchor): boolean {
  if (place !== undefined) return sameBatch(batch, now.batch) && sameBatch(now.batch, before.batch)
  const { registeredAt } = before.credentialRecord
  const same = registeredAt !== undefined && registeredAt === now.credentialRecord.registeredAt
  return same && namesKey(before.credentialRecord, issuerKey)
}

function sameBatch(one: Batch | undefined, other: Batch | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.root === other.root &&
    one.size === other.size &&
    one.keyIndex === other.keyIndex &&
    one.registeredAt === other.registeredAt
  )
}
