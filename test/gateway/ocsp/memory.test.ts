import { Agent, request } from "node:http"
import { connect } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterEach, beforeEach, expect, it } from "vitest"
import { derElement, derSequence } from "../../../client/index.ts"
import { encodeCertId, encodeOcspRequest } from "../../../gateway/ocsp/codec.ts"
import { ocspRoutes } from "../../../gateway/ocsp/index.ts"
import { issuerHashes } from "../../../gateway/ocsp/responderBook.ts"
import { mutate, SeededRandom } from "../../helpers/mutate.ts"
import { FakeFactory } from "../fakeFactory.ts"
import { openListener } from "../http/listener.ts"

const MIB = 2 ** 20
/** Of everything that a gateway may keep: far below what it was sent. */
const MOST_GROWTH = 32 * MIB
/** OCSPResponse { malformedRequest }. */
const MALFORMED = "30030a0101"
const SUCCESSFUL = /^3082[0-9a-f]{4}0a0100/
const SERIALS = 1_000

let factory: FakeFactory
let server: Awaited<ReturnType<typeof openListener>>
let agent: Agent

beforeEach(async () => {
  factory = await FakeFactory.make(SERIALS)
  server = await openListener(ocspRoutes({ replica: factory.source, issuers: [factory.issuer] }), {
    limits: { clientRequestsPerSecond: 0 },
  })
  agent = new Agent({ keepAlive: true, maxSockets: 8 })
})

afterEach(async () => {
  agent.destroy()
  await server.close(0)
})

function certId(index: number): Uint8Array {
  return encodeCertId({ hash: "sha1", ...issuerHashes(factory.issuer, "sha1"), serial: factory.serial(index) })
}

/** The body of the answer, in hex. */
function ask(body: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = server
    const headers = { "Content-Type": "application/ocsp-request", "Content-Length": body.length }
    const asked = request({ port, path: "/ocsp", method: "POST", agent, headers }, (response) => {
      const pieces: Buffer[] = []
      response.on("data", (piece: Buffer) => pieces.push(piece)).on("error", reject)
      response.on("end", () => {
        resolve(`${response.statusCode === 200 ? "" : response.statusCode}${Buffer.concat(pieces).toString("hex")}`)
      })
    })
    asked.on("error", reject).end(body)
  })
}

/** Asks many, eight at a time; how often each kind of answer came. */
async function askAll(count: number, make: (i: number) => Uint8Array): Promise<Map<string, number>> {
  const answers = new Map<string, number>()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const answer = await ask(make(next++))
      const kind = SUCCESSFUL.test(answer) ? "successful" : answer
      answers.set(kind, (answers.get(kind) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return answers
}

/** Octets that are in use once all that nobody needs is gone. */
function used(): number {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  collect()
  server.logged.length = 0
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

it("keeps nothing of 10,000 malformed requests", async () => {
  const good = encodeOcspRequest([certId(1)])
  const random = new SeededRandom(6_960)
  const bytes = (length: number): Uint8Array =>
    crypto.getRandomValues(new Uint8Array(length)).map((octet, i) => (i === 0 ? octet & 0x1f : octet))
  const kinds: ((i: number) => Uint8Array)[] = [
    (i) => good.slice(0, i % good.length),
    (i) => new Uint8Array(1 + (i % 60_000)).fill(0x30),
    // Lengths of four and of eight octets, with nothing behind them.
    (i) => Uint8Array.of(0x30, 0x84, 0x7f, 0xff, 0xff, i & 0xff),
    () => Uint8Array.of(0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x30),
    // Indefinite: BER, but no DER.
    () => Uint8Array.of(0x30, 0x80, ...good, 0, 0),
    (i) => Uint8Array.of(...good, i & 0xff),
    (i) => bytes(1 + (i % 5_000)),
    () => new Uint8Array(65_536),
    (i) => new TextEncoder().encode(`{"certificate":"${"A".repeat(i % 1_000)}"}`),
    (i) => encodeOcspRequest(Array.from({ length: 65 + (i % 100) }, () => certId(i % SERIALS))),
  ]
  const make = (i: number): Uint8Array => (kinds[i % kinds.length] as (typeof kinds)[number])(i)
  await askAll(500, make)
  const before = used()
  expect([...(await askAll(10_000, make))]).toEqual([[MALFORMED, 10_000]])
  expect(used() - before).toBeLessThan(MOST_GROWTH)

  // Nor of mutants, whatever they become.
  const mutants = await askAll(2_000, () => mutate(random, [good]))
  expect(mutants.get(MALFORMED)).toBeGreaterThan(500)
  expect(used() - before).toBeLessThan(MOST_GROWTH)
  expect(await ask(good)).toMatch(SUCCESSFUL)
}, 300_000)

it("keeps nothing of requests that ask little in many octets", async () => {
  // A requestorName, which nobody reads, in front of a question that could be kept.
  const fat = (i: number): Uint8Array => {
    const name = new Uint8Array(60_000).fill(i & 0xff)
    name.set([i >> 8, i & 0xff], 0)
    const list = derSequence(derSequence(certId(i % SERIALS)))
    return derSequence(derSequence(derElement(0xa1, derElement(0x04, name)), list))
  }
  await askAll(SERIALS, (i) => encodeOcspRequest([certId(i)]))
  const before = used()
  expect([...(await askAll(2_000, fat))]).toEqual([["successful", 2_000]])
  expect(used() - before).toBeLessThan(MOST_GROWTH)
}, 300_000)

/** Sends a body of 50 MB as fast as it is taken, until the server ends the connection: what it answered, and what it took. */
function pour(head: string, frame: (piece: Buffer) => Buffer): Promise<{ answer: string; sent: number }> {
  const whole = 50_000_000
  const piece = frame(Buffer.alloc(65_536, 0x30))
  return new Promise((resolve) => {
    let answer = ""
    let sent = 0
    const socket = connect(server.port, "127.0.0.1", () => {
      socket.write(head)
      more()
    })
    const more = (): void => {
      while (sent < whole && socket.writable) {
        sent += piece.length
        if (!socket.write(piece)) return
      }
    }
    socket.on("drain", more).setEncoding("latin1")
    socket.on("data", (text: string) => (answer += text))
    // Whoever goes on sending after the answer is cut off.
    socket.on("error", () => undefined)
    socket.on("close", () => {
      resolve({ answer, sent })
    })
  })
}

it("refuses bodies of 50 MB, and takes hardly more of them than it may", async () => {
  const head = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n"
  const declared = (): ReturnType<typeof pour> => pour(`${head}Content-Length: 50000000\r\n\r\n`, (piece) => piece)
  const chunked = (): ReturnType<typeof pour> =>
    pour(`${head}Transfer-Encoding: chunked\r\n\r\n`, (piece) =>
      Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
    )
  await Promise.all([declared(), chunked()])
  const before = used()
  let most = 0
  const watch = setInterval(() => {
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    most = Math.max(most, heapUsed + arrayBuffers)
  }, 5)
  const poured = await Promise.all(Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? declared() : chunked())))
  clearInterval(watch)

  for (const { answer, sent } of poured) {
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(sent).toBeLessThan(50_000_000)
  }
  // 800 MB wanted in; on its way is what a connection holds, until the next collection.
  expect(most - before).toBeLessThan(200 * MIB)
  expect(used() - before).toBeLessThan(MOST_GROWTH)
  expect(await ask(encodeOcspRequest([certId(1)]))).toMatch(SUCCESSFUL)
}, 300_000)
