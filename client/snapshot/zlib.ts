import { StatusListMalformedError, StatusListTooLargeError } from "../errors/statusList.ts"

/** zlib (RFC 1950) by the platform. */
export async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  return throughStream(bytes, new CompressionStream("deflate"), Number.MAX_SAFE_INTEGER)
}

/**
 * Undoes {@link deflate}, up to `maxBytes` of result.
 *
 * @throws {@link StatusListTooLargeError} {@link StatusListMalformedError}
 */
export async function inflate(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  try {
    return await throughStream(bytes, new DecompressionStream("deflate"), maxBytes)
  } catch (cause) {
    if (cause instanceof StatusListTooLargeError) throw cause
    throw new StatusListMalformedError("its bytes are no zlib stream (RFC 1950), or not only one", cause)
  }
}

async function throughStream(
  bytes: Uint8Array,
  stream: CompressionStream | DecompressionStream,
  maxBytes: number,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter()
  const writing = writer.write(new Uint8Array(bytes)).then(() => writer.close())
  writing.catch(() => undefined) // the reader meets the same failure

  const reader = stream.readable.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > maxBytes) {
      await reader.cancel()
      throw new StatusListTooLargeError({ maxBytes })
    }
    chunks.push(value)
  }
  await writing
  const all = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}
