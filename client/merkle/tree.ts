import { MerkleTreeBuilder } from "./treeBuilder.ts"

export { leafHash, nodeHash } from "./hashes.ts"
export { MAX_TREE_SIZE } from "./limits.ts"
export { assertInclusion, inclusionProofLength, rootFromProof, verifyInclusion } from "./inclusion.ts"
export type { InclusionParameters } from "./inclusion.ts"
export { assertConsistency, verifyConsistency } from "./consistency.ts"
export type { ConsistencyParameters } from "./consistency.ts"
export { MerkleTree } from "./merkleTree.ts"
export type { MerkleTreeParameters, TreeSection } from "./merkleTree.ts"
export { MerkleTreeBuilder } from "./treeBuilder.ts"
export type { MerkleTreeBuilderOptions } from "./treeBuilder.ts"

/**
 * The root over these credential hashes: a list, or one behind the other in one array. RFC 9162, 2.1.1.
 *
 * @throws {@link HashLengthError} {@link TreeSizeError} for none
 */
export function merkleRoot(credentialHashes: Uint8Array | Iterable<Uint8Array>): Uint8Array {
  const builder = new MerkleTreeBuilder()
  if (credentialHashes instanceof Uint8Array) builder.appendMany(credentialHashes)
  else for (const hash of credentialHashes) builder.append(hash)
  return builder.root()
}
