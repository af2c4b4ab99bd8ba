import type { ChildProcess } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** When a program is killed: at which call to its node, and on which side of it. */
export type KillPoint = { method: string; /** From 1. */ nth: number; when: "before" | "after" }

/** A node's address at which a program dies, by SIGKILL, in the middle of a call. */
export async function killingProxy(
  upstream: string,
  { method, nth, when }: KillPoint,
): Promise<{ url: string; aim(child: ChildProcess): void; close(): Promise<void> }> {
  let victim: ChildProcess | undefined
  let seen = 0
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks).toString("utf8")
      const calls = [JSON.parse(body) as { method: string } | { method: string }[]].flat()
      const isIt = calls.some((call) => call.method === method) && ++seen === nth
      if (isIt && when === "before") return void victim?.kill("SIGKILL")
      const answer = await fetch(upstream, { method: "POST", headers: { "content-type": "application/json" }, body })
      const text = await answer.text()
      if (isIt) return void victim?.kill("SIGKILL")
      response.setHeader("content-type", "application/json")
      response.end(text)
    })().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    aim: (child) => {
      victim = child
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => {
          resolve()
        })
      }),
  }
}
