import type { ClientRequest, IncomingMessage } from "node:http"
import type { Readable, Transform } from "node:stream"
import type { HttpRequest, HttpResponse } from "./httpTypes.ts"

/** Asked of the process instead of imported, so that bundles for browsers need no stand-in. */
const builtIn = globalThis.process?.getBuiltinModule?.bind(globalThis.process)

/** A POST request by Node's own HTTP client; undefined where there is none. */
export const nodePost: ((request: HttpRequest) => Promise<HttpResponse>) | undefined =
  builtIn?.("node:http") === undefined ? undefined : post

/** What it is called when the other side closed a connection. */
const CLOSED: ReadonlySet<string | undefined> = new Set(["ECONNRESET", "EPIPE"])

/** More compressions one in another than this are an attack. */
const MOST_ENCODINGS = 5

async function post(request: HttpRequest): Promise<HttpResponse> {
  const response = await send(request)
  return { status: response.statusCode ?? 0, parts: decompressed(response) }
}

async function send(request: HttpRequest): Promise<IncomingMessage> {
  for (;;) {
    const sent = start(request)
    try {
      return await responseTo(sent)
    } catch (error) {
      // The server closed a kept connection just as it was taken up again: nothing came of this, so it is asked on another. A
      // fresh one never counts as taken up again.
      if (!sent.reusedSocket || !CLOSED.has((error as NodeJS.ErrnoException).code)) throw error
    }
  }
}

function start({ address, headers, body, signal }: HttpRequest): ClientRequest {
  const client = address.startsWith("https:") ? builtIn("node:https") : builtIn("node:http")
  const own = { "accept-encoding": "gzip, deflate, br", "content-length": new TextEncoder().encode(body).length }
  return client.request(address, { method: "POST", signal, headers: { ...headers, ...own } }).end(body)
}

function responseTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // All stay: what comes after the first changes nothing any more.
    sent.on("response", resolve).on("error", reject)
    // A server that wants to speak another protocol (status 101) is hung up on, which is neither of the two.
    sent.on("close", () => reject(new Error("the connection ended without an answer")))
  })
}

function decompressed(response: IncomingMessage): Readable {
  const named = response.headers["content-encoding"]
  if (named === undefined) return response
  const encodings = named.split(",").map((name) => name.trim().toLowerCase())
  if (encodings.length > MOST_ENCODINGS) {
    response.destroy()
    throw new RangeError(`${encodings.length} compressions one in another`)
  }
  // The last one named was applied last. Of unknown ones nothing can be made, and so the reader finds out.
  const decoders = encodings.reverse().map(decoderOf)
  const known = decoders.filter((decoder) => decoder !== undefined)
  if (known.length < decoders.length) return response
  // Errors come out at the end of the line.
  return builtIn("node:stream").pipeline([response, ...known], () => undefined) as unknown as Readable
}

/** What was cut short comes out as far as it goes, as it does from `fetch`: the reader sees that it is no whole answer. */
function decoderOf(encoding: string): Transform | undefined {
  const { constants, createBrotliDecompress, createGunzip, createInflate } = builtIn("node:zlib")
  const zlib = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }
  const brotli = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH }
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return createGunzip(zlib)
    case "deflate":
      return createInflate(zlib)
    case "br":
      return createBrotliDecompress(brotli)
    default:
      return undefined
  }
}
