// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Merkle inclusion proofs of RFC 9162, section 2.1, with SHA-256, over leaves that are 32-octet credential hashes.
library MerkleTree {
    /// @notice The hash of a leaf: SHA-256(0x00 || credentialHash).
    function leafHash(bytes32 credentialHash) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), credentialHash));
    }

    /// @notice Whether `leaf` (a leaf hash) is at `index` of the tree of `size` leaves with this `root`. RFC 9162, 2.1.3.2.
    /// @dev The loop is in assembly because each level costs about 330 gas like this and about 900 in Solidity; a depth-20 proof is
    /// what an on-chain caller pays for. Its plain twin is `test/contracts/PlainMerkleTree.sol`, and a fuzz test compares them.
    function verify(
        bytes32 leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata proof,
        bytes32 root
    ) internal view returns (bool included) {
        if (index >= size) return false;
        assembly ("memory-safe") {
            // The 65 octets 0x01 || left || right are hashed at `buffer`, above the free memory pointer.
            let buffer := mload(0x40)
            mstore8(buffer, 0x01)
            let left := add(buffer, 1)
            let right := add(buffer, 33)

            let node := leaf
            let position := index
            let last := sub(size, 1)
            let cursor := proof.offset
            let end := add(cursor, shl(5, proof.length))
            let ok := 1

            for {} lt(cursor, end) { cursor := add(cursor, 32) } {
                if iszero(last) {
                    // More hashes than the tree has levels.
                    ok := 0
                    break
                }
                switch or(and(position, 1), eq(position, last))
                case 0 {
                    mstore(left, node)
                    mstore(right, calldataload(cursor))
                }
                default {
                    mstore(left, calldataload(cursor))
                    mstore(right, node)
                    // A right-most node without a sibling rises until it is a right child.
                    for {} iszero(or(and(position, 1), iszero(position))) {} {
                        position := shr(1, position)
                        last := shr(1, last)
                    }
                }
                // SHA-256, precompile 0x02. It fails only for lack of gas, and then returns nothing.
                if iszero(and(eq(returndatasize(), 32), staticcall(gas(), 0x02, buffer, 65, 0x00, 32))) {
                    revert(0x00, 0x00)
                }
                node := mload(0x00)
                position := shr(1, position)
                last := shr(1, last)
            }
            included := and(ok, and(iszero(last), eq(node, root)))
        }
    }
}
