import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import type { CryptoBackend, VerifyParameters } from "../crypto/types.ts"
import { NumberOutOfRangeError } from "../errors/ledger.ts"
import { VerifyThreadLostError, VerifyThreadsClosedError } from "../errors/workers.ts"
import { ANSWER, packQuestions } from "./verifyMessage.ts"
import type { VerifyReply } from "./verifyMessage.ts"

/** A back end whose threads have to be closed. */
export type VerifyThreads = CryptoBackend & {
  /** Ends the threads; what they were asked and did not answer fails. May be called twice. */
  close(): Promise<void>
}

export type VerifyThreadsOptions = {
  /** How many. Default: as many as this machine runs at once. */
  threads?: number
  /** The file that a thread runs. Default: this library's. */
  file?: URL
}

type Waiting = {
  readonly question: VerifyParameters
  readonly resolve: (verdict: boolean | Promise<boolean>) => void
  readonly reject: (error: unknown) => void
}

const MOST_THREADS = 256
/** Sending costs as much for one question as for many: they wait for each other, but not for longer than this turn. */
const MOST_AT_ONCE = 64

/**
 * Checks signatures on threads of their own, so that many checks use all of a machine's cores. For one check at a time it is
 * slower than the calling thread. Threads start with the first question and hold no process alive that has nothing else to do.
 *
 * A thread that ends without an answer is a {@link VerifyThreadLostError} for whoever waited, and is replaced.
 *
 * @throws NumberOutOfRangeError
 */
export function verifyThreads(options: VerifyThreadsOptions = {}): VerifyThreads {
  const { threads = availableParallelism(), file = threadFile() } = options
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new NumberOutOfRangeError({ what: "threads", found: threads, minimum: 1, maximum: MOST_THREADS })
  }
  const pool: (Thread | undefined)[] = Array.from({ length: threads }, () => undefined)
  let next: Waiting[] = []
  let closed = false

  function leastBusy(): Thread {
    let best = 0
    for (let i = 1; i < threads; i++) if ((pool[i]?.load ?? 0) < (pool[best]?.load ?? 0)) best = i
    const thread = pool[best]
    if (thread !== undefined && !thread.ended) return thread
    const fresh = new Thread(file)
    pool[best] = fresh
    return fresh
  }

  function send(): void {
    if (next.length === 0) return
    const batch = next
    next = []
    leastBusy().ask(batch)
  }

  return {
    name: "threads",
    verify: (question) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new VerifyThreadsClosedError())
          return
        }
        if (next.length === 0) queueMicrotask(send)
        next.push({ question, resolve, reject })
        if (next.length === MOST_AT_ONCE) send()
      }),
    close: async () => {
      closed = true
      for (const { reject } of next) reject(new VerifyThreadsClosedError())
      next = []
      await Promise.all(pool.filter((thread) => thread !== undefined).map((thread) => thread.close()))
    },
  }
}

/** Beside this file, in whatever form it is run. */
function threadFile(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./verifyThread.ts" : "./verifyThread.js", import.meta.url)
}

/** One thread and what it owes. */
class Thread {
  readonly #worker: Worker
  readonly #owed = new Map<number, readonly Waiting[]>()
  #last = 0
  load = 0
  ended = false

  constructor(file: URL) {
    // Options that this process was started with, such as a script to evaluate, are none of the thread's.
    this.#worker = new Worker(file, { execArgv: [] })
    this.#worker.unref()
    this.#worker.on("message", (reply: VerifyReply) => this.#take(reply))
    this.#worker.on("messageerror", (cause) => this.#lose("its answer could not be read", cause))
    this.#worker.on("error", (cause) => this.#lose("it failed", cause))
    this.#worker.on("exit", (code) => this.#lose(`it ended with code ${code}`))
  }

  ask(batch: readonly Waiting[]): void {
    const id = ++this.#last
    const message = packQuestions(
      id,
      batch.map(({ question }) => question),
    )
    this.#owed.set(id, batch)
    this.load += batch.length
    this.#worker.ref()
    this.#worker.postMessage(message, [message.table.buffer, message.bytes.buffer])
  }

  async close(): Promise<void> {
    this.#end(() => new VerifyThreadsClosedError())
    await this.#worker.terminate()
  }

  #take({ id, answers }: VerifyReply): void {
    const batch = this.#owed.get(id)
    if (batch === undefined || !(answers instanceof Uint8Array) || answers.length !== batch.length) {
      this.#lose("its answer is not one to the question")
      return
    }
    this.#owed.delete(id)
    this.load -= batch.length
    if (this.#owed.size === 0) this.#worker.unref()
    for (const [i, { question, resolve }] of batch.entries()) {
      if (answers[i] === ANSWER.yes) resolve(true)
      else if (answers[i] === ANSWER.no) resolve(false)
      // Here the error has its class and its fields.
      else resolve(defaultCrypto().verify(question))
    }
  }

  #lose(reason: string, cause?: unknown): void {
    if (this.ended) return
    this.#end(() => new VerifyThreadLostError({ reason, cause }))
    this.#worker.terminate().catch(() => {}) // it has ended, or ends
  }

  #end(error: () => Error): void {
    this.ended = true
    const owed = [...this.#owed.values()].flat()
    this.#owed.clear()
    this.load = 0
    for (const { reject } of owed) reject(error())
  }
}
