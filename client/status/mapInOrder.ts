import { pause } from "./pause.ts"
import { isPromised } from "./steps.ts"
import type { Soon } from "./steps.ts"

/** So many answers that were there at once may follow each other before others have their turn on this thread. */
const TURN = 64

type Source<Input> = AsyncIterable<Input> | Iterable<Input>
type Arrival<Input> = IteratorResult<Input, unknown>

/**
 * The answers to what `source` gives, in its order. At most `inFlight` answers are in the making or waiting to be taken; nothing
 * more is asked of the source until one is. Each is handed out as soon as it and those before it are there, also while the source
 * is silent. What the source or the work throws comes after the answers before it. The source is closed whenever this ends.
 */
export async function* mapInOrder<Input, Output>(
  source: Source<Input>,
  work: (input: Input) => Soon<Output>,
  inFlight: number,
): AsyncGenerator<Output, void, undefined> {
  const inputs = openSource(source)
  const pending: Soon<Output>[] = []
  let arriving: Soon<Arrival<Input>> | undefined
  let ended = false
  let broken = false
  let atOnce = 0
  const accept = (arrival: Arrival<Input>): void => {
    if (arrival.done === true) ended = true
    else pending.push(start(work, arrival.value))
  }
  try {
    for (;;) {
      // 1. Take in what is there, up to the bound.
      while (pending.length < inFlight) {
        if (ended) break
        arriving ??= inputs.next()
        if (isPromised(arriving)) break
        accept(arriving)
        arriving = undefined
        // What is answered already need not wait for more.
        if (!isPromised(pending[0])) break
      }
      // 2. Wait for whatever comes first, the next input or the next answer.
      if (pending.length === 0) {
        if (arriving === undefined) return
        accept(await arriving)
        arriving = undefined
        continue
      }
      const first = pending[0] as Soon<Output>
      if (isPromised(first) && isPromised(arriving) && !broken && pending.length < inFlight) {
        const earlier = await Promise.race([first.then(isAnswer, isAnswer), arriving.then(isInput, isBroken)])
        broken = earlier === "broken"
        if (earlier === "input") {
          accept(await arriving)
          arriving = undefined
        }
        if (earlier !== "answer") continue
      }
      // 3. Hand it out.
      pending.shift()
      if (isPromised(first)) yield await first
      else {
        if (++atOnce % TURN === 0) await pause()
        yield first
      }
    }
  } finally {
    // A source that is being asked cannot be waited for: it may be silent for ever.
    const closing = guarded(inputs.close(ended))
    if (!isPromised(arriving)) await closing
  }
}

const isAnswer = (): "answer" => "answer"
const isInput = (): "input" => "input"
const isBroken = (): "broken" => "broken"

function start<Input, Output>(work: (input: Input) => Soon<Output>, input: Input): Soon<Output> {
  try {
    const answer = work(input)
    return isPromised(answer) ? guarded(answer) : answer
  } catch (error) {
    return failing(error)
  }
}

/** What fails at once fails as a promise, in its turn. */
function failing<Value>(error: unknown): Promise<Value> {
  return guarded(
    (async () => {
      throw error
    })(),
  )
}

/** A promise whose failure is looked at in its turn: until then nobody may call it unhandled. */
function guarded<Pending extends PromiseLike<unknown>>(promise: Pending): Pending {
  promise.then(undefined, () => {})
  return promise
}

function openSource<Input>(source: Source<Input>): {
  next(): Soon<Arrival<Input>>
  close(ended: boolean): Promise<void>
} {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let failed = false
  return {
    next: () => {
      const fail = (error: unknown): never => {
        failed = true
        throw error
      }
      try {
        const arrival = iterator.next()
        return isPromised(arrival) ? guarded(arrival.then(undefined, fail)) : arrival
      } catch (error) {
        failed = true
        return failing(error)
      }
    },
    close: async (ended) => {
      // One that ended or threw is closed already.
      if (!ended && !failed) await iterator.return?.(undefined)
    },
  }
}
