import { readFileSync } from "node:fs"
import { createMerkleProof, createMPT } from "@ethereumjs/mpt"
import { RLP } from "@ethereumjs/rlp"
import { keccak256 } from "viem"
import { describe, expect, it } from "vitest"
import { fromHex, toHex } from "../../../../client/crypto/hex.ts"
import type { Hex } from "../../../../client/crypto/hex.ts"
import { StateProofInvalidError } from "../../../../client/errors/proofs.ts"
import { decodeRlp, EMPTY_TRIE_ROOT, proveEntry } from "../../../../client/ledger/proven/trieProof.ts"

type Pairs = readonly (readonly [string, string | null])[]
type Vector = { in: Pairs | Record<string, string | null>; root: Hex }

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../vectors/eth-trie/${name}.json`, import.meta.url), "utf8"))

const bytesOf = (text: string): Uint8Array => (text.startsWith("0x") ? fromHex(text) : new TextEncoder().encode(text))
const hashed = (key: Uint8Array): Uint8Array => fromHex(keccak256(key))

/** A trie over these pairs, its own keys already hashed where the trie is a secure one. */
async function build(pairs: Pairs, secure: boolean) {
  const trie = await createMPT()
  const keyOf = (key: string): Uint8Array => (secure ? hashed(bytesOf(key)) : bytesOf(key))
  for (const [key, value] of pairs) {
    if (value === null) await trie.del(keyOf(key))
    else await trie.put(keyOf(key), bytesOf(value))
  }
  /** What a node lists: nodes that stand inside their parents are left out. */
  const prove = async (key: Uint8Array): Promise<Hex[]> => {
    const nodes = await createMerkleProof(trie, key)
    return nodes.filter((node, i) => i === 0 || node.length >= 32).map(toHex)
  }
  return { root: toHex(trie.root()), prove, keyOf }
}

const FILES: [file: string, secure: boolean][] = [
  ["trietest", false],
  ["trieanyorder", false],
  ["trietest_secureTrie", true],
  ["trieanyorder_secureTrie", true],
  ["hex_encoded_securetrie_test", true],
]

describe("proveEntry on ethereum/tests", () => {
  const vectors = FILES.flatMap(([file, secure]) =>
    Object.entries(read(file) as Record<string, Vector>).map(([name, vector]) => [file, name, secure, vector] as const),
  )

  it("has them all", () => {
    expect(vectors).toHaveLength(25)
  })

  it.each(vectors)("%s: %s", async (_file, _name, secure, vector) => {
    const pairs: Pairs = Array.isArray(vector.in) ? vector.in : Object.entries(vector.in)
    const { root, prove, keyOf } = await build(pairs, secure)
    expect(root).toBe(vector.root)
    const last = new Map(pairs)
    for (const [key, value] of last) {
      const found = await proveEntry(root, keyOf(key), await prove(keyOf(key)), key)
      expect(found).toEqual(value === null ? undefined : bytesOf(value))
    }
    const absent = keyOf("no such key")
    expect(await proveEntry(root, absent, await prove(absent), "nothing")).toBeUndefined()
  })
})

describe("decodeRlp on ethereum/tests", () => {
  it.each(Object.entries(read("rlptest") as Record<string, { out: Hex }>))("accepts %s", (_name, { out }) => {
    const bytes = bytesOf(out.startsWith("0x") ? out : `0x${out}`)
    expect(toHex(RLP.encode(decodeRlp(bytes, "a vector") as Uint8Array))).toBe(toHex(bytes))
  })

  it.each(Object.entries(read("invalidRLPTest") as Record<string, { out: Hex }>))("refuses %s", (_name, { out }) => {
    expect(() => decodeRlp(bytesOf(out.startsWith("0x") ? out : `0x${out}`), "a vector")).toThrow(
      StateProofInvalidError,
    )
  })
})

describe("proveEntry on forged proofs", () => {
  const key = (i: number): Uint8Array => hashed(Uint8Array.of(i, i >> 8))
  const value = (i: number): string => toHex(RLP.encode(Uint8Array.of(1 + (i % 100), i >> 8)))

  /** Two tries of 600 slots, as two contracts have them, or one contract at two blocks. */
  async function world() {
    const pairs = Array.from({ length: 600 }, (_, i): [string, string] => [toHex(key(i)), value(i)])
    const other = pairs.map(([k, v], i): [string, string] => [k, i === 7 ? "0x2a" : v])
    return { trie: await build(pairs, false), later: await build(other, false) }
  }

  const PRESENT = key(7)
  const ABSENT = key(9_999)

  /** The answer, or nothing if the proof was refused by the right error. */
  async function answer(root: Hex, wanted: Uint8Array, proof: unknown): Promise<{ value: Hex | "absent" } | undefined> {
    try {
      const found = await proveEntry(root, wanted, proof, "a slot")
      return { value: found === undefined ? "absent" : toHex(found) }
    } catch (error) {
      expect(error).toBeInstanceOf(StateProofInvalidError)
      return undefined
    }
  }

  it.each([
    ["presence", PRESENT],
    ["absence", ABSENT],
  ])("refuses a proof of %s with any bit flipped, within seconds", async (_what, wanted) => {
    const { trie } = await world()
    const proof = await trie.prove(wanted)
    expect(proof.length).toBeGreaterThanOrEqual(3)
    const started = performance.now()
    let tried = 0
    for (const [i, node] of proof.entries()) {
      const bytes = fromHex(node)
      // All bits of the end of the path, and one in each octet of what is above it.
      const bits = i === proof.length - 1 ? 8 : 1
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < bits; bit++) {
          const forged = bytes.slice()
          forged[at] = (forged[at] as number) ^ (1 << (bits === 1 ? at % 8 : bit))
          tried += 1
          expect(await answer(trie.root, wanted, proof.with(i, toHex(forged)))).toBeUndefined()
        }
      }
    }
    expect(tried).toBeGreaterThan(1_000)
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  it("refuses nodes dropped, repeated, reordered, added and cut", async () => {
    const { trie } = await world()
    for (const wanted of [PRESENT, ABSENT]) {
      const proof = await trie.prove(wanted)
      const extra = await trie.prove(key(8))
      const forged: unknown[] = [
        [],
        proof.toReversed(),
        [...proof, proof.at(-1)],
        [...proof, ...extra],
        [...proof, extra.at(-1)],
        [...proof, "0x80"],
        ...proof.flatMap((node, i) => [
          proof.toSpliced(i, 1),
          proof.toSpliced(i, 0, node),
          proof.slice(0, i),
          proof.slice(i + 1),
          proof.with(i, "0x80"),
          proof.with(i, "0xc0"),
          proof.with(i, `${node}00`),
          proof.with(i, node.slice(0, -2) as Hex),
          ...(i === 0 ? [] : [proof.with(i, proof[i - 1] as Hex).with(i - 1, node)]),
        ]),
      ]
      for (const each of forged) {
        const found = await answer(trie.root, wanted, each)
        expect(found, `proof ${JSON.stringify(each)}`).toBeUndefined()
      }
    }
  })

  it("refuses the proof of another slot, contract and block", async () => {
    const { trie, later } = await world()
    for (const wanted of [PRESENT, ABSENT]) {
      for (const i of [1, 2, 3, 100, 599]) {
        expect(await answer(trie.root, wanted, await trie.prove(key(i)))).toBeUndefined()
      }
    }
    expect(await answer(trie.root, PRESENT, await later.prove(PRESENT))).toBeUndefined()
    expect(await answer(later.root, PRESENT, await trie.prove(PRESENT))).toBeUndefined()
    expect(await answer(EMPTY_TRIE_ROOT, PRESENT, await trie.prove(PRESENT))).toBeUndefined()
    expect(await answer(trie.root, PRESENT, ["0x80"])).toBeUndefined()
  })

  it("takes an empty trie as nothing, with no node or its one", async () => {
    expect(EMPTY_TRIE_ROOT).toBe(keccak256("0x80"))
    expect(await answer(EMPTY_TRIE_ROOT, PRESENT, [])).toEqual({ value: "absent" })
    expect(await answer(EMPTY_TRIE_ROOT, PRESENT, ["0x80"])).toEqual({ value: "absent" })
    expect(await answer(EMPTY_TRIE_ROOT, PRESENT, ["0x80", "0x80"])).toBeUndefined()
  })

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["an object", {}],
    ["text", "0x80"],
    ["numbers", [1, 2]],
    ["odd hex", ["0x123"]],
    ["no hex", ["80"]],
    ["66 nodes", Array.from({ length: 66 }, () => "0x80")],
    ["a node of a megabyte", [`0x${"00".repeat(2 ** 20)}`]],
    ["deep lists", [`0x${"c1".repeat(400)}c0`]],
  ])("refuses %s", async (_what, proof) => {
    const first: unknown = Array.isArray(proof) ? proof[0] : undefined
    const root =
      typeof first === "string" && /^0x([0-9a-f]{2})+$/.test(first) ? keccak256(first as Hex) : EMPTY_TRIE_ROOT
    const other = root === EMPTY_TRIE_ROOT ? keccak256("0x01") : root
    expect(await answer(other, PRESENT, proof)).toBeUndefined()
  })

  it("refuses tries that no node builds, whose root somebody made up", async () => {
    const leafKey = toHex(PRESENT)
    // Hex prefixes: 0x20 begins a leaf's even path, 0x00 an extension's.
    const nodes = [
      RLP.encode([fromHex(`0x20${leafKey.slice(2)}`), [Uint8Array.of(1)]]),
      RLP.encode([fromHex(`0x00${leafKey.slice(2)}`), new Uint8Array(0)]),
      RLP.encode([[], []]),
      RLP.encode([new Uint8Array(0), Uint8Array.of(1)]),
      RLP.encode(Array.from({ length: 17 }, () => [])),
      RLP.encode(Array.from({ length: 17 }, () => Uint8Array.of(5))),
      RLP.encode([Uint8Array.of(1)]),
    ]
    for (const node of nodes) {
      const found = await answer(keccak256(node), PRESENT, [toHex(node)])
      expect(found === undefined || found.value === "absent", `node ${toHex(node)}`).toBe(true)
    }
  })
})
