import { FleetrootError } from "../errors/base.ts"
import { ImageSourceError } from "../errors/firmware.ts"

/** Random access to an image: a file, an HTTP resource with ranges, memory. */
export type ImageSource = {
  /** Bytes in all. */
  readonly size: number
  /** Exactly the `length` bytes from `offset` on. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** Fills `buffer` from `offset` on, where that spares memory; `read` must be there all the same. */
  readInto?(buffer: Uint8Array, offset: number): Promise<void>
}

/** Whatever gives the bytes of an image. A stream is read once, never further than it has to be, and then closed. */
export type ImageInput = Uint8Array | ImageSource | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

/** Bytes that one read asks for: large enough to be fast, two of them small against any image. */
const BLOCK_BYTES = 1 << 20

/** Sources that do not end by giving nothing are given up after so many empty chunks in a row. */
const MOST_EMPTY_CHUNKS = 1_000

/** An image in memory. */
export function bytesImage(bytes: Uint8Array): ImageSource {
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) }
}

/** The input as random access, if it can be read more than once. @throws ImageSourceError */
export function randomAccess(input: ImageInput): ImageSource | undefined {
  if (input instanceof Uint8Array) return bytesImage(input)
  if (typeof input !== "object" || input === null) throw new ImageSourceError({ problem: `it is ${typeof input}` })
  if (!("read" in input) || !("size" in input)) return undefined
  const { size } = input
  if (typeof input.read !== "function" || !Number.isSafeInteger(size) || size < 0) {
    throw new ImageSourceError({ problem: "`size` is no count of bytes, or `read` no function" })
  }
  return input
}

/**
 * The image's bytes from the start, in order. A chunk is only good until the next one is asked for.
 *
 * @throws ImageSourceError
 */
export async function* chunksOf(input: ImageInput): AsyncGenerator<Uint8Array, void, void> {
  const source = randomAccess(input)
  yield* source === undefined ? streamed(input) : blocks(source)
}

/** Reads the next block while the last one is worked on. */
async function* blocks(source: ImageSource): AsyncGenerator<Uint8Array, void, void> {
  const { size } = source
  const buffers: Uint8Array[] = []
  const start = (offset: number): Promise<Uint8Array> | undefined => {
    if (offset >= size) return undefined
    const length = Math.min(BLOCK_BYTES, size - offset)
    if (source.readInto === undefined) return quiet(exactly(source.read(offset, length), length))
    const turn = (offset / BLOCK_BYTES) % 2
    const buffer = (buffers[turn] ??= new Uint8Array(Math.min(BLOCK_BYTES, size))).subarray(0, length)
    return quiet(source.readInto(buffer, offset).then(() => buffer))
  }
  for (let offset = 0, next = start(0); next !== undefined; offset += BLOCK_BYTES) {
    const block = await guarded(next)
    next = start(offset + BLOCK_BYTES)
    yield block
  }
}

async function* streamed(input: ImageInput): AsyncGenerator<Uint8Array, void, void> {
  const iterator = iteratorOf(input)
  let finished = false
  try {
    for (let empty = 0; empty < MOST_EMPTY_CHUNKS;) {
      const { done, value } = await guarded(iterator.next())
      if (done === true) {
        finished = true
        return
      }
      if (!(value instanceof Uint8Array)) throw new ImageSourceError({ problem: `a chunk is ${typeof value}` })
      empty = value.length === 0 ? empty + 1 : 0
      if (value.length > 0) yield value
    }
    throw new ImageSourceError({ problem: `it gave ${MOST_EMPTY_CHUNKS} empty chunks in a row` })
  } finally {
    // Whoever downloads for us shall stop; that it could not be told so changes no verdict.
    if (!finished) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

function iteratorOf(input: ImageInput): AsyncIterator<unknown, unknown> {
  if (typeof input === "object" && input !== null) {
    if (Symbol.asyncIterator in input) return input[Symbol.asyncIterator]()
    if (isReadableStream(input)) return readerIterator(input)
  }
  throw new ImageSourceError({ problem: "it is neither bytes nor a stream nor a source" })
}

function isReadableStream(input: object): input is ReadableStream<Uint8Array> {
  return "getReader" in input && typeof input.getReader === "function"
}

/** Not every browser's ReadableStream can be iterated. */
function readerIterator(stream: ReadableStream<Uint8Array>): AsyncIterator<unknown, unknown> {
  const reader = stream.getReader()
  return {
    next: async () => {
      const { done, value } = await reader.read()
      return done ? { done: true, value: undefined } : { done: false, value }
    },
    return: async () => {
      await reader.cancel()
      return { done: true, value: undefined }
    },
  }
}

async function exactly(reading: Promise<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = await reading
  if (bytes instanceof Uint8Array && bytes.length === length) return bytes
  const found = bytes instanceof Uint8Array ? `${bytes.length} bytes` : typeof bytes
  throw new ImageSourceError({ problem: `a read of ${length} bytes gave ${found}` })
}

/** An error of whoever reads for us keeps its words, in one class. */
async function guarded<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (cause) {
    // A file or a server that cannot be read says nothing about the image: that is no verdict.
    if (cause instanceof FleetrootError) throw cause
    throw new ImageSourceError({ problem: cause instanceof Error ? cause.message : "reading failed", cause })
  }
}

/** A read that nobody waits for any more must not end the process. */
function quiet<T>(reading: Promise<T>): Promise<T> {
  reading.catch(() => undefined)
  return reading
}
