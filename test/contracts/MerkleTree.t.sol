// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILibraryDoor} from "./helpers/Doors.sol";
import {Assertions} from "./helpers/Assertions.sol";
import {PlainMerkleTree} from "./PlainMerkleTree.sol";

/// @notice The assembly against RFC 9162's wording (I19, R1, R2, R5, R8).
contract MerkleTreeTest is Assertions {
    ILibraryDoor private door = ILibraryDoor(mustCreate(LIBRARY_DOOR, ""));

    function test_leafHash_isTheRfcsOverThirtyTwoOctets() public view {
        bytes32 credentialHash = keccak256("device");
        equal(door.leafHash(credentialHash), sha256(bytes.concat(hex"00", credentialHash)), "leaf hash");
    }

    /// Every leaf of every tree of 1 to 64 leaves is accepted at its own index and at no other.
    function test_verify_acceptsExactlyTheOwnIndexInAllSmallTrees() public view {
        for (uint256 size = 1; size <= 64; ++size) {
            bytes32[][] memory levels = levelsOf(leavesOf(size));
            bytes32 root = rootOf(levels);
            for (uint256 leaf = 0; leaf < size; ++leaf) {
                bytes32[] memory proof = proofOf(levels, leaf);
                for (uint256 index = 0; index <= size; ++index) {
                    isTrue(
                        door.verifyInclusion(levels[0][leaf], index, size, proof, root) == (index == leaf),
                        "a leaf belongs to one index"
                    );
                }
            }
        }
    }

    /// The helpers below build the same trees and proofs as the RFC's recursive definitions.
    function test_trees_areTheRfcs() public pure {
        for (uint256 size = 1; size <= 40; ++size) {
            bytes32[] memory leaves = leavesOf(size);
            bytes32[][] memory levels = levelsOf(leaves);
            equal(rootOf(levels), PlainMerkleTree.root(leaves, 0, size), "root");
            for (uint256 index = 0; index < size; ++index) {
                equal(
                    keccak256(abi.encode(proofOf(levels, index))),
                    keccak256(abi.encode(PlainMerkleTree.path(index, leaves, 0, size))),
                    "path"
                );
            }
        }
    }

    function test_verify_acceptsAllSizesUpTo1025() public view {
        for (uint256 size = 65; size <= 1_025; ++size) this.checkSize(size);
    }

    /// A call of its own, so that its memory is given back.
    function checkSize(uint256 size) external view {
        bytes32[][] memory levels = levelsOf(leavesOf(size));
        bytes32 root = rootOf(levels);
        uint256[5] memory indices = [0, 1, size / 2, size - 2, size - 1];
        for (uint256 i = 0; i < indices.length; ++i) {
            bytes32[] memory proof = proofOf(levels, indices[i]);
            bytes32 leaf = levels[0][indices[i]];
            isTrue(door.verifyInclusion(leaf, indices[i], size, proof, root), "own index");
            isTrue(!door.verifyInclusion(leaf, indices[i], size, proof, ~root), "other root");
            isTrue(!door.verifyInclusion(~leaf, indices[i], size, proof, root), "other leaf");
        }
    }

    /// R1: an inner node passed off as a leaf, at whatever index and size it might fit.
    function test_verify_refusesEveryInnerNodeAsLeaf() public view {
        for (uint256 size = 2; size <= 24; ++size) {
            bytes32[][] memory levels = levelsOf(leavesOf(size));
            bytes32 root = rootOf(levels);
            for (uint256 level = 1; level < levels.length; ++level) {
                for (uint256 node = 0; node < levels[level].length; ++node) {
                    // As a credential hash: what the registry would hash with 0x00 before.
                    bytes32 asCredential = door.leafHash(levels[level][node]);
                    // The node's own path: the upper part of the path of any leaf below it.
                    uint256 below = node << level;
                    bytes32[] memory proof = proofFrom(levels, level, node);
                    for (uint256 index = 0; index < size; ++index) {
                        isTrue(
                            !door.verifyInclusion(asCredential, index, size, proof, root),
                            "inner node as credential"
                        );
                    }
                    // Even the raw node does not pass at the tree's own size, unless it is a leaf that rose alone.
                    if (below < size && levels[level][node] != levels[0][below]) {
                        isTrue(!door.verifyInclusion(levels[level][node], below, size, proof, root), "inner node");
                    }
                }
            }
        }
    }

    /// R5: nothing is provable at or past the end.
    function testFuzz_verify_refusesIndicesPastTheEnd(
        uint8 sizeSeed,
        uint256 past,
        bytes32[] calldata proof
    ) public view {
        uint256 size = between(sizeSeed, 1, 64);
        bytes32[][] memory levels = levelsOf(leavesOf(size));
        uint256 index = past < size ? size + past : past;
        isTrue(!door.verifyInclusion(levels[0][size - 1], index, size, proof, rootOf(levels)), "past the end");
        isTrue(
            !door.verifyInclusion(levels[0][size - 1], index, size, proofOf(levels, size - 1), rootOf(levels)),
            "past the end with a real proof"
        );
        isTrue(!door.verifyInclusion(0, past, 0, proof, 0), "nothing is in an empty tree");
    }

    /// The twin says the same, whatever it is asked: right proofs, shortened, lengthened, swapped, one bit off, other sizes.
    function testFuzz_verify_agreesWithTheRfc(
        uint256 sizeSeed,
        uint256 indexSeed,
        uint256 change,
        uint256 where
    ) public view {
        uint256 size = between(sizeSeed, 1, 130);
        uint256 index = between(indexSeed, 0, size - 1);
        bytes32[][] memory levels = levelsOf(leavesOf(size));
        bytes32 root = rootOf(levels);
        bytes32 leaf = levels[0][index];
        bytes32[] memory proof = proofOf(levels, index);

        uint256 kind = change % 8;
        if (kind == 1) proof = resized(proof, proof.length + 1 + (where % 3));
        if (kind == 2 && proof.length > 0) proof = resized(proof, where % proof.length);
        if (kind == 3 && proof.length > 0) proof[where % proof.length] ^= bytes32(1 << ((where >> 8) % 256));
        if (kind == 4 && proof.length > 1) {
            (proof[0], proof[where % proof.length]) = (proof[where % proof.length], proof[0]);
        }
        if (kind == 5) index = where % (size + 3);
        if (kind == 6) size = where % 260;
        if (kind == 7) (leaf, root) = (root, leaf);

        isTrue(
            door.verifyInclusion(leaf, index, size, proof, root) ==
                PlainMerkleTree.verify(leaf, index, size, proof, root),
            "twin"
        );
    }

    /// Trees far larger than any that can be built here: both verifiers walk the same made-up path to the same root.
    function testFuzz_verify_agreesWithTheRfcInLargeTrees(
        uint256 sizeSeed,
        uint256 indexSeed,
        bytes32 leaf,
        uint256 seed,
        uint8 change
    ) public view {
        uint256 size = between(sizeSeed, 1, type(uint32).max);
        uint256 index = between(indexSeed, 0, size - 1);
        bytes32[] memory proof = new bytes32[](proofLength(index, size));
        for (uint256 i = 0; i < proof.length; ++i) proof[i] = keccak256(abi.encode(seed, i));
        bytes32 root = walk(leaf, index, size, proof);

        isTrue(door.verifyInclusion(leaf, index, size, proof, root), "own root");
        isTrue(PlainMerkleTree.verify(leaf, index, size, proof, root), "own root, by the RFC");

        uint256 otherIndex = change % 2 == 0 ? index ^ (1 << (seed % 32)) : index;
        uint256 otherSize = change % 2 == 1 ? size ^ (1 << (seed % 32)) : size;
        isTrue(
            door.verifyInclusion(leaf, otherIndex, otherSize, proof, root) ==
                PlainMerkleTree.verify(leaf, otherIndex, otherSize, proof, root),
            "twin"
        );
        isTrue(
            !door.verifyInclusion(leaf, otherIndex ^ 1, size, proof, root) || otherIndex ^ 1 == index,
            "other index"
        );
    }

    /// The assembly puts the free memory pointer back and leaves the zero slot alone.
    function test_verify_leavesMemoryInOrder() public view {
        for (uint256 size = 1; size <= 9; ++size) {
            bytes32[][] memory levels = levelsOf(leavesOf(size));
            for (uint256 index = 0; index < size; ++index) {
                (bool included, bytes memory kept, bytes memory empty, bytes memory fresh) = door.verifyThenAllocate(
                    levels[0][index],
                    index,
                    size,
                    proofOf(levels, index),
                    rootOf(levels)
                );
                isTrue(included, "included");
                equal(keccak256(kept), keccak256("still here"), "what was there before");
                equal(empty.length, 0, "the zero slot");
                equal(keccak256(fresh), keccak256(new bytes(96)), "what is taken afterwards");
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------------ helpers

    function leavesOf(uint256 size) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) leaves[i] = keccak256(abi.encode("leaf", i));
    }

    /// The tree bottom up: a node without a sibling rises as it is.
    function levelsOf(bytes32[] memory leaves) private pure returns (bytes32[][] memory levels) {
        uint256 depth = 1;
        for (uint256 n = leaves.length; n > 1; n = (n + 1) / 2) ++depth;
        levels = new bytes32[][](depth);
        levels[0] = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) levels[0][i] = sha256(bytes.concat(hex"00", leaves[i]));
        for (uint256 level = 1; level < depth; ++level) {
            bytes32[] memory lower = levels[level - 1];
            bytes32[] memory upper = new bytes32[]((lower.length + 1) / 2);
            for (uint256 i = 0; i < upper.length; ++i) {
                upper[i] =
                    2 * i + 1 < lower.length
                        ? sha256(bytes.concat(hex"01", lower[2 * i], lower[2 * i + 1]))
                        : lower[2 * i];
            }
            levels[level] = upper;
        }
    }

    function rootOf(bytes32[][] memory levels) private pure returns (bytes32) {
        return levels[levels.length - 1][0];
    }

    function proofOf(bytes32[][] memory levels, uint256 index) private pure returns (bytes32[] memory) {
        return proofFrom(levels, 0, index);
    }

    function proofFrom(
        bytes32[][] memory levels,
        uint256 from,
        uint256 index
    ) private pure returns (bytes32[] memory proof) {
        proof = new bytes32[](levels.length);
        uint256 length = 0;
        for (uint256 level = from; level + 1 < levels.length; ++level) {
            uint256 sibling = index ^ 1;
            if (sibling < levels[level].length) proof[length++] = levels[level][sibling];
            index >>= 1;
        }
        return resized(proof, length);
    }

    function resized(bytes32[] memory items, uint256 length) private pure returns (bytes32[] memory copy) {
        copy = new bytes32[](length);
        for (uint256 i = 0; i < length && i < items.length; ++i) copy[i] = items[i];
    }

    /// How long the RFC's path is: one for each level where the node has a sibling.
    function proofLength(uint256 index, uint256 size) private pure returns (uint256 length) {
        for (uint256 last = size - 1; last != 0; last >>= 1) {
            if (index & 1 == 1 || index < last) ++length;
            index >>= 1;
        }
    }

    function walk(bytes32 node, uint256 index, uint256 size, bytes32[] memory proof) private pure returns (bytes32) {
        uint256 used = 0;
        for (uint256 last = size - 1; last != 0; last >>= 1) {
            if (index & 1 == 1) node = sha256(bytes.concat(hex"01", proof[used++], node));
            else if (index < last) node = sha256(bytes.concat(hex"01", node, proof[used++]));
            index >>= 1;
        }
        return node;
    }
}
