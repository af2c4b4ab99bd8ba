import type { HttpRequest, HttpResponse } from "./httpTypes.ts"
import { nodePost } from "./nodePost.ts"

/**
 * Sends a POST request and answers as soon as the status is known. Redirects are answers like any other: what they lead to was not
 * chosen by the user.
 *
 * In Node it goes through Node's own HTTP client: `fetch` takes 50 ms of a program's start there, as long as all else together.
 */
export async function httpPost(request: HttpRequest): Promise<HttpResponse> {
  return nodePost === undefined ? fetchPost(request) : nodePost(request)
}

/** The same by `fetch`, for where there is nothing else. */
export async function fetchPost({ address, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
  const response = await fetch(address, { method: "POST", headers, body, signal, redirect: "manual" })
  return { status: response.status, parts: readParts(response.body) }
}

/** Not all browsers can iterate over a stream. */
async function* readParts(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) return
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // Whoever has seen enough wants no more of it.
    await reader.cancel()
  }
}
