import { BrowserProvider, FallbackProvider, JsonRpcProvider, NonceManager, VoidSigner, Wallet } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { jsonRpcFromEthers, ledgerFromEthers, payerFromEthers, writerFromEthers } from "../../../client/ethers/index.ts"
import { generateP256Key, RpcLedger, toHex, Verifier } from "../../../client/index.ts"
import type { Hex, JsonRpc, Receipt } from "../../../client/index.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { FaultProxy } from "../../helpers/faultProxy.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { payer, TEST_KEYS } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const FAR = 4_000_000_000
const TIMEOUT_MS = 600

let net: TestLedger & { url: string }
let proxy: FaultProxy
let device: Device
let receipt: Receipt
const providers: JsonRpcProvider[] = []

beforeAll(async () => {
  net = await anvilLedger()
  proxy = await FaultProxy.start(net.url)
  const maker = await net.admit("Acme Works")
  const issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  device = await makeDevice({ issuer, notAfter: FAR })
  const tree = makeTree(net.deployment, 1, 1, [device.certificate.credentialHash])
  await maker.registerBatch({ root: tree.root, size: 1, notAfter: FAR, issuerKeyId: issuer.keyId, series: 1 })
  receipt = tree.receipt(0)
  await net.pass(1)
})
afterAll(async () => {
  for (const provider of providers) provider.destroy()
  await proxy.close()
  await net.close()
})

function provider(url = net.url): JsonRpcProvider {
  const made = new JsonRpcProvider(url, 31_337, { staticNetwork: true, cacheTimeout: -1 })
  providers.push(made)
  return made
}

const statusThrough = async (rpc: JsonRpc): Promise<string> => {
  const ledger = new RpcLedger({ deployment: net.deployment, rpc })
  const verifier = new Verifier({ ledger, now: () => net.clock })
  return verifier.checkCertificate(device.der, { receipt }).then(
    ({ status }) => status,
    (error: unknown) => (error as Error).name,
  )
}

const wallet = (account: number): Wallet => new Wallet(TEST_KEYS[account] as Hex)

const registering = (series: number) =>
  ({
    to: net.deployment.contracts.devices.address,
    abi: deviceRegistryAbi,
    functionName: "registerBatch",
    args: [1, { series, size: 5, keyIndex: 1, notAfter: FAR, root: toHex(new Uint8Array(32).fill(series)) }],
  }) as const

describe("jsonRpcFromEthers", () => {
  it("serves a Verifier through a JsonRpcProvider, a BrowserProvider and a FallbackProvider alike", async () => {
    const eip1193 = {
      request: ({ method, params }: { method: string; params?: unknown[] | Record<string, unknown> }) =>
        net.rpc.request({ method, params: Array.isArray(params) ? params : [] }),
    }
    const all = {
      plain: provider(),
      browser: new BrowserProvider(eip1193),
      fallback: new FallbackProvider([provider(), provider()], 31_337, { cacheTimeout: -1 }),
    }

    expect(await statusThrough(jsonRpcFromEthers(all.plain))).toBe("good")
    expect(await statusThrough(jsonRpcFromEthers(all.browser))).toBe("good")
    expect(await statusThrough(jsonRpcFromEthers(all.fallback))).toBe("good")
    all.browser.destroy()
    await all.fallback.destroy()
  })

  it("names the endpoint by its host alone", async () => {
    const { host } = new URL(net.url)

    expect(jsonRpcFromEthers(provider(`${net.url}/v3/secret-key`)).endpoint).toBe(host)
    expect(jsonRpcFromEthers(provider(), { endpoint: "ours" }).endpoint).toBe("ours")
  })

  it.each<[string, () => void, string]>([
    ["closes the connection", () => (proxy.fault = (response) => void response.destroy()), "EndpointUnreachableError"],
    ["never answers", () => (proxy.fault = () => undefined), "EndpointTimeoutError"],
    ["fails inside", () => (proxy.fault = (response) => void response.writeHead(500).end()), "EndpointStatusError"],
    [
      "sends a web page",
      () => (proxy.fault = (response) => void response.end("<html></html>")),
      "EndpointUnreachableError",
    ],
    ["is on another chain", () => tamper("eth_chainId", "0x1"), "ChainMismatchError"],
    ["returns half a word", () => tamper("eth_call", "0x1234"), "ReplyMalformedError"],
    ["returns nothing", () => tamper("eth_call", "0x"), "ContractMismatchError"],
    ["lost the state", () => refuse("eth_call", "missing trie node"), "HistoryUnavailableError"],
    ["has other code there", () => tamper("eth_getCode", "0x00"), "ContractMismatchError"],
    ["refuses blocks", () => refuse("eth_getBlockByNumber", "busy"), "RpcRejectedError"],
  ])("ends by name and in time when the node %s", async (_what, fault, error) => {
    fault()
    const started = performance.now()

    expect(await statusThrough(jsonRpcFromEthers(provider(proxy.url), { timeoutMs: TIMEOUT_MS }))).toBe(error)

    expect(performance.now() - started).toBeLessThan(2_500)
    proxy.heal()
  })

  it("does not wait for ever where ethers does: for a network that it cannot find", async () => {
    const lost = new JsonRpcProvider("http://127.0.0.1:1")
    const answer = jsonRpcFromEthers(lost, { timeoutMs: 200 }).request({ method: "eth_chainId", params: [] })

    await expect(answer).rejects.toMatchObject({ name: expect.stringMatching(/^Endpoint(Timeout|Unreachable)Error$/) })
    lost.destroy()
  })

  it("keeps the contracts' own errors, their values and hints", async () => {
    const writer = await writerFromEthers(net.deployment, wallet(1).connect(provider()))
    for (const rpc of [undefined, jsonRpcFromEthers(new FallbackProvider([provider()], 31_337))]) {
      const one = rpc === undefined ? writer : net.writer(1, { rpc })
      await expect(one.write(registering(0x8000_0000))).rejects.toMatchObject({
        name: "ContractRevertedError",
        errorName: "SeriesInvalid",
        args: [0x8000_0000],
      })
    }
  })

  it("refuses a block that another one replaced, where blocks have numbers only", async () => {
    const rpc = jsonRpcFromEthers(new FallbackProvider([provider()], 31_337, { cacheTimeout: -1 }))
    const { hash } = (await rpc.request({ method: "eth_getBlockByNumber", params: ["latest", false] })) as { hash: Hex }
    const call = {
      method: "eth_call",
      params: [{ to: net.deployment.contracts.devices.address, data: "0x" }, { blockHash: hash }],
    }
    await net.ask("anvil_reorg", 1, [])

    await expect(rpc.requestMany([call])).rejects.toMatchObject({
      name: expect.stringMatching(/HistoryUnavailable|RpcRejected/),
    })
    const unknown = { ...call, params: [call.params[0], { blockHash: `0x${"11".repeat(32)}` }] }
    await expect(rpc.request(unknown)).rejects.toMatchObject({ name: "HistoryUnavailableError" })
    await expect(rpc.request({ method: "eth_mining", params: [] })).rejects.toMatchObject({ rpcCode: -32_601 })
    await net.pass(1)
  })
})

function tamper(method: string, result: unknown): void {
  proxy.tamper = ({ method: asked, reply }) => (asked === method ? { ...reply, result } : undefined)
}

function refuse(method: string, message: string): void {
  proxy.tamper = ({ method: asked, reply }) =>
    asked === method ? { id: reply.id, error: { code: -32_000, message } } : undefined
}

describe("payerFromEthers", () => {
  it("lets a Wallet sign, so that the writer journals", async () => {
    const from = await payerFromEthers(wallet(1))

    expect(from.address).toBe(payer(1).address.toLowerCase())
    expect("signTransaction" in from).toBe(true)
    await expect(net.writer(1, { payer: from }).write(registering(11))).resolves.toMatchObject({
      hash: expect.any(String),
    })
  })

  it("lets others sign and send: a node's account, a NonceManager", async () => {
    const node = provider()
    for (const [series, signer] of [
      [12, await node.getSigner(payer(1).address)],
      [13, new NonceManager(wallet(1).connect(node))],
    ] as const) {
      const from = await payerFromEthers(signer)
      expect("sendTransaction" in from).toBe(true)
      await expect(net.writer(1, { payer: from }).write(registering(series))).resolves.toMatchObject({
        hash: expect.any(String),
      })
    }
  })

  it("names a wallet's owner who says no, and a wallet on another chain", async () => {
    const refusing = new Proxy(wallet(1), {
      get: (target, name) =>
        name === "signTransaction"
          ? () => Promise.reject(Object.assign(new Error("user rejected action"), { code: "ACTION_REJECTED" }))
          : (Reflect.get(target, name) as unknown),
    })
    const from = await payerFromEthers(refusing)
    await expect(net.writer(1, { payer: from }).write(registering(14))).rejects.toMatchObject({
      name: "PayerRefusedError",
    })

    const elsewhere = await payerFromEthers(new NonceManager(wallet(1).connect(provider())), { chainId: 1 })
    await expect(net.writer(1, { payer: elsewhere }).write(registering(14))).rejects.toMatchObject({
      code: expect.any(String),
    })
  })

  it("names a signer that cannot sign, and one without a provider", async () => {
    const none = await payerFromEthers(new VoidSigner(payer(1).address))
    await expect(net.writer(1, { payer: none }).write(registering(15))).rejects.toMatchObject({
      code: expect.any(String),
    })
    await expect(writerFromEthers(net.deployment, wallet(1))).rejects.toMatchObject({
      name: "EndpointUnreachableError",
    })
  })
})

describe("ledgerFromEthers", () => {
  it("gives what a Verifier and the clients need", async () => {
    const { ledger, rpc } = ledgerFromEthers(net.deployment, provider(), { endpoint: "our node" })
    const verdict = await new Verifier({ ledger, now: () => net.clock }).checkCertificate(device.der, { receipt })

    expect(verdict).toMatchObject({
      status: "good",
      evidence: [{ kind: "singleNode", detail: expect.stringContaining("our node") }, {}, {}],
    })
    expect(await rpc.request({ method: "eth_chainId", params: [] })).toBe("0x7a69")
  })
})
