import { generateKeyPairSync } from "node:crypto"
import { decodeAbiParameters, encodeAbiParameters, getAbiItem } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  ContractMismatchError,
  HashInvalidError,
  NumberOutOfRangeError,
  signerFromPkcs8,
  Verifier,
} from "../../../../client/index.ts"
import type { BlockSource, Deployment, Hex, JsonRpc, RpcCall, SourcedBlock } from "../../../../client/index.ts"
import { manufacturerRegistryAbi } from "../../../../client/abi/ManufacturerRegistry.ts"
import { FleetrootError } from "../../../../client/errors/base.ts"
import { ChainMismatchError, HeadRolledBackError, HistoryUnavailableError } from "../../../../client/errors/ledger.ts"
import { StateProofInvalidError, StateProofUnavailableError } from "../../../../client/errors/proofs.ts"
import { ProvenLedger } from "../../../../client/ledger/proven/provenLedger.ts"
import type { ProvenView } from "../../../../client/ledger/proven/provenView.ts"
import { anvilLedger } from "../../../helpers/anvil.ts"
import { freshLedger, payer } from "../../../helpers/ledger.ts"
import type { TestLedger } from "../../../helpers/ledger.ts"
import { FirmwareWorld } from "../../firmware/world.ts"
import { populate, verdictOf } from "./world.ts"
import type { Case } from "./world.ts"

type Tamper = (call: RpcCall, result: unknown) => unknown

/** A node that changes what it answers, and counts. */
function crooked(rpc: JsonRpc, tamper: Tamper): JsonRpc & { trips: RpcCall[][] } {
  const trips: RpcCall[][] = []
  const requestMany = async (calls: readonly RpcCall[]): Promise<unknown[]> => {
    trips.push([...calls])
    const results = await rpc.requestMany(calls)
    return results.map((result, i) => tamper(calls[i] as RpcCall, structuredClone(result)))
  }
  const request = async (call: RpcCall): Promise<unknown> => (await requestMany([call]))[0]
  return { endpoint: "crooked node", request, requestMany, trips }
}

const honest: Tamper = (_call, result) => result

describe.each(["EDR", "Anvil"])("ProvenLedger on %s", (kind) => {
  let net: TestLedger
  let cases: Case[]

  beforeAll(async () => {
    net = kind === "EDR" ? await freshLedger() : await anvilLedger()
    cases = await populate(net)
  })
  afterAll(() => net.close())

  const proven = (rpc: JsonRpc = net.rpc, deployment: Deployment = net.deployment): ProvenLedger =>
    new ProvenLedger({ deployment, rpc })

  it("gives the verdicts that one believed node gives", async () => {
    const ledger = proven()
    for (const one of cases) {
      const expected = await verdictOf(net, net.ledger, one)
      expect(expected, `verdict on ${one.name}`).toMatchObject({ status: one.status, reason: one.reason })
      expect(await verdictOf(net, ledger, one), `verdict on ${one.name}`).toEqual(expected)
      expect(await verdictOf(net, proven(), one), `verdict on ${one.name}`).toEqual(expected)
    }
  })

  it("takes one round trip where what is asked is known in advance", async () => {
    const [good] = cases as [Case]
    const node = crooked(net.rpc, honest)
    const ledger = proven(node)
    await verdictOf(net, ledger, good)
    expect(node.trips).toHaveLength(1)
    await net.pass(1)
    await verdictOf(net, ledger, good)
    expect(node.trips).toHaveLength(2)
  })

  it("takes a second trip for another issuer key than the first, and learns", async () => {
    const second = cases.find(({ name }) => name === "one of the second issuer key") as Case
    const node = crooked(net.rpc, honest)
    const ledger = proven(node)
    expect(await verdictOf(net, ledger, second)).toMatchObject({ status: "good" })
    expect(node.trips).toHaveLength(2)
    await net.pass(1)
    await verdictOf(net, ledger, second)
    expect(node.trips).toHaveLength(3)
  })

  it("reads what contracts answer, in every method", async () => {
    const [told, read] = [await net.ledger.at("latest"), (await proven().at("latest")) as ProvenView]
    const one = (cases[0] as Case).interest.subjects as readonly [Hex, Hex]
    for (const id of [0, 1, 2, 3, 0xffff_ffff]) {
      expect(await read.manufacturer(id)).toEqual(await told.manufacturer(id))
      expect(await read.operator(id, payer(1).address.toLowerCase() as Hex)).toEqual(
        await told.operator(id, payer(1).address.toLowerCase() as Hex),
      )
      for (const index of [0, 1, 2, 3, 4]) expect(await read.key(id, index)).toEqual(await told.key(id, index))
      for (const series of [0, 1, 2, 3, 4, 0x8000_0001]) {
        expect(await read.batch(id, series)).toEqual(await told.batch(id, series))
        expect(await read.words(id, series, 0, 3)).toEqual(await told.words(id, series, 0, 3))
      }
      for (const subject of cases.flatMap(({ interest }) => interest.subjects ?? [])) {
        expect(await read.record(id, subject)).toEqual(await told.record(id, subject))
      }
      for (const contract of ["manufacturers", "devices"] as const) {
        expect(await read.logHead(contract, id)).toEqual(await told.logHead(contract, id))
        expect(await read.globalLogHead(contract)).toBe(await told.globalLogHead(contract))
      }
    }
    const keys = await Promise.all([1, 2, 3].map((index) => told.key(1, index)))
    for (const key of [...keys, await told.key(2, 1)]) {
      const keyId = key?.keyId as Hex
      expect(await read.keyById(keyId)).toEqual(key)
      expect(await read.keysByIdentifier(keyId)).toEqual([key])
    }
    expect(await read.keyById(one[0])).toBeUndefined()
    expect(await read.bitRevocation(1, 1, 4)).toEqual(await told.bitRevocation(1, 1, 4))
    expect(await read.successor("devices")).toBeUndefined()
    expect(await read.word(1, 1, 0)).toBe(1n << 4n)
  })

  it("reads operators, suspensions and their ends", async () => {
    const account = `0x${"ab".repeat(20)}` as const
    await net.manufacturer(1).setOperator(account, ["revoke"], new Date((net.clock.getTime() / 1000 + 1_000) * 1000))
    await net.governance().suspend(2)
    const same = async (): Promise<object> => {
      const [told, read] = [await net.ledger.at("latest"), await proven().at("latest")]
      const found = { grant: await read.operator(1, account), manufacturer: await read.manufacturer(2) }
      expect(found).toEqual({ grant: await told.operator(1, account), manufacturer: await told.manufacturer(2) })
      return found
    }
    await net.pass(1)
    expect(await same()).toMatchObject({ grant: { rights: 2 }, manufacturer: { status: "suspended" } })
    await net.pass(2_000)
    expect(await same()).toMatchObject({ grant: undefined, manufacturer: { status: "suspended" } })
    await net.pass(14 * 86_400)
    expect(await same()).toMatchObject({ manufacturer: { status: "active", suspendedUntil: undefined } })
  })

  it("answers for past times, proven at the block of then", async () => {
    const at = new Date(net.clock.getTime() - 3_600_000)
    const [good] = cases as [Case]
    const past = { ...good, options: { ...good.options, at } }
    expect(await verdictOf(net, proven(), past)).toEqual(await verdictOf(net, net.ledger, past))
  })

  it("says whom it believed about what", async () => {
    const [good] = cases as [Case]
    const verdict = await new Verifier({ ledger: proven(), now: () => net.clock }).checkCertificate(
      good.der,
      good.options,
    )
    expect(verdict.evidence[0]).toMatchObject({ kind: "singleNode" })
    expect(verdict.evidence[0]?.detail).toMatch(/hash of block .*proven against that hash/)
  })

  it("refuses numbers and hashes that are none", async () => {
    const view = await proven().at("latest")
    await expect(view.manufacturer(-1)).rejects.toThrow(NumberOutOfRangeError)
    await expect(view.words(1, 1, 0, 1.5)).rejects.toThrow(NumberOutOfRangeError)
    await expect(view.record(1, "0x12")).rejects.toThrow(HashInvalidError)
    await expect(view.keyById("0x")).rejects.toThrow(HashInvalidError)
  })

  describe("asked of a node that lies", () => {
    /** No lie may change a verdict: what comes is the truth or an error. */
    async function withstands(tamper: Tamper, one: Case): Promise<Set<string>> {
      const outcomes = new Set<string>()
      const expected = await verdictOf(net, net.ledger, one)
      const ledger = proven(crooked(net.rpc, tamper))
      for (const _time of ["first", "second"]) {
        try {
          expect(await verdictOf(net, ledger, one)).toEqual(expected)
          outcomes.add("truth")
        } catch (error) {
          expect(error).toBeInstanceOf(FleetrootError)
          outcomes.add((error as FleetrootError).name)
        }
      }
      return outcomes
    }

    type Proof = { accountProof: Hex[]; storageProof: { key: Hex; value: Hex; proof: Hex[] }[] }
    const forging =
      (change: (proof: Proof, call: RpcCall) => void): Tamper =>
      (call, result) => {
        if (call.method === "eth_getProof") change(result as Proof, call)
        return result
      }
    const flip = (node: Hex, at: number): Hex => {
      const index = 2 + (at % (node.length - 2))
      const digit = (Number.parseInt(node.charAt(index), 16) ^ 1).toString(16)
      return `${node.slice(0, index)}${digit}${node.slice(index + 1)}` as Hex
    }

    it.each([
      [
        "a digit of each account proof",
        forging((proof) => {
          proof.accountProof[0] = flip(proof.accountProof[0] as Hex, 77)
        }),
      ],
      [
        "a digit of each storage proof",
        forging((proof) => {
          for (const one of proof.storageProof) one.proof = one.proof.map((node, i) => flip(node, 40 + i))
        }),
      ],
      [
        "a digit of every leaf",
        forging((proof) => {
          for (const one of proof.storageProof)
            one.proof = [...one.proof.slice(0, -1), flip(one.proof.at(-1) as Hex, 19)]
        }),
      ],
      [
        "proofs cut before their leaf",
        forging((proof) => {
          for (const one of proof.storageProof) one.proof = one.proof.slice(0, -1)
        }),
      ],
      [
        "no proofs of slots",
        forging((proof) => {
          for (const one of proof.storageProof) one.proof = []
        }),
      ],
      [
        "empty tries for slots",
        forging((proof) => {
          for (const one of proof.storageProof) one.proof = ["0x80"]
        }),
      ],
      [
        "slots in another order",
        forging((proof) => {
          proof.storageProof.reverse()
        }),
      ],
      [
        "one slot's proof for all",
        forging((proof) => {
          const [first] = proof.storageProof
          if (first !== undefined) proof.storageProof = proof.storageProof.map(() => first)
        }),
      ],
      [
        "a slot left out",
        forging((proof) => {
          proof.storageProof.pop()
        }),
      ],
      [
        "an account without proof",
        forging((proof) => {
          proof.accountProof = []
        }),
      ],
    ] as [string, Tamper][])("withstands %s", async (_what, tamper) => {
      const outcomes = await withstands(tamper, cases[1] as Case)
      expect([...outcomes]).toEqual(["StateProofInvalidError"])
    })

    it("withstands proofs of another contract, and of another block", async () => {
      const { access, manufacturers } = net.deployment.contracts
      const elsewhere = async (call: RpcCall, change: (params: unknown[]) => void): Promise<unknown> => {
        const params = [...call.params]
        change(params)
        return net.rpc.request({ method: call.method, params })
      }
      const lying = (change: (params: unknown[]) => void): JsonRpc => {
        const requestMany = (calls: readonly RpcCall[]): Promise<unknown[]> =>
          Promise.all(
            calls.map((call) => (call.method === "eth_getProof" ? elsewhere(call, change) : net.rpc.request(call))),
          )
        return { endpoint: "crooked node", requestMany, request: async (call) => (await requestMany([call]))[0] }
      }
      for (const change of [
        (params: unknown[]) => (params[0] = access.address),
        (params: unknown[]) => (params[0] = manufacturers.address),
        (params: unknown[]) => (params[2] = `0x${(4).toString(16)}`),
      ]) {
        const error = await verdictOf(net, proven(lying(change)), cases[1] as Case).catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(StateProofInvalidError)
      }
    })

    it("is not moved by values beside the proofs", async () => {
      const tamper = forging((proof) => {
        for (const one of proof.storageProof) one.value = "0x0"
        Object.assign(proof, {
          balance: "0x99",
          nonce: "0x5",
          codeHash: `0x${"1".repeat(64)}`,
          storageHash: `0x${"2".repeat(64)}`,
        })
      })
      for (const one of cases) expect([...(await withstands(tamper, one))]).toEqual(["truth"])
    })

    it("withstands a state root that somebody made up", async () => {
      const tamper: Tamper = (call, result) =>
        call.method === "eth_getBlockByNumber" ? { ...(result as object), stateRoot: `0x${"3".repeat(64)}` } : result
      expect([...(await withstands(tamper, cases[1] as Case))]).toEqual(["HeaderMismatchError"])
    })

    it("withstands time made younger", async () => {
      const tamper: Tamper = (call, result) =>
        call.method === "eth_getBlockByNumber" ? { ...(result as object), timestamp: "0x7fffffff" } : result
      expect([...(await withstands(tamper, cases[0] as Case))]).toEqual(["HeaderMismatchError"])
    })

    it("withstands events withheld and made up: fewer keys are found, no other verdict is", async () => {
      const strong = cases.find(({ name }) => name === "one of a P-384 key") as Case
      const none: Tamper = (call, result) => (call.method === "eth_getLogs" ? [] : result)
      expect(await verdictOf(net, proven(crooked(net.rpc, none)), strong)).toMatchObject({ reason: "issuerUnknown" })
      const believed: Tamper = (call, result) => {
        if (call.method !== "eth_getLogs") return result
        return (result as { data: Hex }[]).map((log) => ({ ...log, data: flip(log.data, 1_000) }))
      }
      const outcome = await verdictOf(net, proven(crooked(net.rpc, believed)), strong).catch((error: unknown) => error)
      if (!(outcome instanceof FleetrootError)) expect(outcome).toMatchObject({ reason: "issuerUnknown" })
    })

    it("does not take a key for its owner's because an event says that the contract checked it", async () => {
      const thief = net.manufacturer(2, 2)
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" })
      const owner = await signerFromPkcs8(new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })))
      const unable = {
        spki: owner.spki,
        keyId: owner.keyId,
        algorithm: owner.algorithm,
        sign: async () => new Uint8Array(96).fill(1),
      }
      await thief.addKey({ purpose: "openIssuer", signer: unable }).catch(() => null)
      await net.pass(1)
      const { keyCount } = (await (await proven().at("latest")).manufacturer(2)) as { keyCount: number }
      const item = getAbiItem({ abi: manufacturerRegistryAbi, name: "KeyAdded" })
      const inputs = item.inputs.filter((input) => !("indexed" in input && input.indexed))
      let changedEvents = 0
      const believed: Tamper = (call, result) => {
        if (call.method !== "eth_getLogs") return result
        return (result as { data: Hex }[]).map((log) => {
          const values = decodeAbiParameters(inputs, log.data) as unknown[]
          const at = inputs.findIndex(({ name }) => name === "proven")
          changedEvents += 1
          return { ...log, data: encodeAbiParameters(inputs, values.with(at, true) as never) }
        })
      }
      const view = await proven(crooked(net.rpc, believed)).at("latest")
      expect(await view.key(2, keyCount)).toBeUndefined()
      expect(await view.keyById(owner.keyId)).toBeUndefined()
      expect(changedEvents).toBeGreaterThan(0)
      // The same event, as it is: nobody proved possession either.
      expect(await (await proven().at("latest")).key(2, keyCount)).toBeUndefined()
    })

    it.each([null, [], {}, 5, "0x", "x", [[]], { storageProof: {} }, { accountProof: "0x", storageProof: [null] }])(
      "gives an error of its own for proofs that are %j",
      async (garbage) => {
        const tamper: Tamper = (call, result) => (call.method === "eth_getProof" ? garbage : result)
        expect([...(await withstands(tamper, cases[0] as Case))]).toEqual(["StateProofInvalidError"])
      },
    )
  })

  it("names a contract with other code, or none, in a deployment that is not this one", async () => {
    const { contracts } = net.deployment
    const other = { ...contracts, devices: { ...contracts.devices, codeHash: `0x${"5".repeat(64)}` as const } }
    const empty = { ...contracts, devices: { ...contracts.devices, address: `0x${"5".repeat(40)}` as const } }
    for (const wrong of [other, empty]) {
      const view = await proven(net.rpc, { ...net.deployment, contracts: wrong }).at("latest")
      await expect(view.batch(1, 1)).rejects.toThrow(ContractMismatchError)
    }
  })

  it("refuses another chain, also when the node changes in mid-session", async () => {
    let chain: Hex | undefined
    const node = crooked(net.rpc, (call, result) => (call.method === "eth_chainId" ? (chain ?? result) : result))
    const ledger = proven(node)
    await ledger.at("latest")
    chain = "0x1"
    await expect(ledger.at("latest")).rejects.toThrow(ChainMismatchError)
    chain = undefined
    await ledger.at("latest")
    const elsewhere = { ...net.deployment, block: { number: 0, hash: `0x${"7".repeat(64)}` as const } }
    await expect(proven(net.rpc, elsewhere).at("latest")).rejects.toThrow(ContractMismatchError)
  })

  it("does not go back behind what was final", async () => {
    let rolledBack = false
    const node = crooked(net.rpc, (call, result) =>
      rolledBack && call.method === "eth_getBlockByNumber" && !["latest", "0x0"].includes(String(call.params[0]))
        ? null
        : result,
    )
    const ledger = proven(node)
    await ledger.at("finalized")
    await net.pass(1)
    rolledBack = true
    await expect(ledger.at("finalized")).rejects.toThrow(FleetrootError)
    const other = proven(
      crooked(net.rpc, (call, result) =>
        call.method === "eth_getBlockByNumber" &&
        call.params[0] !== "finalized" &&
        call.params[0] !== "0x0" &&
        rolledBack
          ? { ...(result as object), hash: `0x${"8".repeat(64)}` }
          : result,
      ),
    )
    rolledBack = false
    await other.at("finalized")
    await net.pass(1)
    rolledBack = true
    await expect(other.at("finalized")).rejects.toThrow(HeadRolledBackError)
  })

  it("tells a node without proofs, or without the state, from one that lies", async () => {
    const refusing = (code: number, message: string): JsonRpc => {
      const requestMany = (calls: readonly RpcCall[]): Promise<unknown[]> =>
        Promise.all(
          calls.map(async (call) => {
            if (call.method === "eth_getProof") throw Object.assign(new Error(message), { code })
            return net.rpc.request(call)
          }),
        )
      const request = async (call: RpcCall): Promise<unknown> => (await requestMany([call]))[0]
      return { endpoint: "bare node", request, requestMany }
    }
    const { jsonRpcFrom } = await import("../../../../client/index.ts")
    const wrap = (rpc: JsonRpc): JsonRpc => jsonRpcFrom((call) => rpc.request(call), "bare node")
    const [good] = cases as [Case]
    await expect(verdictOf(net, proven(wrap(refusing(-32_601, "no such method"))), good)).rejects.toThrow(
      StateProofUnavailableError,
    )
    await expect(verdictOf(net, proven(wrap(refusing(-32_000, "missing trie node"))), good)).rejects.toThrow(
      HistoryUnavailableError,
    )
  })
})

describe("ProvenLedger with a light client", () => {
  it("believes nobody but the light client, and takes no word of servers about what is not proven", async () => {
    const net = await freshLedger()
    const cases = await populate(net)
    const newest = async (): Promise<SourcedBlock> => {
      const { hash, number, parentHash, timestamp } = await net.ask<Record<string, Hex>>(
        "eth_getBlockByNumber",
        "latest",
        false,
      )
      const block = { hash, number: Number(number), parentHash, timestamp: Number(timestamp), reply: undefined }
      return { block: block as SourcedBlock["block"], evidence: { kind: "lightClient", detail: "a light client" } }
    }
    const blocks: BlockSource = {
      newest: async (finalities) => ({ blocks: await Promise.all(finalities.map(newest)), lone: [] }),
      atTime: newest,
    }
    const ledger = new ProvenLedger({ deployment: net.deployment, rpc: net.rpc, blocks })
    for (const one of cases) {
      const { status } = (await verdictOf(net, ledger, one)) as { status: string }
      expect(status, `verdict on ${one.name}`).toBe(one.status)
    }
    const view = await ledger.at("latest")
    expect(await view.word(1, 1, 0)).toBe(1n << 4n)
    expect(await view.bitRevocation(1, 1, 4)).toBeUndefined()
    expect(view.evidence).toMatchObject({ kind: "lightClient" })
    await net.close()
  })
})

describe("ProvenLedger and firmware", () => {
  it("reads what the firmware registry answers", async () => {
    const world = await FirmwareWorld.start({ keyDelay: 0 })
    const { net } = world
    const [key] = await world.addKeys()
    const image = crypto.getRandomValues(new Uint8Array(500))
    const release = await world.release(image, [key as NonNullable<typeof key>], { securityVersion: 3 })
    await world.release(crypto.getRandomValues(new Uint8Array(300)), [key as NonNullable<typeof key>], {
      securityVersion: 7,
    })
    await world.firmware.recall("sensor", 3, "test").catch(() => null)
    const { product, imageDigest, manufacturerId } = release
    const [told, read] = [
      await net.ledger.at("latest"),
      (await new ProvenLedger({ deployment: net.deployment, rpc: net.rpc }).at("latest")) as ProvenView,
    ]
    for (const version of [0, 1, 3, 7]) {
      expect(await read.release(manufacturerId, product, version)).toEqual(
        await told.release(manufacturerId, product, version),
      )
    }
    expect(await read.releaseByImage(manufacturerId, product, imageDigest)).toEqual(
      await told.releaseByImage(manufacturerId, product, imageDigest),
    )
    expect(await read.latestRelease(manufacturerId, product)).toMatchObject({ securityVersion: 7, signers: [1] })
    expect(await read.latestRelease(manufacturerId, product)).toEqual(await told.latestRelease(manufacturerId, product))
    expect(await read.latestRelease(9, product)).toBeUndefined()
    expect(await read.minimumSecurityVersion(manufacturerId, product)).toBe(
      await told.minimumSecurityVersion(manufacturerId, product),
    )
    expect(await read.releaseThreshold(manufacturerId)).toEqual(await told.releaseThreshold(manufacturerId))
    expect(await read.releaseTexts(release)).toEqual(await told.releaseTexts(release))
    expect(await read.logHead("firmware", manufacturerId)).toEqual(await told.logHead("firmware", manufacturerId))
    expect(await read.successor("firmware")).toBeUndefined()
    await net.close()
  })
})
