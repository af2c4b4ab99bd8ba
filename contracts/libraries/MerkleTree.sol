// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Merkle inclusion proofs of RFC 9162, section 2.1, with SHA-256, over leaves that are 32-octet credential hashes.
library MerkleTree {
    /// @notice The hash of a leaf: SHA-256(0x00 || credentialHash).
    function leafHash(bytes32 credentialHash) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"00", credentialHash));
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
        assembly ("memory-safe") {
            // The 65 octets 0x01 || left || right lie above the free memory pointer, `left` at a multiple of 64, so that XOR with 32
            // turns one side into the other.
            let left := and(add(mload(0x40), 127), not(63))
            let right := or(left, 32)
            mstore8(sub(left, 1), 0x01)

            let ok := 1
            let cursor := proof.offset
            let last := sub(size, 1)
            mstore(0x00, leaf)
            for {} xor(index, last) {} {
                let side := shl(5, and(index, 1))
                mstore(xor(left, side), mload(0x00))
                mstore(xor(right, side), calldataload(cursor))
                // SHA-256 (precompile 0x02); it fails for lack of gas only.
                ok := and(ok, staticcall(gas(), 0x02, sub(left, 1), 65, 0x00, 32))
                cursor := add(cursor, 32)
                index := shr(1, index)
                last := shr(1, last)
            }
            for {} index {
                index := shr(1, index)
            } {
                if and(index, 1) {
                    mstore(left, calldataload(cursor))
                    mstore(right, mload(0x00))
                    ok := and(ok, staticcall(gas(), 0x02, sub(left, 1), 65, 0x00, 32))
                    cursor := add(cursor, 32)
                }
            }
            if iszero(ok) {
                revert(0x00, 0x00)
            }
            // Reading past the proof's end gave other bytes of the call; the length tells.
            included := and(eq(cursor, add(proof.offset, shl(5, proof.length))), eq(mload(0x00), root))
        }
    }
}
