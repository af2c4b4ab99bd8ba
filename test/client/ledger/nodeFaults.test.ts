import { brotliCompressSync, gzipSync } from "node:zlib"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { generateP256Key, httpRpc, RpcLedger, Verifier } from "../../../client/index.ts"
import type { Hex, Receipt } from "../../../client/index.ts"
import { anvilLedger, startAnvil } from "../../helpers/anvil.ts"
import type { Anvil } from "../../helpers/anvil.ts"
import { FaultProxy } from "../../helpers/faultProxy.ts"
import type { Exchange, Fault } from "../../helpers/faultProxy.ts"
import { makeDevice, makeTree, nowSeconds } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

/** For those who keep a client waiting; all others get time to answer, however busy the machine is. */
const SHORT_MS = 700
const TIMEOUT_MS = 30_000
const MAX_BYTES = 1_000_000

describe("A check through a node that misbehaves", () => {
  let net: TestLedger & { url: string }
  let proxy: FaultProxy
  let other: Anvil
  let device: Device
  let receipt: Receipt

  beforeAll(async () => {
    net = await anvilLedger()
    other = await startAnvil(["--chain-id", "1337"])
    proxy = await FaultProxy.start(net.url)
    const maker = await net.admit("Acme Works")
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: issuer })
    device = await makeDevice({ issuer })
    const tree = makeTree(net.deployment, maker.manufacturerId, 1, [device.certificate.credentialHash])
    const notAfter = nowSeconds() + 1_000_000_000
    await maker.registerBatch({ root: tree.root, size: 1, notAfter, issuerKeyId: issuer.keyId, series: 1 })
    receipt = tree.receipt(0)
    await net.pass(1)
  })
  afterAll(async () => {
    await proxy.close()
    await other.close()
    await net.close()
  })
  afterEach(() => {
    proxy.heal()
    proxy.upstream = () => net.url
  })

  /** A verifier that never asked before. */
  const stranger = (timeoutMs = TIMEOUT_MS) => {
    const rpc = httpRpc(proxy.url, { timeoutMs, maxBytes: MAX_BYTES })
    return new Verifier({ ledger: new RpcLedger({ deployment: net.deployment, rpc }), now: () => net.clock })
  }
  const check = (verifier: Verifier) => verifier.checkCertificate(device.der, { receipt })
  const nameOf = async (question: Promise<unknown>): Promise<string> =>
    question.then(
      () => "an answer",
      (error: unknown) => (error as Error).name,
    )

  it("is good through one that behaves", async () => {
    expect(await check(stranger())).toMatchObject({ status: "good" })
  })

  const answers = (text: string | Uint8Array, status = 200, headers: Record<string, string> = {}): Fault => {
    return (response) => {
      response.writeHead(status, headers).end(text)
    }
  }
  const ZEROS = new Uint8Array(64 * 1024 * 1024)
  const compressed = (encoding: string, bytes: string | Uint8Array): Fault =>
    answers(bytes, 200, { "content-encoding": encoding })
  const endless: Fault = (response) => {
    response.on("error", () => undefined)
    const more = (): void => {
      while (!response.destroyed && response.write("[1,2,3,4,5,6,7,8,9,10,".repeat(500)));
    }
    response.on("drain", more)
    more()
  }
  const drip: Fault = (response, honest) => {
    let sent = 0
    const timer = setInterval(() => {
      if (response.destroyed || sent >= honest.length) clearInterval(timer)
      else response.write(honest.slice(sent, (sent += 1)))
    }, 100)
  }
  const WHOLE: [what: string, fault: Fault, error: string][] = [
    ["closes the connection", (response) => void response.destroy(), "EndpointUnreachableError"],
    [
      "closes it in the middle of an answer",
      (response, honest) => {
        response.writeHead(200, { "content-length": honest.length }).write(honest.slice(0, 20))
        setTimeout(() => response.destroy(), 20)
      },
      "EndpointUnreachableError",
    ],
    ["never answers", () => undefined, "EndpointTimeoutError"],
    ["sends one byte after another", drip, "EndpointTimeoutError"],
    ["never stops sending", endless, "ReplyTooLargeError"],
    ["sends 10 MB", answers(`[${"1,".repeat(5_000_000)}1]`), "ReplyTooLargeError"],
    ["sends 64 MiB in 64 KiB", compressed("gzip", gzipSync(ZEROS)), "ReplyTooLargeError"],
    ["sends them in fewer still", compressed("br", brotliCompressSync(ZEROS)), "ReplyTooLargeError"],
    ["compresses them twice", compressed("gzip, gzip", gzipSync(gzipSync(ZEROS))), "ReplyTooLargeError"],
    ["says that plain text is compressed", compressed("gzip", "[1,2,3]"), "EndpointUnreachableError"],
    ["cuts what is compressed short", compressed("gzip", gzipSync("[1,2,3]").subarray(0, 20)), "ReplyMalformedError"],
    ["sends nothing", answers(""), "ReplyMalformedError"],
    ["sends a web page", answers("<html><body>Welcome</body></html>"), "ReplyMalformedError"],
    ["sends bytes that are no text", answers(Uint8Array.of(0x5b, 0xff, 0xfe, 0x5d)), "ReplyMalformedError"],
    ["cuts a character in half", answers(Uint8Array.of(0x22, 0xc3)), "ReplyMalformedError"],
    ["sends null", answers("null"), "ReplyMalformedError"],
    ["sends a number", answers("17"), "ReplyMalformedError"],
    ["nests ten thousand lists", answers(`${"[".repeat(10_000)}${"]".repeat(10_000)}`), "ReplyMalformedError"],
    ["sends an empty list", answers("[]"), "ReplyMalformedError"],
    ["sends a list of nulls", answers("[null,null,null]"), "ReplyMalformedError"],
    ["fails inside", answers("oops", 500), "EndpointStatusError"],
    ["is behind a gateway that cannot reach it", answers("<html>Bad Gateway</html>", 502), "EndpointStatusError"],
    ["wants a key", answers('{"error":"unauthorized"}', 401), "EndpointStatusError"],
    ["wants to be asked less often", answers("slow down", 429), "EndpointStatusError"],
    ["sends elsewhere", answers("", 302, { location: "http://127.0.0.1:1/" }), "EndpointStatusError"],
    [
      "fails with a JSON-RPC error",
      answers('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}', 503),
      "RpcRejectedError",
    ],
    [
      "knows no lists of calls",
      answers('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'),
      "RpcRejectedError",
    ],
    ["errs without saying how", answers('{"jsonrpc":"2.0","id":null,"error":"no"}'), "ReplyMalformedError"],
  ]

  it.each(WHOLE)("ends by name when it %s", async (_what, fault, error) => {
    const [healthy, waiting] = [stranger(), error === "EndpointTimeoutError"]
    await check(healthy)
    proxy.fault = fault
    expect(await nameOf(check(stranger(waiting ? SHORT_MS : TIMEOUT_MS)))).toBe(error)
    if (!waiting) expect(await nameOf(check(healthy))).toBe(error)
    proxy.heal()
    expect(await check(healthy)).toMatchObject({ status: "good" })
  })

  const change = (method: string, result: (was: unknown) => unknown) => {
    return ({ method: asked, reply }: Exchange) =>
      asked === method ? { ...reply, result: result(reply.result) } : undefined
  }
  const inBlock = (fields: Record<string, unknown>) =>
    change("eth_getBlockByNumber", (block) => ({ ...(block as object), ...fields }))
  const word = (at: number, text: string) =>
    change("eth_call", (data) => `${String(data).slice(0, 2 + 64 * at)}${text}${String(data).slice(2 + 64 * (at + 1))}`)
  const all = (reply: (exchange: Exchange) => Exchange["reply"]) => reply
  let lastId = 0
  const SINGLE: [what: string, tamper: (exchange: Exchange) => Exchange["reply"] | undefined, error: string][] = [
    [
      "numbers its answers wrongly",
      all(({ reply }) => ({ ...reply, id: Number(reply.id) + 1 })),
      "ReplyMalformedError",
    ],
    ["numbers them in words", all(({ reply }) => ({ ...reply, id: String(reply.id) })), "ReplyMalformedError"],
    [
      "gives them all one number",
      all(({ reply }) => ({ ...reply, id: (lastId ||= Number(reply.id)) })),
      "ReplyMalformedError",
    ],
    ["leaves the result out", all(({ reply }) => ({ id: reply.id })), "ReplyMalformedError"],
    ["is on another chain", change("eth_chainId", () => "0x1"), "ChainMismatchError"],
    ["writes the chain in decimal", change("eth_chainId", () => "31337"), "ReplyMalformedError"],
    ["sends the chain as a number", change("eth_chainId", () => 31337), "ReplyMalformedError"],
    ["has no blocks", change("eth_getBlockByNumber", () => null), "ContractMismatchError"],
    ["sends a text as a block", change("eth_getBlockByNumber", () => "0x1"), "ReplyMalformedError"],
    ["sends a block without a hash", inBlock({ hash: null }), "ReplyMalformedError"],
    ["sends a block with a short hash", inBlock({ hash: "0x12" }), "ReplyMalformedError"],
    ["sends a block without a number", inBlock({ number: undefined }), "ReplyMalformedError"],
    ["sends a block time as a number", inBlock({ timestamp: 1_700_000_000 }), "ReplyMalformedError"],
    ["sends a block time beyond 2^53", inBlock({ timestamp: "0xffffffffffffff" }), "ReplyMalformedError"],
    [
      "dates its blocks an hour ahead",
      inBlock({ timestamp: `0x${(nowSeconds() + 1_000_000).toString(16)}` }),
      "ClockBehindError",
    ],
    [
      "stands still since last year",
      inBlock({ timestamp: `0x${(nowSeconds() - 31_536_000).toString(16)}` }),
      "StaleHeadError",
    ],
    ["has no code there", change("eth_getCode", () => "0x"), "ContractMismatchError"],
    ["has other code there", change("eth_getCode", (code) => `${String(code)}00`), "ContractMismatchError"],
    ["sends null for code", change("eth_getCode", () => null), "ReplyMalformedError"],
    ["returns nothing from calls", change("eth_call", () => "0x"), "ContractMismatchError"],
    ["returns null from calls", change("eth_call", () => null), "ReplyMalformedError"],
    ["returns numbers from calls", change("eth_call", () => 1), "ReplyMalformedError"],
    ["returns half a word", change("eth_call", (data) => String(data).slice(0, 20)), "ReplyMalformedError"],
    [
      "returns a word too many",
      change("eth_call", (data) => `${String(data)}${"0".repeat(64)}`),
      "ReplyMalformedError",
    ],
    ["returns numbers out of their range", word(1, "f".repeat(64)), "ReplyMalformedError"],
    [
      "refuses calls",
      ({ method, reply }) =>
        method === "eth_call" ? { id: reply.id, error: { code: -32000, message: "busy" } } : undefined,
      "RpcRejectedError",
    ],
    [
      "lost the state",
      ({ method, reply }) =>
        method === "eth_call" ? { id: reply.id, error: { code: -32000, message: "missing trie node 00" } } : undefined,
      "HistoryUnavailableError",
    ],
    [
      "reverts without a word",
      ({ method, reply }) =>
        method === "eth_call"
          ? { id: reply.id, error: { code: 3, message: "execution reverted", data: "0x" } }
          : undefined,
      "RpcRejectedError",
    ],
    [
      "reverts with another contract's error",
      ({ method, reply }) =>
        method === "eth_call"
          ? { id: reply.id, error: { code: 3, message: "execution reverted", data: "0xdeadbeef" } }
          : undefined,
      "ContractRevertedError",
    ],
  ]

  it.each(SINGLE)("ends by name when it %s", async (_what, tamper, error) => {
    lastId = 0
    proxy.tamper = tamper

    expect(await nameOf(check(stranger()))).toBe(error)
  })

  it("ends by name when nobody listens, or the address is none", async () => {
    const rpcOf = (url: string) =>
      new RpcLedger({ deployment: net.deployment, rpc: httpRpc(url, { timeoutMs: TIMEOUT_MS }) })

    expect(await nameOf(rpcOf("http://127.0.0.1:1").at("latest"))).toBe("EndpointUnreachableError")
    for (const url of ["", "nowhere", "ftp://127.0.0.1/", "http://user:%zz@127.0.0.1/", "file:///etc/passwd"]) {
      expect(() => httpRpc(url)).toThrow(expect.objectContaining({ name: "EndpointUnreachableError" }))
    }
  })

  it("notices when the address leads to another chain in the middle of a session", async () => {
    const verifier = stranger()
    expect(await check(verifier)).toMatchObject({ status: "good" })

    proxy.upstream = () => other.url
    expect(await nameOf(check(verifier))).toBe("ChainMismatchError")

    proxy.upstream = () => net.url
    expect(await check(verifier)).toMatchObject({ status: "good" })
  })

  it("looks at the code again after the node was out of reach", async () => {
    const verifier = stranger()
    await check(verifier)
    const withoutCode = change("eth_getCode", () => "0x")
    proxy.tamper = withoutCode
    // The code is looked at on connect only.
    expect(await check(verifier)).toMatchObject({ status: "good" })

    proxy.fault = (response) => void response.destroy()
    await nameOf(check(verifier))
    proxy.heal()
    proxy.tamper = withoutCode

    expect(await nameOf(check(verifier))).toBe("ContractMismatchError")
  })

  it("never mixes two nodes: a call at a block that the other one does not have has no answer", async () => {
    const verifier = stranger()
    await check(verifier)
    // Half of the calls go to a node that is on the same chain id and knows nothing of our blocks.
    const lagging = await startAnvil()
    proxy.requests = 0
    proxy.upstream = (request) => (request % 2 === 0 ? lagging.url : net.url)

    expect(await nameOf(check(verifier))).toBe("HistoryUnavailableError")

    await lagging.close()
  })

  it("keeps names and passwords out of errors and evidence, and sends them as HTTP Basic authentication", async () => {
    let sent: string | undefined
    proxy.fault = (response, honest) => {
      sent = response.req.headers.authorization
      response.end(honest)
    }
    const url = proxy.url.replace("http://", "http://me:secret@")
    const ledger = new RpcLedger({ deployment: net.deployment, rpc: httpRpc(url) })

    const { evidence } = await ledger.at("latest")

    expect(sent).toBe(`Basic ${btoa("me:secret")}`)
    expect(JSON.stringify(evidence)).not.toContain("secret")
    const gone = httpRpc("http://me:secret@127.0.0.1:1").request({ method: "eth_chainId", params: [] })
    const error = await gone.catch((cause: unknown) => cause as Error & { cause?: unknown })
    expect(JSON.stringify([error, (error as Error).message])).not.toContain("secret")
  })

  it("asks for compression, and reads what is compressed", async () => {
    const asked = new Set<string | undefined>()
    proxy.fault = (response, honest) => {
      asked.add(response.req.headers["accept-encoding"])
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(honest))
    }

    expect(await check(stranger())).toMatchObject({ status: "good" })
    expect(asked.size).toBe(1)
    expect([...asked][0]).toContain("gzip")
  })

  it("asks no more than it must: four round trips for a check, and one more to get to know the node", async () => {
    const verifier = stranger()
    proxy.requests = 0
    await check(verifier)
    const first = proxy.requests
    await check(verifier)

    expect([first, proxy.requests - first]).toEqual([6, 5])
  })

  it("is not misled by a reply that carries keys of every object", async () => {
    proxy.tamper = ({ method, reply }) =>
      method === "eth_getBlockByNumber"
        ? { ...reply, result: JSON.parse('{"__proto__":{"number":"0x1"},"constructor":"x"}') as Hex }
        : undefined

    expect(await nameOf(check(stranger()))).toBe("ReplyMalformedError")
    expect(({} as { number?: unknown }).number).toBeUndefined()
  })
})
