import { ImageSourceError, ImageTooLongError, ImageTruncatedError } from "../errors/firmware.ts"
import { chunksOf } from "./imageSource.ts"
import type { ImageInput } from "./imageSource.ts"

/** The longest image that is read unless the caller allows more: what MCUboot's 32-bit sizes can express. */
export const DEFAULT_MAXIMUM_BYTES = 2 ** 32

export type ImageReaderOptions = {
  /** Reading stops one byte behind this many. Default: 4 GiB. */
  maximumBytes?: number
  /** Gives up, with the signal's reason. */
  signal?: AbortSignal
  /** Called now and then with the bytes read so far. */
  onProgress?: (bytes: number) => void
  /** Sees all bytes in order, whatever becomes of them. */
  tap?: (part: Uint8Array) => void
}

/** Reads an image once from front to back, holding no more than a chunk of it. */
export class ImageReader {
  readonly #chunks: AsyncGenerator<Uint8Array, void, void>
  readonly #maximumBytes: number
  readonly #signal: AbortSignal | undefined
  readonly #onProgress: ((bytes: number) => void) | undefined
  readonly #tap: ((part: Uint8Array) => void) | undefined
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0
  #position = 0
  #received = 0

  constructor(input: ImageInput, options: ImageReaderOptions = {}) {
    const { maximumBytes = DEFAULT_MAXIMUM_BYTES } = options
    if (!Number.isSafeInteger(maximumBytes) || maximumBytes < 1) {
      throw new ImageSourceError({ problem: `maximumBytes is ${maximumBytes}` })
    }
    this.#chunks = chunksOf(input)
    this.#maximumBytes = maximumBytes
    this.#signal = options.signal
    this.#onProgress = options.onProgress
    this.#tap = options.tap
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position
  }

  /** The next `length` bytes, in memory of their own. @throws ImageTruncatedError */
  async take(length: number, what: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    let filled = 0
    await this.pass(length, what, (part) => {
      bytes.set(part, filled)
      filled += part.length
    })
    return bytes
  }

  /** Up to `length` bytes: fewer only where the image ends. */
  async takeUpTo(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let left = length
    while (left > 0 && (await this.#fill())) {
      const part = this.#cut(left)
      parts.push(part.slice())
      left -= part.length
    }
    const bytes = new Uint8Array(length - left)
    let filled = 0
    for (const part of parts) {
      bytes.set(part, filled)
      filled += part.length
    }
    return bytes
  }

  /** Hands the next `length` bytes to `use`, in pieces. @throws ImageTruncatedError */
  async pass(length: number, what: string, use: (part: Uint8Array) => void): Promise<void> {
    let left = length
    while (left > 0) {
      if (!(await this.#fill())) throw new ImageTruncatedError({ what, needed: length, left: length - left })
      const part = this.#cut(left)
      use(part)
      left -= part.length
    }
  }

  /** Hands all that is left to `use`, in pieces. @throws ImageTooLongError */
  async passRest(use: (part: Uint8Array) => void = () => undefined): Promise<void> {
    while (await this.#fill()) use(this.#cut(this.#chunk.length - this.#at))
  }

  /** Stops reading; a stream is told so. */
  async close(): Promise<void> {
    await this.#chunks.return()
  }

  /** Sees to it that there is a byte to take; false at the end. */
  async #fill(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      this.#signal?.throwIfAborted()
      const { done, value } = await this.#chunks.next()
      if (done === true) return false
      this.#received += value.length
      if (this.#received > this.#maximumBytes) {
        throw new ImageTooLongError({ limit: this.#maximumBytes, why: "the most that this check reads" })
      }
      this.#chunk = value
      this.#at = 0
      this.#onProgress?.(this.#received)
    }
    return true
  }

  #cut(most: number): Uint8Array {
    const part = this.#chunk.subarray(this.#at, this.#at + most)
    this.#at += part.length
    this.#position += part.length
    this.#tap?.(part)
    return part
  }
}
