// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Merkle inclusion proofs of RFC 9162, section 2.1, with SHA-256, over leaves that are 32-octet credential hashes.
library MerkleTree {
    /// @notice The hash of a leaf: SHA-256(0x00 || credentialHash).
    function leafHash(bytes32 credentialHash) internal view returns (bytes32 leaf) {
        // solhint-disable-next-line no-inline-assembly, for 200 of 30000 gas
        assembly ("memory-safe") {
            mstore8(0x00, 0x00)
            mstore(0x01, credentialHash)
            if iszero(staticcall(gas(), 0x02, 0x00, 33, 0x00, 32)) {
                revert(0x00, 0x00)
            }
            leaf := mload(0x00)
        }
    }

    /// @notice Whether `leaf` (a leaf hash) is at `index` of the tree of `size` leaves with this `root`. RFC 9162, 2.1.3.2.
    /// @dev In assembly, because an on-chain caller pays for twenty rounds of it; its plain twin in the tests follows the RFC's
    /// wording step by step, and a fuzz test compares the two. The RFC's one loop is two here: while the node is not the
    /// right-most of its level every level has a sibling; from then on only where the node is a right child.
    function verify(
        bytes32 leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata proof,
        bytes32 root
    ) internal view returns (bool included) {
        if (index >= size) return false;
        // solhint-disable-next-line no-inline-assembly, for the reason above
        assembly ("memory-safe") {
            // The 65 octets 0x01 || left || right lie at 0x1f, over the free memory pointer, which is put back at the end: fixed
            // places keep the loop short. `node` is the side where the node is, and 0x60 minus it the sibling's.
            let free := mload(0x40)
            mstore8(0x1f, 0x01)

            let ok := 1
            let cursor := proof.offset
            let node := shl(and(index, 1), 0x20)
            mstore(node, leaf)
            // The levels on which the node is not the right-most one: as many as this has bits.
            for {
                let path := xor(index, sub(size, 1))
            } path {
                path := shr(1, path)
            } {
                mstore(sub(0x60, node), calldataload(cursor))
                cursor := add(cursor, 32)
                index := shr(1, index)
                node := shl(and(index, 1), 0x20)
                // SHA-256 (precompile 0x02), to the side where the next round wants it; it fails for lack of gas only.
                ok := and(ok, staticcall(gas(), 0x02, 0x1f, 65, node, 32))
            }
            // The right-most node of a level has a sibling only if it is a right child.
            mstore(0x40, mload(node))
            for {} index {
                index := shr(1, index)
            } {
                if and(index, 1) {
                    mstore(0x20, calldataload(cursor))
                    cursor := add(cursor, 32)
                    ok := and(ok, staticcall(gas(), 0x02, 0x1f, 65, 0x40, 32))
                }
            }
            leaf := mload(0x40)
            mstore(0x40, free)
            if iszero(ok) {
                revert(0x00, 0x00)
            }
            // Reading past the proof's end gave other bytes of the call; the length tells.
            included := and(eq(cursor, add(proof.offset, shl(5, proof.length))), eq(leaf, root))
        }
    }
}
