import { RLP } from "@ethereumjs/rlp"
import { equalBytes, fromHex, toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { StateProofInvalidError } from "../../errors/proofs.ts"
import { TrieNodes } from "./trieNodes.ts"

/** Root of a trie without entries: Keccak-256 of the RLP of nothing. */
export const EMPTY_TRIE_ROOT: Hex = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"

/** What RLP codes: octets, or a list. */
export type RlpItem = Uint8Array | readonly RlpItem[]

/** A key of 32 octets has 64 nibbles; no honest path is longer. */
const MOST_NODES = 65
/** A branch of 16 hashes has 532 octets; a leaf holds less. */
const LONGEST_NODE = 1_024

/**
 * What stands under a key of a secure Merkle-Patricia trie with this root, or `undefined` if the proof shows that nothing does.
 * The proof must be just the nodes from the root to where the path ends, in this order: a node more, less or elsewhere refuses
 * it. Absence is accepted only where every hash on the way was followed to its end.
 *
 * @param key The trie's own key, which is the hash of what callers name.
 * @param known Nodes of the same answer, hashed before.
 * @throws StateProofInvalidError
 */
export async function proveEntry(
  root: Hex,
  key: Uint8Array,
  proof: unknown,
  what: string,
  known = new TrieNodes(),
): Promise<Uint8Array | undefined> {
  const nodes = readNodes(proof, what, known)
  if (root === EMPTY_TRIE_ROOT) {
    // Nodes send nothing for an empty trie, or its one empty node.
    if (nodes.length === 0 || (nodes.length === 1 && equalBytes(nodes[0] as Uint8Array, EMPTY_NODE))) return undefined
    throw new StateProofInvalidError({ what, expected: "no nodes: the trie is empty", found: `${nodes.length} nodes` })
  }
  const [first] = nodes
  if (first === undefined) throw new StateProofInvalidError({ what, expected: `root ${root}`, found: "no nodes" })
  const found = toHex(known.hash(first))
  if (found !== root) throw new StateProofInvalidError({ what, expected: `root ${root}`, found })

  // Loaded when first needed: most programs never do.
  const { createMPTFromProof } = await import("@ethereumjs/mpt")
  let path: Awaited<ReturnType<Awaited<ReturnType<typeof createMPTFromProof>>["findPath"]>>
  try {
    const trie = await createMPTFromProof(nodes, { root: fromHex(root), useKeyHashingFunction: known.hash })
    path = await trie.findPath(key, true)
  } catch (cause) {
    throw new StateProofInvalidError({ what, expected: "all nodes on the path", found: "a missing or bad one", cause })
  }
  // Nodes shorter than a hash stand inside their parents and are not listed.
  const listed = path.stack.map((node) => node.serialize()).filter((node, i) => i === 0 || node.length >= 32)
  const same = listed.length === nodes.length && listed.every((node, i) => equalBytes(node, nodes[i] as Uint8Array))
  if (!same) {
    const counts = { expected: `the ${listed.length} nodes of the path`, found: `${nodes.length} that are not these` }
    throw new StateProofInvalidError({ what, ...counts })
  }
  if (path.node === null || path.remaining.length > 0) return undefined
  const value: unknown = path.node.value()
  if (value instanceof Uint8Array) return value
  if (value === null) return undefined
  throw new StateProofInvalidError({ what, expected: "octets", found: "a list" })
}

/** Decodes RLP in its one form. @throws StateProofInvalidError */
export function decodeRlp(bytes: Uint8Array, what: string): RlpItem {
  try {
    const decoded = RLP.decode(bytes)
    if (equalBytes(RLP.encode(decoded), bytes)) return decoded
  } catch (cause) {
    throw new StateProofInvalidError({ what, expected: "RLP", found: "other bytes", cause })
  }
  throw new StateProofInvalidError({ what, expected: "canonical RLP", found: "another form" })
}

const EMPTY_NODE = Uint8Array.of(0x80)

function readNodes(proof: unknown, what: string, known: TrieNodes): Uint8Array[] {
  if (!Array.isArray(proof) || proof.length > MOST_NODES) {
    const found = Array.isArray(proof) ? `${proof.length} nodes` : typeof proof
    throw new StateProofInvalidError({ what, expected: `at most ${MOST_NODES} nodes`, found })
  }
  return proof.map((node: unknown) => {
    if (typeof node !== "string" || node.length > 2 + 2 * LONGEST_NODE || !/^0x([0-9a-fA-F]{2})+$/.test(node)) {
      throw new StateProofInvalidError({ what, expected: "nodes in hex", found: String(node).slice(0, 40) })
    }
    return known.node(node)
  })
}
