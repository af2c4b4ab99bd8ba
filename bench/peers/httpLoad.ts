// Asks an OCSP responder as fast as it answers, and counts: the one load tool for all of them.
//
//   node bench/peers/httpLoad.ts '{"port":80,"file":"requests.json","seconds":4,"connections":16,"keepAlive":true}'
//
// The file is a JSON list of whole HTTP requests in base64. Prints {"perSecond","p99","count"}: milliseconds, and all.
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { setTimeout } from "node:timers/promises"
import { quantile } from "../row.ts"

export type HttpLoad = { port: number; file: string; seconds: number; connections: number; keepAlive: boolean }

const { port, file, seconds, connections, keepAlive } = JSON.parse(process.argv[2] ?? "{}") as HttpLoad
const requests = (JSON.parse(readFileSync(file, "utf8")) as string[]).map((text) => Buffer.from(text, "base64"))
const SUCCESSFUL = Buffer.from([0x0a, 0x01, 0x00])
const times: number[] = []
let next = 0

/** One request after another on one connection; on a new one each time if the server closes it. */
async function ask(end: number): Promise<void> {
  while (performance.now() < end) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true })
      let began = performance.now()
      let answer: Buffer = Buffer.alloc(0)
      const send = (): void => {
        answer = Buffer.alloc(0)
        socket.write(requests[next++ % requests.length] as Buffer)
      }
      socket.on("data", (piece) => {
        answer = answer.length === 0 ? piece : Buffer.concat([answer, piece])
        const body = answer.indexOf("\r\n\r\n") + 4
        if (body === 3) return
        const head = answer.toString("latin1", 0, body)
        const length = Number(/content-length: *(\d+)/i.exec(head)?.[1])
        if (answer.length < body + length) return
        const status = answer.subarray(body + 4, body + 7)
        if (!/^HTTP\/1\.[01] 200/.test(head) || !status.equals(SUCCESSFUL)) {
          reject(new Error(`no answer: ${head}`))
          return
        }
        const now = performance.now()
        times.push(now - began)
        if (!keepAlive || now >= end) socket.destroy()
        else {
          began = now
          send()
        }
      })
      socket.on("connect", send)
      socket.on("error", reject)
      socket.on("close", () => {
        resolve()
      })
    })
  }
}

// The server may still be starting.
for (let tries = 0; ; tries++) {
  try {
    await ask(performance.now() + 1)
    break
  } catch (error) {
    if (tries === 100) throw error
    await setTimeout(50)
  }
}
const load = async (lasting: number): Promise<void> => {
  const end = performance.now() + lasting * 1000
  await Promise.all(Array.from({ length: connections }, () => ask(end)))
}
await load(seconds / 4)
const warmUp = times.length
times.length = 0
const started = performance.now()
await load(seconds)
const elapsed = (performance.now() - started) / 1000
const count = warmUp + times.length
console.log(JSON.stringify({ perSecond: times.length / elapsed, p99: quantile(times, 0.99), count }))
