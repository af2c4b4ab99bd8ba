import type { FleetChange, FleetState, Hex, PlaceMark } from "../../client/index.ts"
import type { FleetSource } from "./context.ts"
import type { CredentialPlace, PlaceFinder } from "./placeFinder.ts"

/**
 * Finds the places that a mark of a subject bars, a credential's or those of a device's key, where that takes a while. What it throws
 * is tried again.
 */
export type AskPlaces = (subject: Hex) => Promise<readonly CredentialPlace[]>

export type LocatedMarksOptions = {
  readonly source: FleetSource
  readonly finder: PlaceFinder
  /** Whose devices are answered for. */
  readonly manufacturers: (head: FleetState) => Iterable<number>
  /** Who else may know of places. Default: nobody. */
  readonly ask?: AskPlaces | undefined
}

type Listener = (changes: readonly FleetChange[]) => void

/** Subjects by manufacturer, series and index. */
type Located = Map<number, Map<number, Map<number, readonly LocatedSubject[]>>>
type LocatedSubject = { readonly subject: Hex; readonly root: Hex }

/**
 * A replica that also shows the marks which name no place: where the gateway knows where a credential stands, its mark and that of
 * its device's key bar that place. So what was revoked by a hash alone is revoked for those, too, who see nothing but serial numbers.
 *
 * It only adds bad news: what bars a place on the ledger bars it here.
 */
export class LocatedMarks implements FleetSource {
  readonly #source: FleetSource
  readonly #finder: PlaceFinder
  readonly #manufacturers: (head: FleetState) => Iterable<number>
  readonly #ask: AskPlaces | undefined
  /** Marked subjects whose place nobody could be asked for yet. */
  readonly #owed = new Map<string, { readonly manufacturerId: number; readonly subject: Hex }>()
  #asking: Promise<void> = Promise.resolve()
  readonly #listeners = new Set<Listener>()
  readonly #located: Located = new Map()
  readonly #views = new WeakMap<FleetState, FleetState>()
  readonly #stop: () => void

  constructor({ source, finder, manufacturers, ask }: LocatedMarksOptions) {
    this.#source = source
    this.#finder = finder
    this.#manufacturers = manufacturers
    this.#ask = ask
    this.#stop = source.onChange((changes) => {
      this.#hear(changes)
    })
  }

  get deployment(): FleetSource["deployment"] {
    return this.#source.deployment
  }

  get head(): FleetState {
    return this.#view(this.#source.head)
  }

  get settled(): FleetState {
    return this.#view(this.#source.settled)
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#stop()
  }

  /** Looks for all marked subjects again, because more places are known. @throws the replica's fault. */
  locateAll(): void {
    const { head } = this.#source
    const changes: FleetChange[] = []
    for (const manufacturerId of this.#manufacturers(head)) {
      for (const { subject, mark } of head.records(manufacturerId)) {
        if (mark !== "none") changes.push(...this.#locate(manufacturerId, subject))
      }
    }
    this.#tell(changes)
  }

  /** Asks for the places that are still not known. @throws what `ask` throws: then those that are left are asked for the next time. */
  askOwed(): Promise<void> {
    const asking = this.#asking.then(() => this.#askOwed())
    this.#asking = asking.catch(() => undefined)
    return asking
  }

  async #askOwed(): Promise<void> {
    for (const [key, { manufacturerId, subject }] of this.#owed) {
      const places = (await this.#ask?.(subject)) ?? []
      this.#owed.delete(key)
      const own = places.filter((place) => place.manufacturerId === manufacturerId)
      this.#tell(own.flatMap((place) => this.#note(place, subject) ?? []))
    }
  }

  /** Notes that a credential stands at a place which its marks need not name. */
  #note({ manufacturerId, series, index, root }: CredentialPlace, subject: Hex): FleetChange | undefined {
    const ofSeries = this.#located.get(manufacturerId) ?? new Map<number, Map<number, readonly LocatedSubject[]>>()
    this.#located.set(manufacturerId, ofSeries)
    const ofIndex = ofSeries.get(series) ?? new Map<number, readonly LocatedSubject[]>()
    ofSeries.set(series, ofIndex)
    const subjects = ofIndex.get(index) ?? []
    if (subjects.some((known) => known.subject === subject && known.root === root)) return undefined
    ofIndex.set(index, [...subjects, { subject, root }])
    return { kind: "places", manufacturerId, series, first: index, last: index }
  }

  #hear(changes: readonly FleetChange[]): void {
    const more = changes.flatMap((change) => {
      return change.kind === "subject" ? this.#locate(change.manufacturerId, change.subject) : []
    })
    this.#tell([...changes, ...more])
    // What fails here is asked for again before long, by whoever calls `askOwed`.
    if (this.#owed.size > 0) this.askOwed().catch(() => undefined)
  }

  #locate(manufacturerId: number, subject: Hex): FleetChange[] {
    const places = this.#finder.placesOf(subject, manufacturerId)
    if (places.length === 0 && this.#ask !== undefined) {
      this.#owed.set(`${manufacturerId}:${subject}`, { manufacturerId, subject })
    }
    return places.flatMap((place) => this.#note(place, subject) ?? [])
  }

  #tell(changes: readonly FleetChange[]): void {
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes)
  }

  #view(state: FleetState): FleetState {
    if (this.#located.size === 0) return state
    const known = this.#views.get(state)
    if (known !== undefined) return known
    const view = viewOf(state, this.#located)
    this.#views.set(state, view)
    return view
  }
}

/** The state with more marks of places; everything else is its own. */
function viewOf(state: FleetState, located: Located): FleetState {
  const markAt = (manufacturerId: number, series: number, index: number): PlaceMark | undefined => {
    const own = state.placeMark(manufacturerId, series, index)
    const subjects = located.get(manufacturerId)?.get(series)?.get(index)
    if (subjects === undefined) return own
    const root = state.batch(manufacturerId, series)?.root
    let worst = own
    for (const known of subjects) {
      const { subject, mark, changedAt: since, reason, invalidityDate } = state.record(manufacturerId, known.subject)
      if (known.root !== root || mark === "none") continue
      const other: PlaceMark = { index, mark, since, reason, invalidityDate, subject }
      if (worst === undefined || comesBefore(other, worst)) worst = other
    }
    return worst
  }
  function* marksOf(manufacturerId: number, series: number): Generator<PlaceMark> {
    const size = state.batch(manufacturerId, series)?.size ?? 0
    const more = [...(located.get(manufacturerId)?.get(series)?.keys() ?? [])].filter((index) => index < size)
    more.sort((a, b) => a - b)
    let next = 0
    for (const mark of state.placeMarks(manufacturerId, series)) {
      for (; (more[next] ?? Infinity) <= mark.index; next++) {
        const index = more[next] as number
        const found = index < mark.index ? markAt(manufacturerId, series, index) : undefined
        if (found !== undefined) yield found
      }
      yield markAt(manufacturerId, series, mark.index) ?? mark
    }
    for (; next < more.length; next++) {
      const found = markAt(manufacturerId, series, more[next] as number)
      if (found !== undefined) yield found
    }
  }
  return {
    get block() {
      return state.block
    },
    manufacturers: () => state.manufacturers(),
    manufacturer: (id) => state.manufacturer(id),
    keys: (id) => state.keys(id),
    key: (id, index) => state.key(id, index),
    keyById: (keyId) => state.keyById(keyId),
    keysByIdentifier: (identifier) => state.keysByIdentifier(identifier),
    batches: (id) => state.batches(id),
    batch: (id, series) => state.batch(id, series),
    word: (id, series, word) => state.word(id, series, word),
    bit: (id, series, index) => state.bit(id, series, index),
    bitRevocation: (id, series, index) => state.bitRevocation(id, series, index),
    placeMark: markAt,
    placeMarks: marksOf,
    record: (id, subject) => state.record(id, subject),
    records: (id) => state.records(id),
    releases: (id) => state.releases(id),
    logHead: (contract, id) => state.logHead(contract, id),
  }
}

/** Revoked before held, the earliest first: as a replica's own. */
function comesBefore(one: PlaceMark, other: PlaceMark): boolean {
  if (one.mark !== other.mark) return one.mark === "revoked"
  return one.since < other.since
}
