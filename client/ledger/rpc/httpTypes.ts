/** One POST request. */
export type HttpRequest = {
  readonly address: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

/** What a server answered: the parts of the body as they come, with no compression any more. */
export type HttpResponse = { readonly status: number; readonly parts: AsyncIterable<Uint8Array> }
