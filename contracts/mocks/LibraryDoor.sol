// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MerkleTree} from "../libraries/MerkleTree.sol";
import {P256Signature} from "../libraries/P256Signature.sol";
import {StatusBitmap} from "../libraries/StatusBitmap.sol";

/// @title The libraries' functions as they are compiled into the registries, for tests from outside.
contract LibraryDoor {
    function verifyInclusion(
        bytes32 leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata proof,
        bytes32 root
    ) external view returns (bool) {
        return MerkleTree.verify(leaf, index, size, proof, root);
    }

    /// @notice Verifies, then takes memory that must be where it should be, and empty.
    function verifyThenAllocate(
        bytes32 leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata proof,
        bytes32 root
    ) external view returns (bool included, bytes memory kept, bytes memory empty, bytes memory fresh) {
        bytes memory nothing;
        empty = nothing;
        kept = bytes("still here");
        included = MerkleTree.verify(leaf, index, size, proof, root);
        fresh = new bytes(96);
    }

    function leafHash(bytes32 credentialHash) external view returns (bytes32) {
        return MerkleTree.leafHash(credentialHash);
    }

    function verifySignature(bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) external view returns (bool) {
        return P256Signature.verify(digest, r, s, x, y);
    }

    /// @return bits One verdict for each five words of `cases` (digest, r, s, x, y), the first in the lowest bit.
    function verifySignatures(bytes32[] calldata cases) external view returns (uint256 bits) {
        for (uint256 i = 0; i < cases.length / 5; ++i) {
            bytes32[] calldata c = cases[5 * i:5 * i + 5];
            if (P256Signature.verify(c[0], c[1], c[2], c[3], c[4])) bits |= 1 << i;
        }
    }

    function locate(uint256 index) external pure returns (uint256 word, uint256 mask) {
        return StatusBitmap.locate(index);
    }

    function validBits(uint256 word, uint256 size) external pure returns (uint256) {
        return StatusBitmap.validBits(word, size);
    }

    function highest(uint256 bits) external pure returns (uint256) {
        return StatusBitmap.highest(bits);
    }

    function count(uint256 bits) external pure returns (uint256) {
        return StatusBitmap.count(bits);
    }
}
