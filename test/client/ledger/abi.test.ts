// The codec of the contract ABI against viem's, over everything that is in the registries' ABIs.
import fc from "fast-check"
import {
  decodeErrorResult,
  decodeEventLog,
  encodeAbiParameters,
  encodeErrorResult,
  encodeEventTopics,
} from "viem/utils"
import { decodeAbiParameters, decodeFunctionResult, encodeFunctionData, encodeFunctionResult } from "viem/utils"
import { getAddress as viemChecksum, isAddress as viemIsAddress, toEventSelector } from "viem/utils"
import type { Abi, AbiEvent, AbiFunction, AbiParameter } from "viem"
import { describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { errorsAbi } from "../../../client/abi/errors.ts"
import { firmwareRegistryAbi } from "../../../client/abi/FirmwareRegistry.ts"
import { fleetrootAccessAbi } from "../../../client/abi/FleetrootAccess.ts"
import { manufacturerRegistryAbi } from "../../../client/abi/ManufacturerRegistry.ts"
import { fromHex, toHex } from "../../../client/crypto/hex.ts"
import type { Hex } from "../../../client/crypto/hex.ts"
import { FleetrootError } from "../../../client/errors/base.ts"
import { abiItem, topicOf } from "../../../client/ledger/abi/abiItem.ts"
import type { AbiError } from "../../../client/ledger/abi/abiItem.ts"
import { checksumAddress, isAddress } from "../../../client/ledger/abi/address.ts"
import { decodeParameters } from "../../../client/ledger/abi/decodeParameters.ts"
import { encodeParameters } from "../../../client/ledger/abi/encodeParameters.ts"
import { decodeError } from "../../../client/ledger/abi/errorData.ts"
import { decodeEvent, encodeTopics } from "../../../client/ledger/abi/eventData.ts"
import { decodeResult, encodeCall } from "../../../client/ledger/abi/functionData.ts"

const ABIS: Readonly<Record<string, Abi>> = {
  devices: deviceRegistryAbi,
  manufacturers: manufacturerRegistryAbi,
  firmware: firmwareRegistryAbi,
  access: fleetrootAccessAbi,
  errors: errorsAbi,
}

/** Types that the registries do not have, or not in this company, and which the codec knows all the same. */
const OTHER_TYPES: readonly (readonly AbiParameter[])[] = [
  [{ type: "int8" }, { type: "int48" }, { type: "int56" }, { type: "int256" }, { type: "uint48" }, { type: "uint56" }],
  [{ type: "bytes7" }, { type: "bytes32[3]" }, { type: "string[2]" }, { type: "uint8[2][]" }, { type: "bytes[][2]" }],
  [
    {
      type: "tuple[]",
      components: [
        { name: "text", type: "string" },
        {
          name: "inner",
          type: "tuple",
          components: [
            { name: "a", type: "bool" },
            { name: "", type: "address[]" },
          ],
        },
      ],
    },
    { type: "tuple[2]", components: [{ name: "x", type: "uint16" }] },
  ],
]

const octets = (count: number) => fc.uint8Array({ minLength: count, maxLength: count }).map(toHex)
/** viem's own decoder drops a byte order mark at the start; ours keeps it. */
const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((value) => !value.startsWith("\ufeff"))

/** Values of a type as viem's types have them. */
function valueOf({ type, components }: AbiParameter & { components?: readonly AbiParameter[] }): fc.Arbitrary<unknown> {
  const list = /^(.*)\[(\d*)\]$/.exec(type)
  if (list !== null) {
    const count = list[2] === "" ? undefined : Number(list[2])
    const element = valueOf({ type: list[1] ?? "", components: components ?? [] })
    return fc.array(element, { minLength: count ?? 0, maxLength: count ?? 4 })
  }
  const number = /^(u?int)(\d+)$/.exec(type)
  if (number !== null) {
    const bits = BigInt(number[2] as string)
    const [min, max] = number[1] === "uint" ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n]
    const value = fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n))
    return bits <= 48n ? value.map(Number) : value
  }
  if (type === "tuple") {
    const fields = components ?? []
    if (fields.some(({ name }) => name === "")) return fc.tuple(...fields.map(valueOf))
    return fc.record(Object.fromEntries(fields.map((field) => [field.name as string, valueOf(field)])))
  }
  if (type === "bool") return fc.boolean()
  if (type === "string") return text
  if (type === "address") return octets(20).map((address) => viemChecksum(address))
  if (type === "bytes") return fc.uint8Array({ maxLength: 70 }).map(toHex)
  return octets(Number(type.slice("bytes".length)))
}

const valuesOf = (inputs: readonly AbiParameter[]): fc.Arbitrary<unknown[]> => fc.tuple(...inputs.map(valueOf))
const functionsOf = (abi: Abi) => abi.filter((item): item is AbiFunction => item.type === "function")
const eventsOf = (abi: Abi) => abi.filter((item): item is AbiEvent => item.type === "event")
const errorsOf = (abi: Abi) => abi.filter((item): item is AbiError => item.type === "error")
const RUNS = { numRuns: 25 }

describe("The codec of the contract ABI and viem's", () => {
  it("have one item of each name to find in every ABI", () => {
    for (const abi of Object.values(ABIS)) {
      const names = abi.map((item) => `${item.type} ${"name" in item ? item.name : ""}`)
      expect(new Set(names).size).toBe(names.length)
    }
  })

  it.each(Object.entries(ABIS))("agree on the calls of %s and what they return", (_name, abi) => {
    for (const { name: functionName, inputs, outputs } of functionsOf(abi)) {
      const agree = (args: unknown[], results: unknown[]): void => {
        expect(encodeCall({ abi, functionName, args })).toBe(encodeFunctionData({ abi, functionName, args }))
        if (outputs.length === 0) return
        const result = results.length > 1 ? results : results[0]
        const data = encodeFunctionResult({ abi, functionName, result })
        const own = decodeResult({ abi, functionName }, data)
        expect(own).toEqual(decodeFunctionResult({ abi, functionName, data }))
        expect(own).toEqual(result)
      }
      fc.assert(fc.property(valuesOf(inputs), valuesOf(outputs), agree), RUNS)
    }
  })

  it.each(Object.entries(ABIS))("agree on the events of %s", (_name, abi) => {
    for (const event of eventsOf(abi)) {
      const { name: eventName, inputs } = event
      const plain = inputs.filter(({ indexed }) => indexed !== true)
      const agree = (values: unknown[], asked: readonly boolean[]): void => {
        const args = Object.fromEntries(inputs.map(({ name }, i) => [name as string, values[i]]))
        const topics = encodeEventTopics({ abi, eventName, args }) as [Hex, ...Hex[]]
        const data = encodeAbiParameters(
          plain,
          plain.map(({ name }) => args[name as string]),
        )
        expect(topicOf(event)).toBe(toEventSelector(event))
        expect(encodeTopics(event, args)).toEqual(topics)
        expect(decodeEvent(event, topics, data)).toEqual(args)
        expect(decodeEventLog({ abi, topics, data, strict: true }).args ?? {}).toEqual(args)

        const some = Object.fromEntries(Object.entries(args).filter((_, i) => asked[i] === true))
        const theirs = encodeEventTopics({ abi, eventName, args: some })
        // Topics that are not named match anything, as null does.
        const named = encodeTopics(event, some)
        expect(named.slice(0, theirs.length)).toEqual(theirs)
        expect(named.slice(theirs.length).every((topic) => topic === null)).toBe(true)
      }
      const choice = fc.array(fc.boolean(), { minLength: inputs.length, maxLength: inputs.length })
      fc.assert(fc.property(valuesOf(inputs), choice, agree), RUNS)
    }
  })

  it.each(Object.entries(ABIS))("agree on the errors of %s", (_name, abi) => {
    for (const { name: errorName, inputs } of errorsOf(abi)) {
      const agree = (args: unknown[]): void => {
        const data = encodeErrorResult({ abi, errorName, args })
        expect(decodeError(abi, data)).toEqual({ errorName, args })
        expect(decodeErrorResult({ abi, data }).args ?? []).toEqual(args)
      }
      fc.assert(fc.property(valuesOf(inputs), agree), RUNS)
    }
  })

  it("agree on what Solidity itself reverts with", () => {
    const theirs = (data: Hex) => decodeErrorResult({ abi: errorsAbi, data })
    const panic: Hex = `0x4e487b71${"11".padStart(64, "0")}`
    const message: Hex = `0x08c379a0${encodeParameters([{ type: "string" }], ["no"]).slice(2)}`
    for (const data of [panic, message]) {
      const { errorName, args } = theirs(data)
      expect(decodeError(errorsAbi, data)).toEqual({ errorName, args })
    }
    expect(decodeError(errorsAbi, "0x12345678")).toBeUndefined()
    expect(decodeError(errorsAbi, "0x")).toBeUndefined()
  })

  it.each(OTHER_TYPES.map((types) => ({ types })))(
    "agree on types that no registry has, %#",
    ({ types: parameters }) => {
      fc.assert(
        fc.property(valuesOf(parameters), (values) => {
          const data = encodeAbiParameters(parameters, values)
          expect(encodeParameters(parameters, values)).toBe(data)
          expect(decodeParameters(parameters, fromHex(data))).toEqual(values)
        }),
      )
    },
  )

  it("agree on addresses and their checksums", () => {
    const spelt = octets(20).chain((address) =>
      fc.constantFrom(
        address,
        viemChecksum(address),
        address.toUpperCase().replace("0X", "0x"),
        address.slice(1),
        `${address}0`,
      ),
    )
    fc.assert(
      fc.property(fc.oneof(spelt, fc.string()), (value) => {
        expect(isAddress(value)).toBe(viemIsAddress(value))
      }),
    )
    fc.assert(fc.property(octets(20), (address) => checksumAddress(address) === viemChecksum(address)))
  })
})

/** All lists of parameters that a node's answer is read by. */
const READ: readonly (readonly AbiParameter[])[] = [
  ...Object.values(ABIS).flatMap((abi) => [
    ...functionsOf(abi).map(({ outputs }) => outputs),
    ...eventsOf(abi).map(({ inputs }) => inputs.filter(({ indexed }) => indexed !== true)),
    ...errorsOf(abi).map(({ inputs }) => inputs),
  ]),
  ...OTHER_TYPES,
].filter((parameters) => parameters.length > 0)

/** What viem makes of octets, if they are the one encoding of it. */
function canonical(parameters: readonly AbiParameter[], data: Hex): unknown {
  try {
    const values = decodeAbiParameters(parameters, data)
    return encodeAbiParameters(parameters, values) === data ? { values } : undefined
  } catch {
    return undefined
  }
}

function own(parameters: readonly AbiParameter[], data: Uint8Array): unknown {
  try {
    return { values: decodeParameters(parameters, data) }
  } catch (error) {
    // Never a TypeError, whatever was sent.
    expect(error).toBeInstanceOf(FleetrootError)
    expect((error as FleetrootError).code).toBe("ABI_DATA_INVALID")
    return undefined
  }
}

describe("What a node may send", () => {
  const encoded = fc
    .constantFrom(...READ)
    .chain((parameters) =>
      valuesOf(parameters).map((values) => ({ parameters, data: fromHex(encodeAbiParameters(parameters, values)) })),
    )
  const place = fc.nat({ max: 600 })
  const octet = fc.oneof(fc.constantFrom(0, 1, 0x1f, 0x20, 0x40, 0x7f, 0x80, 0xff), fc.nat({ max: 255 }))

  it("is read just where encoding it again gives the same octets, however it was changed", () => {
    fc.assert(
      fc.property(encoded, fc.array(fc.tuple(place, octet), { maxLength: 3 }), ({ parameters, data }, changes) => {
        const changed = Uint8Array.from(data)
        for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value
        expect(own(parameters, changed)).toEqual(canonical(parameters, toHex(changed)))
      }),
      { numRuns: 3_000 },
    )
  })

  it("is not read when it is cut short or goes on", () => {
    fc.assert(
      fc.property(encoded, fc.nat({ max: 100 }), fc.uint8Array({ minLength: 1, maxLength: 40 }), (sent, cut, more) => {
        const { parameters, data } = sent
        if (data.length > 0)
          expect(own(parameters, data.subarray(0, data.length - 1 - (cut % data.length)))).toBeUndefined()
        expect(own(parameters, Uint8Array.of(...data, ...more))).toBeUndefined()
      }),
      { numRuns: 1_000 },
    )
  })

  it("is refused by name when it is anything at all", () => {
    fc.assert(
      fc.property(fc.constantFrom(...READ), fc.uint8Array({ maxLength: 300 }), (parameters, data) => {
        expect(own(parameters, data)).toEqual(canonical(parameters, toHex(data)))
      }),
      { numRuns: 1_000 },
    )
  })

  it("takes no more memory than it is long: lengths beyond the end are refused before anything is made", () => {
    for (const length of ["ff".repeat(32), "ffffffffffff".padStart(64, "0"), "7fffffff".padStart(64, "0")]) {
      const data = fromHex(`0x${"20".padStart(64, "0")}${length}${"00".repeat(32)}`)
      for (const type of ["uint256[]", "bytes32[]", "bytes", "string", "string[]", "uint8[2][]"]) {
        expect(own([{ type }], data)).toBeUndefined()
      }
    }
  })

  it("keeps every character of a text, a byte order mark too", () => {
    const data = encodeParameters([{ type: "string" }], ["\ufeffname"])
    expect(decodeParameters([{ type: "string" }], fromHex(data))).toEqual(["\ufeffname"])
  })

  it("is no event unless every topic is a word, and the first is the event's", () => {
    const event = abiItem(deviceRegistryAbi, "event", "WordRevoked")
    const args = { manufacturerId: 1, series: 2, word: 3, bits: 4n, reason: 1, sequence: 5n, timestamp: 6n }
    const topics = encodeTopics(event, args) as Hex[]
    const plain = event.inputs.filter(({ indexed }) => indexed !== true)
    const data = encodeParameters(
      plain,
      plain.map(({ name }) => args[name as keyof typeof args]),
    )
    expect(decodeEvent(event, topics, data)).toMatchObject({ manufacturerId: 1, series: 2 })

    const [first, second, third] = topics as [Hex, Hex, Hex]
    // As many octets in all, divided otherwise.
    const shifted = [`${second}00`, third.slice(0, -2)]
    const wrong: unknown[][] = [
      [],
      [first],
      [first, second],
      [first, second, third, third],
      [second, second, third],
      [first, ...shifted],
      [first, null, third],
      [first, {}, third],
      [1, second, third],
    ]
    for (const bad of wrong) expect(() => decodeEvent(event, bad, data)).toThrow(FleetrootError)
  })
})

describe("What a caller may ask for", () => {
  const BAD: [type: string, value: unknown][] = [
    ["uint8", 256],
    ["uint8", -1],
    ["uint8", 1.5],
    ["uint8", "1"],
    ["uint8", undefined],
    ["uint8", null],
    ["uint256", 2n ** 256n],
    ["uint256", 2 ** 53],
    ["int8", 128],
    ["int8", -129],
    ["bool", 1],
    ["address", "0x12"],
    ["address", 1],
    ["address", "0xD8dA6BF26964aF9D7eEd9e03E53415D37aA96045".replace("D8d", "d8D")],
    ["bytes32", "0x12"],
    ["bytes32", `0x${"g".repeat(64)}`],
    ["bytes", "0x123"],
    ["bytes", new Uint8Array(2)],
    ["string", 5],
    ["uint8[]", 5],
    ["uint8[]", [300]],
    ["uint8[2]", [1]],
  ]

  it.each(BAD)("is refused by name: as %s, %s", (type, value) => {
    expect(() => encodeParameters([{ type }], [value])).toThrow(expect.objectContaining({ code: "ABI_VALUE_INVALID" }))
  })

  it("is refused when it is a tuple of the wrong shape, or a value too few", () => {
    const tuple = { type: "tuple", components: [{ name: "a", type: "uint8" }] }
    for (const value of [null, 5, {}, [], [1, 2]])
      expect(() => encodeParameters([tuple], [value])).toThrow(FleetrootError)
    expect(() => encodeParameters([tuple], [])).toThrow(FleetrootError)
    expect(encodeParameters([tuple], [[7]])).toBe(encodeParameters([tuple], [{ a: 7 }]))
  })

  it.each(["uint7", "uint264", "uint0", "bytes0", "bytes33", "float", "tuple", "uint8[0]", "function", ""])(
    "is refused as a type that is none: %s",
    (type) => {
      const unsupported = expect.objectContaining({ code: "ABI_TYPE_UNSUPPORTED" })
      expect(() => encodeParameters([{ type }], [1])).toThrow(unsupported)
      expect(() => decodeParameters([{ type }], new Uint8Array(32))).toThrow(unsupported)
      expect(() => abiItem(errorsAbi, "function", type)).toThrow(unsupported)
    },
  )
})
