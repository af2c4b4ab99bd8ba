import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { request } from "node:http"
import { serveRpc } from "../../scripts/cli/testnet/rpcServer.ts"
import type { RpcServer } from "../../scripts/cli/testnet/rpcServer.ts"

let server: RpcServer
beforeAll(async () => {
  const provider = {
    request: async ({ method, params }: { method: string; params?: unknown[] }) => {
      if (method === "refuse") throw Object.assign(new Error("no"), { code: 3, data: "0x1234" })
      return [method, params]
    },
  }
  server = await serveRpc(provider, 0)
})
afterAll(() => server.close())

type Sent = { status: number; headers: Record<string, unknown>; body: string }

function send(body: string, headers: Record<string, string> = {}, method = "POST"): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      server.url,
      { method, agent: false, headers: { "content-type": "application/json", ...headers } },
      (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
        })
      },
    )
    outgoing.on("error", reject)
    outgoing.end(body)
  })
}

const CALL = JSON.stringify({ jsonrpc: "2.0", id: 7, method: "ask", params: [1] })

describe("the testnet's door", () => {
  it("answers calls, one or many, and passes errors with their data", async () => {
    expect(JSON.parse((await send(CALL)).body)).toEqual({ jsonrpc: "2.0", id: 7, result: ["ask", [1]] })
    expect(JSON.parse((await send(`[${CALL},${CALL}]`)).body)).toHaveLength(2)
    expect(JSON.parse((await send(CALL.replace("ask", "refuse"))).body)).toEqual({
      jsonrpc: "2.0",
      id: 7,
      error: { code: 3, message: "no", data: "0x1234" },
    })
  })

  it.each(["nonsense", "null", "[null]", '{"id":1}', '{"id":1,"method":"a","params":{}}'])(
    "refuses %s and stays",
    async (body) => {
      const reply = [JSON.parse((await send(body)).body) as { error?: object }].flat()[0]
      expect(reply).toHaveProperty("error.code")
      expect((await send(CALL)).status).toBe(200)
    },
  )

  it("lets no other site in", async () => {
    expect((await send(CALL, { host: "evil.example" })).status).toBe(403)
    expect((await send(CALL, { "content-type": "text/plain" })).status).toBe(415)
    expect((await send("", {}, "GET")).status).toBe(405)
    const foreign = await send("", { origin: "https://evil.example" }, "OPTIONS")
    const local = await send("", { origin: "http://localhost:5173" }, "OPTIONS")
    expect(foreign.headers["access-control-allow-origin"]).toBeUndefined()
    expect(local.headers["access-control-allow-origin"]).toBe("http://localhost:5173")
  })

  it("reads no more than it must", async () => {
    const huge = await send(`"${"x".repeat(9 * 1024 * 1024)}"`).catch(() => ({ status: 413 }))
    expect(huge.status).toBe(413)
    expect((await send(CALL)).status).toBe(200)
  })
})
