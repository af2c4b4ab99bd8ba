/** What is there at once, or is promised. */
export type Soon<Value> = Value | PromiseLike<Value>

/**
 * Work that waits only where it must: it yields what it waits for and goes on with the answer. Written once, it runs through in
 * one go on a ledger in memory and waits for one across the network, so that neither way can forget a rule of the other.
 */
export type Steps<Answer> = Generator<PromiseLike<unknown>, Answer, unknown>

/** What `yield*` takes: an answer, after waiting or at once. */
type Step<Answer> = { [Symbol.iterator](): Iterator<PromiseLike<unknown>, Answer, unknown> }

/** The value, waited for if it is only promised. */
export function wait<Value>(value: Soon<Value>): Step<Value> {
  return isPromised(value) ? waiting<Value>(value) : new Ready(value)
}

/** All values, waited for together if any is only promised. */
export function waitForAll<Values extends readonly unknown[]>(values: {
  readonly [Key in keyof Values]: Soon<Values[Key]>
}): Step<Values> {
  return values.some(isPromised) ? waiting<Values>(Promise.all(values)) : new Ready(values as Values)
}

function* waiting<Value>(promise: PromiseLike<unknown>): Steps<Value> {
  return (yield promise) as Value
}

/** A step that is done before it begins: where all is at hand, a tenth of a generator's price. */
class Ready<Value> implements Iterator<PromiseLike<unknown>, Value, unknown> {
  readonly #value: Value

  constructor(value: Value) {
    this.#value = value
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): { done: true; value: Value } {
    return { done: true, value: this.#value }
  }
}

/** Does the work: the answer, or the promise of one if it has to wait. Throws at once what goes wrong at once. */
export function run<Answer>(steps: Steps<Answer>): Soon<Answer> {
  const first = steps.next()
  return first.done === true ? first.value : finish(steps, first.value)
}

async function finish<Answer>(steps: Steps<Answer>, pending: PromiseLike<unknown>): Promise<Answer> {
  let waiting = pending
  for (;;) {
    const next = await settle(steps, waiting)
    if (next.done === true) return next.value
    waiting = next.value
  }
}

async function settle<Answer>(
  steps: Steps<Answer>,
  waiting: PromiseLike<unknown>,
): Promise<IteratorResult<PromiseLike<unknown>, Answer>> {
  let answer: unknown
  try {
    answer = await waiting
  } catch (error) {
    return steps.throw(error)
  }
  return steps.next(answer)
}

/** Whether a value is a promise, of whatever make. */
export function isPromised(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
}
