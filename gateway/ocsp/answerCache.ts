import type { Responder } from "../issuers/responder.ts"

/** An answer that was signed once. */
export type CachedAnswer = {
  /** What it says; it is given again only while the ledger says the same. */
  readonly says: string
  /** Whose signature it bears; it is given again only while the same one signs. */
  readonly responder: Responder
  /** Unix seconds from which on it is signed anew. */
  readonly refreshAt: number
  readonly answer: Promise<SignedAnswer>
  /** The same, once it is there. */
  ready?: SignedAnswer
}

export type SignedAnswer = {
  readonly der: Uint8Array
  /** Unix seconds, as all of them. */
  readonly producedAt: number
  readonly thisUpdate: number
  readonly nextUpdate: number
}

/** Signed answers by question, the least recently used dropped first. */
export class AnswerCache {
  readonly #answers = new Map<string, CachedAnswer>()
  readonly #capacity: number

  /** @param capacity How many answers; one takes about two kilobytes. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#answers.size
  }

  /** At once where it is there. */
  get(
    question: string,
    { says, responder, now }: Pick<CachedAnswer, "says" | "responder"> & { readonly now: number },
  ): SignedAnswer | Promise<SignedAnswer> | undefined {
    const cached = this.#answers.get(question)
    if (cached === undefined) return undefined
    this.#answers.delete(question)
    if (cached.says !== says || cached.responder !== responder || now >= cached.refreshAt) return undefined
    const { ready } = cached
    // One whose signer ends sooner lives shorter; and when clocks go back, none is from the future.
    if (ready !== undefined && (now > ready.nextUpdate || now < ready.producedAt)) return undefined
    this.#answers.set(question, cached)
    return cached.ready ?? cached.answer
  }

  put(question: string, cached: CachedAnswer): void {
    if (this.#capacity <= 0) return
    this.#answers.delete(question)
    if (this.#answers.size >= this.#capacity) {
      const [oldest] = this.#answers.keys()
      if (oldest !== undefined) this.#answers.delete(oldest)
    }
    this.#answers.set(question, cached)
    const keep = async (): Promise<void> => {
      cached.ready = await cached.answer
    }
    // Whoever asked hears of a failure; the next one has it tried again.
    keep().catch(() => {
      if (this.#answers.get(question) === cached) this.#answers.delete(question)
    })
  }
}
