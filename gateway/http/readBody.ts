import type { IncomingMessage } from "node:http"

/** How many octets of bodies are in memory, for all requests together. */
export class BodyBudget {
  readonly #most: number
  #used = 0

  constructor(most: number) {
    this.#most = most
  }

  get used(): number {
    return this.#used
  }

  /** Whether there was room; then it is taken. */
  take(octets: number): boolean {
    if (this.#used + octets > this.#most) return false
    this.#used += octets
    return true
  }

  give(octets: number): void {
    this.#used -= octets
  }
}

export type ReadBody =
  | { readonly kind: "whole"; readonly body: Uint8Array }
  | { readonly kind: "tooLarge" }
  /** The budget of all requests is used up. */
  | { readonly kind: "noRoom" }
  /** The client went away in the middle of it. */
  | { readonly kind: "cut" }

const EMPTY = new Uint8Array(0)

/** Reads a request's body. What is `whole` has taken its length from the budget; whoever asked gives it back. */
export async function readBody(request: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<ReadBody> {
  const declared = request.headers["content-length"]
  if (declared !== undefined && Number(declared) > maxBytes) return { kind: "tooLarge" }
  if (declared === undefined && request.headers["transfer-encoding"] === undefined) {
    return { kind: "whole", body: EMPTY }
  }

  const pieces: Buffer[] = []
  let length = 0
  const refuse = (kind: Exclude<ReadBody["kind"], "whole">): ReadBody => {
    budget.give(length)
    return { kind }
  }
  return new Promise((resolve) => {
    const done = (result: ReadBody): void => {
      request.off("data", onData).off("end", onEnd).off("close", onCut).off("error", onCut)
      // What comes after a refusal is thrown away by whoever answers.
      request.on("error", ignore)
      resolve(result)
    }
    const onData = (piece: Buffer): void => {
      if (length + piece.length > maxBytes) return done(refuse("tooLarge"))
      if (!budget.take(piece.length)) return done(refuse("noRoom"))
      length += piece.length
      pieces.push(piece)
    }
    const onEnd = (): void => {
      done({ kind: "whole", body: joined(pieces) })
    }
    const onCut = (): void => {
      done(refuse("cut"))
    }
    request.on("data", onData).on("end", onEnd).on("close", onCut).on("error", onCut)
  })
}

function joined(pieces: readonly Buffer[]): Uint8Array {
  const [first] = pieces
  if (first === undefined) return EMPTY
  const { buffer, byteOffset, length } = pieces.length === 1 ? first : Buffer.concat(pieces)
  const body = new Uint8Array(buffer, byteOffset, length)
  // A small piece of something large would keep all of that in memory, and only the piece is counted.
  return buffer.byteLength > 2 * length ? body.slice() : body
}

function ignore(): void {
  // The connection's end is told by its own events.
}
