import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { fromHex, keyIdOf, toHex } from "../../../client/index.ts"
import type { Hex } from "../../../client/index.ts"
import { ByteReader } from "../../../client/snapshot/byteReader.ts"
import { encodeSnapshot } from "../../../client/snapshot/encodeSnapshot.ts"
import { PlaceSet } from "../../../client/snapshot/placeSet.ts"
import { encodePlaceSet, readPlaceSet } from "../../../client/snapshot/placeSetCodec.ts"
import { readSnapshot } from "../../../client/snapshot/readSnapshot.ts"
import type { Snapshot } from "../../../client/snapshot/snapshot.ts"

const page = readFileSync(new URL("../../../docs/formats.md", import.meta.url), "utf8")

/** The bytes of an example on the page: everything but remarks and white space is hex. */
function example(name: string): Uint8Array {
  const found = page.split(`<!-- example: ${name} -->`)
  expect(found, `exactly one example "${name}"`).toHaveLength(2)
  const block = /^\s*```text\n(.*?)\n```/s.exec(found[1]!)
  const digits = block![1]!
    .split("\n")
    .map((line) => line.split(";")[0])
    .join("")
  return fromHex(`0x${digits.replaceAll(/\s/g, "")}`)
}

const spki = example("issuer-spki")
const address = (byte: string): Hex => `0x${byte.repeat(20)}`
const word = (byte: string): Hex => `0x${byte.repeat(32)}`
const day = (text: string): number => Date.parse(text) / 1000

/** The batch of the other examples, of which index 1 is revoked by bit, and the credential at index 2 by record. */
const SNAPSHOT: Snapshot = {
  chainId: 31_337,
  contracts: {
    manufacturers: address("01"),
    devices: "0x5fbdb2315678afecb367f032d93f642f64180aa3",
    firmware: undefined,
  },
  manufacturerId: 2,
  block: { number: 1000, hash: word("b1"), timestamp: day("2026-03-01T00:00:00Z") },
  manufacturers: [
    {
      manufacturer: {
        id: 2,
        name: "Works",
        metadataURI: "",
        controller: address("c0"),
        pendingController: undefined,
        proposedController: undefined,
        replacementAt: undefined,
        status: "active",
        statusSince: day("2026-01-01T00:00:00Z"),
        suspendedUntil: undefined,
        keyCount: 1,
      },
      logHeads: {
        manufacturers: { head: word("a1"), length: 2 },
        devices: { head: word("a2"), length: 3 },
        firmware: undefined,
      },
      keys: [
        {
          manufacturerId: 2,
          index: 1,
          keyId: keyIdOf(spki),
          purpose: "issuer",
          proven: true,
          registeredAt: day("2026-01-02T00:00:00Z"),
          notBefore: day("2026-01-01T00:00:00Z"),
          notAfter: day("2035-12-31T23:59:59Z"),
          revokedAt: undefined,
          compromisedSince: undefined,
          spki,
        },
      ],
      batches: [
        {
          batch: {
            manufacturerId: 2,
            series: 2_147_483_649,
            root: toHex(example("batch-root")),
            size: 5,
            keyIndex: 1,
            registeredAt: day("2026-02-01T00:00:00Z"),
            notAfter: day("2035-12-31T23:59:59Z"),
            mark: "none",
            byKey: true,
            rawPublicKeys: false,
            revokedCount: 1,
            changedAt: 0,
            reason: 0,
          },
          bits: PlaceSet.of(5, [1]),
          marked: PlaceSet.of(5, [2]),
          markedBy: Uint32Array.of(0),
        },
      ],
      records: [
        {
          manufacturerId: 2,
          subject: toHex(example("credential-hash")),
          registeredAt: undefined,
          notAfter: undefined,
          keyIndex: 0,
          mark: "revoked",
          changedAt: day("2026-02-15T00:00:00Z"),
          reason: 1,
          invalidityDate: undefined,
        },
      ],
    },
  ],
}

describe("docs/formats.md, Snapshot", () => {
  it("shows the snapshot that is written", () => {
    expect(toHex(encodeSnapshot(SNAPSHOT))).toBe(toHex(example("snapshot")))
  })

  it("shows a snapshot that is read", () => {
    expect(readSnapshot(example("snapshot"))).toEqual(SNAPSHOT)
  })

  it("shows sets in each coding", () => {
    const sets: [name: string, set: PlaceSet][] = [
      ["place-set-members", PlaceSet.of(1000, [3, 9, 10, 250, 700])],
      [
        "place-set-others",
        PlaceSet.of(
          1000,
          Array.from({ length: 1000 }, (_, i) => i).filter((i) => i !== 7),
        ),
      ],
      ["place-set-runs", new PlaceSet(100_000, Uint32Array.of(256, 512, 4096, 4352))],
      ["place-set-bitmap", PlaceSet.of(16, [0, 2, 3, 8, 15])],
    ]
    for (const [name, set] of sets) {
      expect([name, toHex(encodePlaceSet(set))]).toEqual([name, toHex(example(name))])
      const read = readPlaceSet(new ByteReader(example(name)), set.size, 100)
      expect([name, ...read.members()]).toEqual([name, ...set.members()])
    }
  })
})
