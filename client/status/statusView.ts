import type { Evidence, LedgerView } from "../ledger/ledger.ts"
import type { Moment } from "../ledger/moment.ts"
import { stateOf } from "../ledger/replica/stateView.ts"
import type { Soon } from "./steps.ts"

type Reads = "manufacturer" | "key" | "keyById" | "keysByIdentifier" | "batch" | "word" | "bitRevocation" | "record"

/** What a status is drawn from, at one block: a view of the ledger, which may have its answers at hand. */
export type StatusView = Pick<LedgerView, "block" | "evidence"> & {
  readonly unconfirmed?: readonly LedgerView[]
} & {
  readonly [Name in Reads]: (...ask: Parameters<LedgerView[Name]>) => Soon<Awaited<ReturnType<LedgerView[Name]>>>
} & {
  /** Whether a place's status bit is set, where that is known without reading its word. */
  readonly bit?: (manufacturerId: number, series: number, index: number) => boolean
}

/** The views that a status rests on; `head` and `settled` are one if they were. */
export type StatusMoment = Omit<Moment, "head" | "settled" | "today"> & {
  readonly head: StatusView
  readonly settled: StatusView
  readonly today: StatusView
  /** Where an answer's trust comes from, whatever the credential. */
  readonly evidence: () => readonly Evidence[]
}

/** The same moment, with the answers at hand wherever a view stands on a picture in memory. */
export function statusMoment({ head, settled, today, ...rest }: Moment): StatusMoment {
  const seenHead = statusView(head)
  const seen = (view: LedgerView): StatusView => (view === head ? seenHead : statusView(view))
  const settledAt = { kind: "settledBlock", detail: `good news was read at block ${settled.block.number}` }
  const evidence = (): Evidence[] => (settled === head ? [seenHead.evidence] : [seenHead.evidence, settledAt])
  return { ...rest, head: seenHead, settled: seen(settled), today: seen(today), evidence }
}

/** A view as a status reads it. Block and evidence are the view's own: the picture does not know how final it is. */
export function statusView(view: LedgerView): StatusView {
  const state = stateOf(view)
  if (state === undefined) return view
  return {
    block: view.block,
    evidence: view.evidence,
    ...(view.unconfirmed === undefined ? {} : { unconfirmed: view.unconfirmed }),
    manufacturer: (id) => state.manufacturer(id),
    key: (id, index) => state.key(id, index),
    keyById: (keyId) => state.keyById(keyId),
    keysByIdentifier: (identifier) => state.keysByIdentifier(identifier),
    batch: (id, series) => state.batch(id, series),
    word: (id, series, word) => state.word(id, series, word),
    bit: (id, series, index) => state.bit(id, series, index),
    bitRevocation: (id, series, index) => state.bitRevocation(id, series, index),
    record: (id, subject) => state.record(id, subject),
  }
}
