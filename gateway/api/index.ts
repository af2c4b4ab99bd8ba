import type { HttpAnswer, HttpRequest, Route } from "../http/route.ts"
import { apiApp } from "./app.ts"
import type { ApiContext } from "./app.ts"

export type { ApiContext } from "./app.ts"
export { openApi } from "./openApi.ts"

/** The JSON API, below `/v1/`. RFC 9457 says what went wrong; `/v1/openapi.json` describes all of it. */
export function apiRoutes(context: ApiContext): Route[] {
  const app = apiApp(context)
  const handle = async ({ method, path, query }: HttpRequest): Promise<HttpAnswer> => {
    // Only path and query matter; the origin stands for whatever the client called this gateway.
    const answer = await app.request(`http://gateway${path}?${query.toString()}`, { method })
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: new Uint8Array(await answer.arrayBuffer()),
    }
  }
  return [{ name: "api", methods: ["GET"], path: "/v1/", maxBodyBytes: 0, handle }]
}
