import { readFileSync } from "node:fs"
import { p256, p384 } from "@noble/curves/nist.js"
import { decodeEventLog, encodeAbiParameters, getAbiItem, keccak256, toEventSelector } from "viem"
import type { Abi, AbiEvent } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../../../client/abi/ManufacturerRegistry.ts"
import { storageLayout } from "../../../client/abi/storageLayout.ts"
import { rowsFromCsv } from "../../../client/batch/rowsFromCsv.ts"
import { rowsFromNdjson } from "../../../client/batch/rowsFromNdjson.ts"
import { concatBytes, fromHex, toHex } from "../../../client/crypto/hex.ts"
import type { Hex } from "../../../client/crypto/hex.ts"
import { keyIdOf } from "../../../client/crypto/keyId.ts"
import { encodePublicKey } from "../../../client/crypto/publicKey.ts"
import { generateP256Key } from "../../../client/crypto/signer.ts"
import type { ManufacturerClient } from "../../../client/index.ts"
import { formatDeployment, parseDeployment } from "../../../client/ledger/deployment.ts"
import {
  batchRegistrationStatement,
  keyPossessionStatement,
  selfRevocationStatement,
} from "../../../client/ledger/statements.ts"
import { nowSeconds } from "../../helpers/fleet.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const page = readFileSync(new URL("../../../docs/formats.md", import.meta.url), "utf8")

/** The text of an example's code block. */
function block(name: string): string {
  const found = page.split(`<!-- example: ${name} -->`)
  expect(found, `exactly one example "${name}"`).toHaveLength(2)
  return /^\s*```\w+\n(.*?)```/s.exec(found[1] ?? "")?.[1] ?? ""
}

/** The bytes of an example: everything but remarks and white space is hex. */
function example(name: string): Uint8Array {
  const digits = block(name)
    .split("\n")
    .map((line) => line.split(";")[0])
    .join("")
  return fromHex(`0x${digits.replaceAll(/\s/g, "")}`)
}

/** An example of two words. */
function pair(name: string): [Hex, Hex] {
  const bytes = example(name)
  expect(bytes).toHaveLength(64)
  return [toHex(bytes.slice(0, 32)), toHex(bytes.slice(32))]
}

/** A number as 32 bytes. */
const word = (value: bigint): Hex => `0x${value.toString(16).padStart(64, "0")}`
/** Numbers and hashes, 32 bytes each, one behind the other: `abi.encode` of static values. */
const words = (...values: (Hex | bigint)[]): Uint8Array =>
  concatBytes(...values.map((value) => fromHex(typeof value === "bigint" ? word(value) : value)))
const hashOfText = (text: string): Hex => keccak256(new TextEncoder().encode(text))

const CHAIN = 31337
const MANUFACTURERS: Hex = "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512"
const DEVICES: Hex = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
const SERIES = 2_147_483_649
const NOT_AFTER = Date.UTC(2035, 11, 31, 23, 59, 59) / 1000
/** RFC 6979, A.2.5 and A.2.6. */
const P256_KEY = fromHex("0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
const P384_KEY = fromHex(
  "0x6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
)

const keyId = toHex(example("issuer-key-id"))
const root = toHex(example("batch-root"))

/** The 66 octets, from the page's words alone; `struct` holds the values behind the type's hash. */
function octetsOf(registry: string, contract: Hex, typeName: string, ...struct: (Hex | bigint)[]): Uint8Array {
  const type = new RegExp(`\`(${typeName}\\([^)]*\\))\``).exec(page)?.[1] ?? ""
  const domainType = /`(EIP712Domain\([^)]*\))`/.exec(page)?.[1] ?? ""
  expect(page).toContain(registry)
  const domain = words(hashOfText(domainType), hashOfText(registry), hashOfText("1"), BigInt(CHAIN), BigInt(contract))
  return concatBytes(
    Uint8Array.of(0x19, 0x01),
    fromHex(keccak256(domain)),
    fromHex(keccak256(words(hashOfText(type), ...struct))),
  )
}

describe("docs/formats.md: signed statements", () => {
  const ofManufacturers = { chainId: CHAIN, verifyingContract: MANUFACTURERS }
  const ofDevices = { chainId: CHAIN, verifyingContract: DEVICES }
  const possession = (id: Hex): Uint8Array =>
    octetsOf("Fleetroot ManufacturerRegistry", MANUFACTURERS, "KeyPossession", 2n, id, 1n)

  it("shows the possession proof of a P-256 key", () => {
    const octets = example("key-possession")
    expect(octets).toHaveLength(66)
    expect(possession(keyId)).toEqual(octets)
    expect(keyPossessionStatement(ofManufacturers, { manufacturerId: 2, keyId, purpose: "issuer" })).toEqual(octets)
    expect(p256.sign(octets, P256_KEY, { lowS: true })).toEqual(example("key-possession-proof"))
  })

  it("shows the possession proof of a P-384 key", () => {
    const id = keyIdOf(encodePublicKey("p384", p384.getPublicKey(P384_KEY, false)))
    expect(page).toContain(id.slice(2))
    expect(possession(id)).toEqual(example("key-possession-p384"))
    const proof = p384.sign(example("key-possession-p384"), P384_KEY, { lowS: false })
    expect(proof).toEqual(example("key-possession-p384-proof"))
  })

  it("shows the issuer key's word for a batch", () => {
    const octets = example("batch-registration")
    const values = [2n, BigInt(SERIES), root, 5n, keyId, BigInt(NOT_AFTER), 0n]
    expect(octetsOf("Fleetroot DeviceRegistry", DEVICES, "BatchRegistration", ...values)).toEqual(octets)
    const batch = {
      manufacturerId: 2,
      series: SERIES,
      root,
      size: 5,
      keyId,
      notAfter: NOT_AFTER,
      kind: "x509",
    } as const
    expect(batchRegistrationStatement(ofDevices, batch)).toEqual(octets)
    expect(p256.sign(octets, P256_KEY, { lowS: true })).toEqual(example("batch-registration-signature"))
  })

  it("shows a device that gives itself up", () => {
    const credentialHash = toHex(example("raw-public-key-hash"))
    const octets = example("self-revocation")
    expect(octetsOf("Fleetroot DeviceRegistry", DEVICES, "SelfRevocation", 2n, credentialHash, 1n)).toEqual(octets)
    expect(selfRevocationStatement(ofDevices, { manufacturerId: 2, credentialHash, reason: 1 })).toEqual(octets)
    expect(p256.sign(octets, P256_KEY, { lowS: true })).toEqual(example("self-revocation-signature"))
  })
})

/** The head of a log without entries. */
const firstHead = (registry: Hex, manufacturerId: number): Hex =>
  keccak256(words(BigInt(CHAIN), BigInt(registry), BigInt(manufacturerId)))
const nextHead = (head: Hex, entry: Uint8Array): Hex => keccak256(words(head, keccak256(entry)))

describe("docs/formats.md: log entries and heads", () => {
  it("shows an entry, and the heads before and after it", () => {
    const event: AbiEvent = getAbiItem({ abi: deviceRegistryAbi, name: "BatchRegistered" })
    const time = BigInt(Date.UTC(2026, 0, 1) / 1000)
    const entry = words(toEventSelector(event), 2n, 1n, time, BigInt(SERIES), root, 5n, 1n, BigInt(NOT_AFTER), 1n)
    expect(entry).toEqual(example("log-entry"))

    const head = nextHead(firstHead(DEVICES, 2), entry)
    expect(pair("log-heads")).toEqual([firstHead(DEVICES, 2), head])
    const globalHead = firstHead(DEVICES, 0)
    expect(pair("log-global-heads")).toEqual([globalHead, keccak256(words(globalHead, 2n, head))])
  })
})

/** Where the value of a mapping lies. */
const inMapping = (key: bigint, slot: bigint): bigint => BigInt(keccak256(words(key, slot)))

/** Where a batch's root lies, and one of its status words. */
function batchSlots(manufacturerId: number, series: number, statusWord: number): { root: Hex; word: Hex } {
  const batches = storageLayout.DeviceRegistry.storage.find(({ label }) => label === "_batches")
  const first = inMapping(BigInt(series), inMapping(BigInt(manufacturerId), BigInt(batches?.slot ?? -1)))
  return { root: word(first), word: word(inMapping(BigInt(statusWord), first + 2n)) }
}

describe("docs/formats.md: storage", () => {
  it("shows the slots of a batch's root and of a status word", () => {
    const slots = batchSlots(2, SERIES, 0)
    expect(pair("storage-slots")).toEqual([slots.root, slots.word])
  })
})

describe("docs/formats.md: deployment file", () => {
  it("shows one that is read and written alike", () => {
    expect(formatDeployment(parseDeployment(block("deployment-file")))).toBe(block("deployment-file"))
  })
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe("docs/formats.md: lists of credential hashes", () => {
  it("shows the same two rows as CSV and as NDJSON", async () => {
    const bytes = (name: string): Uint8Array[] => [new TextEncoder().encode(block(name))]
    const hashes = example("batch-credential-hashes")
    const rows = [hashes.slice(0, 32), hashes.slice(32, 64)].map((credentialHash) => ({
      credentialHash,
      notAfter: NOT_AFTER,
    }))
    expect(await all(rowsFromCsv("list", bytes("hash-list-csv")))).toMatchObject(rows)
    expect(await all(rowsFromNdjson("list", bytes("hash-list-ndjson")))).toMatchObject(rows)
  })
})

describe("a ledger, read as docs/formats.md says", () => {
  let net: TestLedger
  let maker: ManufacturerClient

  beforeAll(async () => {
    net = await freshLedger()
    maker = await net.admit("Acme Works")
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: issuer })
    const notAfter = nowSeconds() + 86_400
    await maker.registerBatch({ root, size: 300, notAfter, issuerKeyId: issuer.keyId, series: 7 })
    await maker.revokePlaces(7, [0, 255, 256, 299], 4)
    await maker.hold([{ subject: keyId }])
    await maker.unhold([{ subject: keyId }])
  })
  afterAll(() => net.close())

  it.each([
    { registry: "manufacturers", abi: manufacturerRegistryAbi, atLeast: 2 },
    { registry: "devices", abi: deviceRegistryAbi, atLeast: 5 },
  ] as const)("has in its $registry log exactly what the events tell", async ({ registry, abi, atLeast }) => {
    const { address } = net.deployment.contracts[registry]
    const filter = { address, fromBlock: "0x0", toBlock: "latest" }
    const logs = (await net.rpc.request({ method: "eth_getLogs", params: [filter] })) as RawLog[]
    const entries = logs.map((log) => entryOf(abi, log)).filter((entry) => entry !== undefined)
    const head = entries.reduce(nextHead, firstHead(address, maker.manufacturerId))

    const view = await net.ledger.at("latest")
    expect(entries.length).toBeGreaterThanOrEqual(atLeast)
    expect(await view.logHead(registry, maker.manufacturerId)).toEqual({ head, length: entries.length })
  })

  it("has root and status bits where the layout says", async () => {
    const { address } = net.deployment.contracts.devices
    const read = (slot: Hex): Promise<unknown> =>
      net.rpc.request({ method: "eth_getStorageAt", params: [address, slot, "latest"] })
    const slots = [0, 1, 2].map((statusWord) => batchSlots(maker.manufacturerId, 7, statusWord))
    expect(await read(slots[0]?.root ?? "0x")).toBe(root)
    const bits = await Promise.all(slots.map((slot) => read(slot.word)))
    expect(bits).toEqual([word((1n << 255n) | 1n), word((1n << 43n) | 1n), word(0n)])
  })
})

type RawLog = { topics: [Hex, ...Hex[]]; data: Hex }

/** The entry that a log makes, whatever its event is; undefined for the events of OpenZeppelin's own that are in no log. */
function entryOf(abi: Abi, { topics, data }: RawLog): Uint8Array | undefined {
  const event = abi.find((item): item is AbiEvent => item.type === "event" && toEventSelector(item) === topics[0])
  if (event?.inputs[1]?.name !== "sequence") return undefined
  const { args } = decodeEventLog({ abi: [event], topics, data }) as { args: Record<string, unknown> }
  const values = event.inputs.map(({ name }) => args[name ?? ""])
  return fromHex(encodeAbiParameters([{ type: "bytes32" }, ...event.inputs], [topics[0], ...values]))
}
