import { FleetrootError } from "../../errors/base.ts"
import {
  MirrorAnswerError,
  MirrorStatusError,
  MirrorTimeoutError,
  MirrorTooLargeError,
  MirrorUnreachableError,
} from "../../errors/mirror.ts"
import { MANIFEST_HEADER_BYTES, bytesSource } from "../../merkle/manifest.ts"
import type { ManifestSource } from "../../merkle/manifest.ts"

export type HttpManifestOptions = {
  /** Time for the first byte, and for each MiB after it, in milliseconds. Default: 15,000. */
  timeoutMs?: number
  /** Largest manifest that is read by ranges. Default: 2^33, more than 250 million devices. */
  maxBytes?: number
  /** Largest manifest that is kept in memory, where a mirror has no ranges. Default: 512 MiB. */
  maxBytesInMemory?: number
  fetch?: typeof globalThis.fetch
}

type Answer = { readonly bytes: Uint8Array; readonly headers: Headers; readonly status: number }

const MIB = 2 ** 20

/**
 * A manifest on a web server. Reads it by ranges where the server knows them (RFC 9110, 14), else fetches it whole and keeps
 * it in memory. Size and time are bounded, redirects are not followed, and what the bytes are worth only `readManifest`
 * tells: a mirror is believed in nothing.
 *
 * @throws MirrorUnreachableError, MirrorTimeoutError, MirrorStatusError, MirrorTooLargeError, MirrorAnswerError; so does
 *   every read.
 */
export async function httpManifestSource(url: string, options: HttpManifestOptions = {}): Promise<ManifestSource> {
  const { maxBytes = 2 ** 33, maxBytesInMemory = 2 ** 29 } = options
  const mirror = new Mirror(url, options)
  const first = await mirror.get({ offset: 0, length: MANIFEST_HEADER_BYTES }, maxBytesInMemory)
  if (first.status === 200) return bytesSource(first.bytes)

  const size = mirror.totalOf(first, 0)
  if (size > maxBytes) throw new MirrorTooLargeError({ mirror: mirror.name, maxBytes })
  const version = first.headers.get("etag")
  return {
    size,
    read: async (offset, length) => {
      if (length === 0) return new Uint8Array(0)
      const answer = await mirror.get({ offset, length }, length)
      const expected = `bytes ${offset} to ${offset + length - 1} of ${size}`
      const total = answer.status === 206 ? mirror.totalOf(answer, offset) : undefined
      if (total !== size) throw mirror.wrong(expected, total === undefined ? "the whole file" : `a file of ${total}`)
      if (answer.headers.get("etag") !== version) throw mirror.wrong(expected, "another version of the file")
      return answer.bytes
    },
  }
}

/** One address, asked for ranges of bytes. */
class Mirror {
  /** Host and port: the rest of an address may hold secrets. */
  readonly name: string
  readonly #url: string
  readonly #timeoutMs: number
  readonly #fetch: typeof globalThis.fetch

  constructor(url: string, options: HttpManifestOptions) {
    this.#timeoutMs = options.timeoutMs ?? 15_000
    this.#fetch = options.fetch ?? globalThis.fetch
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    if (parsed === undefined || !["http:", "https:"].includes(parsed.protocol)) {
      throw new MirrorUnreachableError({ mirror: "at the given address, which is no http or https URL," })
    }
    this.name = parsed.host
    this.#url = url
  }

  /** @param most Bytes taken of an answer that is not the range. */
  async get({ offset, length }: { offset: number; length: number }, most: number): Promise<Answer> {
    const abort = new AbortController()
    const clock = new Pace(this.#timeoutMs, () => abort.abort())
    try {
      const response = await this.#fetch(this.#url, {
        headers: { range: `bytes=${offset}-${offset + length - 1}`, "accept-encoding": "identity" },
        redirect: "manual",
        signal: abort.signal,
      })
      const { status, headers } = response
      if (status !== 200 && status !== 206) {
        await response.body?.cancel()
        throw new MirrorStatusError({ mirror: this.name, status })
      }
      const limit = status === 206 ? length : most
      const bytes = await readBody(response, { limit, clock, tooLarge: () => this.#tooLarge(status, limit) })
      return { bytes, headers, status }
    } catch (cause) {
      if (cause instanceof FleetrootError) throw cause
      if (abort.signal.aborted) throw new MirrorTimeoutError({ mirror: this.name, timeoutMs: this.#timeoutMs })
      throw new MirrorUnreachableError({ mirror: this.name, cause })
    } finally {
      clock.stop()
    }
  }

  /** Bytes of the whole file, as the answer to a range from `offset` on says. */
  totalOf({ headers, bytes }: Answer, offset: number): number {
    const range = headers.get("content-range") ?? "no Content-Range"
    const [, from, to, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range) ?? []
    const fits = Number(from) === offset && Number(to) === offset + bytes.length - 1 && Number(total) > Number(to)
    if (!fits) throw this.wrong(`bytes from ${offset} on`, `"${range.slice(0, 60)}" with ${bytes.length} bytes`)
    return Number(total)
  }

  wrong(expected: string, found: string): MirrorAnswerError {
    return new MirrorAnswerError({ mirror: this.name, expected, found })
  }

  #tooLarge(status: number, limit: number): FleetrootError {
    if (status === 206) return this.wrong(`${limit} bytes`, "more")
    return new MirrorTooLargeError({ mirror: this.name, maxBytes: limit })
  }
}

/** Ends what brings less than a MiB in the time allowed for one, however it drips. */
class Pace {
  readonly #timeoutMs: number
  readonly #onLate: () => void
  readonly #started = Date.now()
  #timer: ReturnType<typeof setTimeout>
  #mebibytes = 0

  constructor(timeoutMs: number, onLate: () => void) {
    this.#timeoutMs = timeoutMs
    this.#onLate = onLate
    this.#timer = setTimeout(onLate, timeoutMs)
  }

  received(bytes: number): void {
    const mebibytes = Math.floor(bytes / MIB)
    if (mebibytes === this.#mebibytes) return
    this.#mebibytes = mebibytes
    clearTimeout(this.#timer)
    const end = this.#started + this.#timeoutMs * (mebibytes + 1)
    this.#timer = setTimeout(this.#onLate, Math.max(0, end - Date.now()))
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

async function readBody(
  response: Response,
  { limit, clock, tooLarge }: { limit: number; clock: Pace; tooLarge: () => FleetrootError },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let received = 0
  const reader = response.body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || value === undefined) break
    received += value.length
    if (received > limit) {
      await reader?.cancel()
      throw tooLarge()
    }
    chunks.push(value)
    clock.received(received)
  }
  const bytes = new Uint8Array(received)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
