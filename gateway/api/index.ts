import type { HttpAnswer, HttpRequest, Route } from "../http/route.ts"
import { apiApp } from "./app.ts"
import type { ApiContext } from "./app.ts"

export type { ApiContext } from "./app.ts"
export type { CertificateCheck } from "./certificateCheck.ts"
export { openApi } from "./openApi.ts"

/** A certificate of 64 KiB, the most that is read, in PEM. */
const MOST_BYTES = 128 * 1024

/** The JSON API, below `/v1/`. RFC 9457 says what went wrong; `/v1/openapi.json` describes all of it. */
export function apiRoutes(context: ApiContext): Route[] {
  const app = apiApp(context)
  const handle = async ({ method, path, query, headers, body }: HttpRequest): Promise<HttpAnswer> => {
    // Only path, query and body matter; the origin stands for whatever the client called this gateway.
    const type = headers["content-type"]
    const sent = method === "POST" ? { body, headers: type === undefined ? {} : { "content-type": type } } : {}
    const answer = await app.request(`http://gateway${path}?${query.toString()}`, {
      method,
      ...(sent as { body?: Uint8Array<ArrayBuffer>; headers?: Record<string, string> }),
    })
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: new Uint8Array(await answer.arrayBuffer()),
    }
  }
  const routes: Route[] = [{ name: "api", methods: ["GET"], path: "/v1/", maxBodyBytes: 0, handle }]
  if (context.check !== undefined) {
    routes.push({ name: "api", methods: ["POST"], path: "/v1/status", maxBodyBytes: MOST_BYTES, handle })
  }
  return routes
}
