import { matchesEntity, httpDate } from "../http/caching.ts"
import type { HttpAnswer, HttpRequest, Route } from "../http/route.ts"
import type { Hex } from "../../client/index.ts"
import { CrlUnknownError } from "../errors/revocation.ts"
import { CrlBook } from "./crlBook.ts"
import type { CrlContext, SignedCrl } from "./crlBook.ts"
import { CRL_FAILURE } from "./failures.ts"

export { crlAddresses } from "./crlAddresses.ts"
export { CrlBook } from "./crlBook.ts"
export type { CrlContext, CrlHealth, SignedCrl } from "./crlBook.ts"
export { writeStatic } from "./writeStatic.ts"

/** Caches ask again after so long; bad news waits no longer. */
const MAX_AGE_SECONDS = 30
const RETRY_SECONDS = 10

/**
 * The CRLs: complete at `/crl/{issuer key id}.crl`, deltas at `/crl/{…}-delta.crl`, shards at `/crl/{…}/{shard}.crl`,
 * each with an ETag. RFC 2585, 3, and RFC 5280, 5.
 *
 * @param book Made of the context, where others need it too: for health, and for files.
 * @throws CrlLifetimeShortError.
 */
export function crlRoutes(context: CrlContext, book: CrlBook = new CrlBook(context)): Route[] {
  const handle = async ({ path, headers }: HttpRequest): Promise<HttpAnswer> => {
    try {
      return found(await crlAt(book, path), headers["if-none-match"])
    } catch (error) {
      return failed(error)
    }
  }
  return [{ name: "crl", methods: ["GET", "HEAD"], path: "/crl/", maxBodyBytes: 0, handle }]
}

async function crlAt(book: CrlBook, path: string): Promise<SignedCrl> {
  const [, digits, delta, shard] =
    /^\/crl\/([0-9a-f]{64})(?:(-delta)|\/(\d{1,10}-\d{1,10}-\d{1,10}))?\.crl$/.exec(path) ?? []
  if (digits === undefined) throw new CrlUnknownError()
  const keyId: Hex = `0x${digits}`
  if (shard !== undefined) return book.shard(keyId, shard)
  return delta === undefined ? book.complete(keyId) : book.delta(keyId)
}

function found({ der, entityTag, thisUpdate, nextUpdate }: SignedCrl, ifNoneMatch: string | undefined): HttpAnswer {
  const headers = {
    "Content-Type": "application/pkix-crl",
    "Cache-Control": `max-age=${MAX_AGE_SECONDS}, public, no-transform, must-revalidate`,
    "Last-Modified": httpDate(thisUpdate),
    Expires: httpDate(nextUpdate),
    ETag: entityTag,
  }
  if (matchesEntity(ifNoneMatch, entityTag)) return { status: 304, headers, body: new Uint8Array(0) }
  return { status: 200, headers, body: der }
}

function failed(error: unknown): HttpAnswer {
  const name = error instanceof Error ? error.name : ""
  const status = Object.hasOwn(CRL_FAILURE, name) ? CRL_FAILURE[name as keyof typeof CRL_FAILURE] : 500
  const headers: Record<string, string> = { "Cache-Control": "no-store" }
  if (status === 503) headers["Retry-After"] = String(RETRY_SECONDS)
  return { status, headers, body: new Uint8Array(0) }
}
