import { describe, expect, it } from "vitest"
import { storageLayout } from "../../../../client/abi/storageLayout.ts"
import { NumberOutOfRangeError } from "../../../../client/errors/ledger.ts"
import { StoredValueInvalidError } from "../../../../client/errors/proofs.ts"
import { locate, slotsOf, unpack, wordHex } from "../../../../client/ledger/proven/storageSlots.ts"
import { joinStoredString, readStoredString } from "../../../../client/ledger/proven/storedString.ts"

type Member = { label: string; slot: string; offset: number; type: string }

/** Where everything stood when state proofs were written. Deployed contracts do not move: a change here is a new contract. */
const LAID_OUT = {
  "ManufacturerRegistry._logs": "1+0",
  "ManufacturerRegistry._cores": "6+0",
  "ManufacturerRegistry._profiles": "7+0",
  "ManufacturerRegistry._operators": "8+0",
  "ManufacturerRegistry._keys": "9+0",
  "ManufacturerRegistry._provenKeys": "10+0",
  "DeviceRegistry._logs": "1+0",
  "DeviceRegistry._successor": "3+0",
  "DeviceRegistry._batches": "12+0",
  "DeviceRegistry._records": "13+0",
  "FirmwareRegistry._logs": "1+0",
  "FirmwareRegistry._successor": "3+0",
  "FirmwareRegistry._thresholds": "12+0",
  "FirmwareRegistry._products": "13+0",
  "ManufacturerRegistry.Core": "controller 0+0, status 0+20, statusSince 0+21, suspendedUntil 0+26, epoch 0+31",
  "ManufacturerRegistry.Profile":
    "keyCount 0+0, pendingController 0+4, proposedController 1+0, replacementAt 1+20, name 2+0, metadataURI 3+0",
  "ManufacturerRegistry.OperatorGrant": "rights 0+0, epoch 0+1, until 0+2",
  "ManufacturerRegistry.StoredKey": "meta 0+0, keyId 1+0, x 2+0, y 3+0",
  "ManufacturerRegistry.KeyMeta":
    "purpose 0+0, proven 0+1, registeredAt 0+2, notBefore 0+7, notAfter 0+12, revokedAt 0+17, compromisedSince 0+22",
  "ManufacturerRegistry.KeyRef": "manufacturerId 0+0, keyIndex 0+4",
  "DeviceRegistry.StoredBatch": "root 0+0, meta 1+0, revoked 2+0",
  "DeviceRegistry.BatchMeta":
    "size 0+0, keyIndex 0+4, registeredAt 0+8, notAfter 0+13, mark 0+18, flags 0+19, revokedCount 0+20, changedAt 0+24, reason 0+29",
  "DeviceRegistry.Record":
    "registeredAt 0+0, changedAt 0+5, notAfter 0+10, invalidityDate 0+15, keyIndex 0+20, mark 0+24, reason 0+25",
  "DeviceRegistry.Successor": "chainId 0+0, registry 1+0, codeHash 2+0",
  "DeviceRegistry.Log": "head 0+0, length 1+0",
  "FirmwareRegistry.Threshold": "current 0+0, pending 0+1, pendingAt 0+2",
  "FirmwareRegistry.Product": "latest 0+0, minimum 0+8, images 1+0, releases 2+0",
  "FirmwareRegistry.StoredRelease": "manifestDigest 0+0, meta 1+0",
  "FirmwareRegistry.ReleaseMeta": "securityVersion 0+0, releasedAt 0+5, recalledAt 0+10, threshold 0+15, signers 0+16",
} as const

describe("the storage layout", () => {
  it.each(Object.entries(LAID_OUT))("has %s where it was", (name, expected) => {
    const [contract, item] = name.split(".") as [keyof typeof storageLayout, string]
    const { storage, types } = storageLayout[contract] as { storage: readonly Member[]; types: Record<string, unknown> }
    const variable = storage.find(({ label }) => label === item)
    const struct = types[`t_struct(${item})_storage`] as { members: readonly Member[] } | undefined
    const at = ({ slot, offset }: Member): string => `${slot}+${offset}`
    const found =
      variable === undefined ? struct?.members.map((one) => `${one.label} ${at(one)}`).join(", ") : at(variable)
    expect(found).toBe(expected)
  })
})

describe("locate", () => {
  it("finds variables, entries of mappings and members of structs", () => {
    expect(locate("DeviceRegistry", "_successor")).toMatchObject({ slot: 3n })
    // Solidity's rule, worked out elsewhere: keccak256(abi.encode(uint256(1), uint256(6))).
    expect(wordHex(locate("ManufacturerRegistry", "_cores", { key: 1 }).slot)).toBe(
      "0x3e5fec24aa4dc4e5aee2e025e51e1392c72a2500577559fae9665c6d52bd6a31",
    )
    const key = locate("ManufacturerRegistry", "_keys", { key: 1 }, { key: 2 })
    expect(locate("ManufacturerRegistry", "_keys", { key: 1 }, { key: 2 }, "y").slot).toBe(key.slot + 3n)
    expect(slotsOf("ManufacturerRegistry", key)).toEqual([key.slot, key.slot + 1n, key.slot + 2n, key.slot + 3n])
  })

  it("refuses keys beyond their type", () => {
    for (const key of [-1, 2 ** 32, 2n ** 256n]) {
      expect(() => locate("DeviceRegistry", "_batches", { key })).toThrow(NumberOutOfRangeError)
    }
  })

  it("refuses names that are not there", () => {
    expect(() => locate("DeviceRegistry", "_gone")).toThrow(TypeError)
    expect(() => locate("DeviceRegistry", "_successor", { key: 1 })).toThrow(TypeError)
  })
})

describe("unpack", () => {
  it("cuts a word into its members", () => {
    const place = locate("ManufacturerRegistry", "_provenKeys", { key: `0x${"11".repeat(32)}` })
    expect(unpack("ManufacturerRegistry", place, [(7n << 32n) | 5n | (9n << 64n)])).toEqual({
      manufacturerId: 5n,
      keyIndex: 7n,
    })
  })
})

describe("readStoredString", () => {
  const word = (text: string): bigint =>
    BigInt(`0x${Buffer.from(text).toString("hex").padEnd(62, "0")}${(2 * text.length).toString(16).padStart(2, "0")}`)

  it("reads short and long texts", () => {
    expect(readStoredString(5n, 0n, "a text")).toEqual({ text: "" })
    expect(readStoredString(5n, word("Acme Works"), "a text")).toEqual({ text: "Acme Works" })
    expect(readStoredString(5n, word("x".repeat(31)), "a text")).toEqual({ text: "x".repeat(31) })
    const long = readStoredString(5n, 2n * 33n + 1n, "a text")
    expect(long).toMatchObject({ length: 33, slots: [expect.any(BigInt), expect.any(BigInt)] })
    const words = [BigInt(`0x${"61".repeat(32)}`), BigInt(`0x62${"00".repeat(31)}`)]
    expect(joinStoredString(33, words)).toBe(`${"a".repeat(32)}b`)
  })

  it.each([
    ["a short text that is too long", 2n * 32n],
    ["octets behind a short text's end", word("ab") | (1n << 8n)],
    ["a long text that is short", 2n * 31n + 1n],
    ["a text longer than any", 2n * 5_000n + 1n],
    ["a text as long as can be", 2n ** 256n - 1n],
  ])("refuses %s", (_what, stored) => {
    expect(() => readStoredString(5n, stored, "a text")).toThrow(StoredValueInvalidError)
  })
})
