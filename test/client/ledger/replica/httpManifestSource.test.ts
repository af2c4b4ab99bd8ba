import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import {
  MirrorAnswerError,
  MirrorStatusError,
  MirrorTimeoutError,
  MirrorTooLargeError,
  MirrorUnreachableError,
} from "../../../../client/errors/mirror.ts"
import { ManifestLengthError, ManifestRootError } from "../../../../client/errors/merkle.ts"
import { BatchIndex } from "../../../../client/ledger/replica/batchIndex.ts"
import { httpManifestSource } from "../../../../client/ledger/replica/httpManifestSource.ts"
import type { HttpManifestOptions } from "../../../../client/ledger/replica/httpManifestSource.ts"
import { DEPLOYMENT, hashAt, hashesFrom, makeBatch } from "./manifests.ts"

const { batch, manifest } = makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 70_000))

type Answer = (request: IncomingMessage, response: ServerResponse, range: { from: number; to: number }) => void

let close: (() => Promise<void>) | undefined
afterEach(() => close?.())

/** Starts a mirror and returns its address. */
async function mirrorOf(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? []
    answer(request, response, { from: Number(from), to: Number(to) })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  close = () =>
    new Promise((resolve) => {
      server.closeAllConnections()
      server.close(() => resolve())
    })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret-path/fleet.manifest`
}

const ranges =
  (bytes: Uint8Array, headers: Record<string, string> = {}): Answer =>
  (_request, response, { from, to }) => {
    const part = bytes.subarray(from, to + 1)
    const contentRange = `bytes ${from}-${from + part.length - 1}/${bytes.length}`
    response.writeHead(206, { "content-range": contentRange, ...headers }).end(part)
  }

const whole =
  (bytes: Uint8Array): Answer =>
  (_request, response) =>
    void response.writeHead(200).end(bytes)

async function add(url: string, options: HttpManifestOptions = {}): Promise<BatchIndex> {
  const index = new BatchIndex({ deployment: DEPLOYMENT })
  await index.add(await httpManifestSource(url, options), batch)
  return index
}

describe("httpManifestSource", () => {
  it.each([
    ["by ranges", ranges(manifest)],
    ["by ranges of a file with a version", ranges(manifest, { etag: '"a"' })],
    ["whole", whole(manifest)],
  ])("reads a manifest %s", async (_how, answer) => {
    const index = await add(await mirrorOf(answer))
    expect(index.lookup(hashAt(69_999))).toBe(69_999)
  })

  it("reads again what receipts need", async () => {
    let requests = 0
    const answer = ranges(manifest)
    const index = await add(
      await mirrorOf((...parameters) => {
        requests++
        answer(...parameters)
      }),
    )
    const before = requests
    expect((await index.receiptOf(`0x${Buffer.from(hashAt(5)).toString("hex")}`))?.index).toBe(5)
    expect(requests - before).toBeGreaterThan(0)
  })

  const silent: Answer = () => undefined
  const drip: Answer = (_request, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write(manifest.subarray(0, 8)), 20)
    response.on("close", () => clearInterval(timer))
  }
  const endless: Answer = (_request, response) => {
    response.writeHead(200)
    const more = (): void => void response.write(Buffer.alloc(65_536), () => response.destroyed || more())
    more()
  }
  const breakingOff: Answer = (_request, response) => {
    response.writeHead(200, { "content-length": manifest.length })
    response.write(manifest.subarray(0, 1000), () => response.destroy())
  }
  const redirecting: Answer = (_request, response) => void response.writeHead(302, { location: "/other" }).end()
  const missing: Answer = (_request, response) => void response.writeHead(404).end("nothing")
  const otherRange: Answer = (_request, response) =>
    void response.writeHead(206, { "content-range": `bytes 1-128/${manifest.length}` }).end(manifest.subarray(1, 129))
  const withoutRange: Answer = (_request, response) => void response.writeHead(206).end(manifest.subarray(0, 128))
  const longerThanAsked: Answer = (_request, response) =>
    void response.writeHead(206, { "content-range": `bytes 0-127/${manifest.length}` }).end(manifest)
  const growing: Answer = (request, response, range) =>
    ranges(range.from === 0 && range.to === 127 ? manifest : new Uint8Array([...manifest, 1]))(request, response, range)
  let asked = 0
  const changing: Answer = (request, response, range) =>
    ranges(manifest, { etag: `"${asked++}"` })(request, response, range)
  const forgetting: Answer = (request, response, range) =>
    (range.to < 128 ? ranges(manifest) : whole(manifest.subarray(0, 4000)))(request, response, range)
  const huge: Answer = (_request, response) =>
    void response.writeHead(206, { "content-range": `bytes 0-127/999999999999` }).end(manifest.subarray(0, 128))
  const oneByte = manifest.slice()
  oneByte[5000]! ^= 1

  it.each<[string, Answer, new (...parameters: never[]) => Error, HttpManifestOptions?]>([
    ["never answers", silent, MirrorTimeoutError, { timeoutMs: 200 }],
    ["drips", drip, MirrorTimeoutError, { timeoutMs: 300 }],
    ["never ends", endless, MirrorTooLargeError, { maxBytesInMemory: 4_000_000 }],
    ["breaks off", breakingOff, MirrorUnreachableError],
    ["redirects", redirecting, MirrorStatusError],
    ["has no such file", missing, MirrorStatusError],
    ["answers another range", otherRange, MirrorAnswerError],
    ["answers a range without saying which", withoutRange, MirrorAnswerError],
    ["answers more than the range", longerThanAsked, MirrorAnswerError],
    ["has a file that grows", growing, MirrorAnswerError],
    ["has a file that changes", changing, MirrorAnswerError],
    ["forgets about ranges", forgetting, MirrorAnswerError],
    ["claims a file without end", huge, MirrorTooLargeError],
    ["has a file with one byte changed", ranges(oneByte), ManifestRootError],
    ["has a file cut short", whole(manifest.subarray(0, 100_000)), ManifestLengthError],
  ])("is not deceived by a mirror that %s", async (_what, answer, error, options = {}) => {
    const failed = await add(await mirrorOf(answer), options).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(failed).toBeInstanceOf(error)
    expect(JSON.stringify(failed)).not.toContain("secret-path")
  })

  it("says so when nobody is there, or the address is none", async () => {
    const url = await mirrorOf(silent)
    await close?.()
    await expect(httpManifestSource(url)).rejects.toThrow(MirrorUnreachableError)
    await expect(httpManifestSource("file:///etc/passwd")).rejects.toThrow(MirrorUnreachableError)
    await expect(httpManifestSource("nowhere")).rejects.toThrow(MirrorUnreachableError)
  })

  it("takes a range that ends early for what it is", async () => {
    const answer: Answer = (request, response, range) =>
      ranges(range.to < 128 ? manifest : manifest.subarray(0, 5000))(request, response, range)
    await expect(add(await mirrorOf(answer))).rejects.toThrow(MirrorAnswerError)
  })
})
