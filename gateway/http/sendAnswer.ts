import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { HttpAnswer } from "./route.ts"

/**
 * Sends an answer. A stream that breaks in the middle breaks the connection: nobody takes half an answer for a whole one.
 *
 * @returns the octets of its body.
 */
export async function sendAnswer(response: ServerResponse, { status, headers, body }: HttpAnswer): Promise<number> {
  if (body instanceof Uint8Array) return sendWhole(response, { status, headers, body })
  response.writeHead(status, headers)
  if (response.req.method === "HEAD") {
    response.end()
    return 0
  }
  let octets = 0
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      octets += piece.length
      yield piece
    }
  }
  await pipeline(Readable.from(counted()), response)
  return octets
}

/** The same for a body that is there, without waiting. */
export function sendWhole(
  response: ServerResponse,
  { status, headers, body }: HttpAnswer & { readonly body: Uint8Array },
): number {
  const bodiless = status === 204 || status === 304
  response.writeHead(status, bodiless ? headers : { ...headers, "Content-Length": String(body.length) })
  response.end(bodiless ? undefined : body)
  return body.length
}

/** Of a request that was refused, this much more is read and thrown away … */
const LINGER_BYTES = 4 * 1024 * 1024
/** … for this long. */
const LINGER_MS = 2_000

/**
 * Refuses a request whose body is still on its way, and ends the connection. Closed at once, it would be reset, and the client
 * would read nothing: so the rest is thrown away for a moment.
 */
export async function refuseEarly(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: HttpAnswer & { readonly body: Uint8Array },
): Promise<void> {
  response.writeHead(status, { ...headers, "Content-Length": String(body.length), Connection: "close" })
  response.write(body)
  let left = LINGER_BYTES
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS)
    const done = (): void => {
      clearTimeout(timer)
      resolve()
    }
    request.on("data", (piece: Buffer) => {
      left -= piece.length
      if (left < 0) done()
    })
    request.once("end", done).once("close", done).resume()
  })
  response.end()
}
