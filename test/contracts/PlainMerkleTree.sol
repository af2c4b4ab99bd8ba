// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice RFC 9162, section 2.1, written down step by step and with no regard to cost: the twin that contracts/libraries/MerkleTree
/// is compared with. D[0:n] is `leaves`, whose entries are 32 octets each.
library PlainMerkleTree {
    /// @notice 2.1.1: MTH(D[0:n]) of D[from:to].
    function root(bytes32[] memory leaves, uint256 from, uint256 to) internal pure returns (bytes32) {
        uint256 n = to - from;
        // The hash of an empty list is the hash of an empty string.
        if (n == 0) return sha256("");
        // The hash of a list with one entry: MTH({d[0]}) = HASH(0x00 || d[0]).
        if (n == 1) return sha256(bytes.concat(hex"00", leaves[from]));
        // For n > 1, let k be the largest power of two smaller than n (i.e., k < n <= 2k).
        uint256 k = largestPowerBelow(n);
        // MTH(D_n) = HASH(0x01 || MTH(D[0:k]) || MTH(D[k:n])).
        return sha256(bytes.concat(hex"01", root(leaves, from, from + k), root(leaves, from + k, to)));
    }

    /// @notice 2.1.3.1: PATH(m, D_n) of D[from:to].
    function path(
        uint256 m,
        bytes32[] memory leaves,
        uint256 from,
        uint256 to
    ) internal pure returns (bytes32[] memory) {
        uint256 n = to - from;
        // PATH(0, {d[0]}) = {}.
        if (n == 1) return new bytes32[](0);
        uint256 k = largestPowerBelow(n);
        // PATH(m, D_n) = PATH(m, D[0:k]) : MTH(D[k:n]) for m < k.
        if (m < k) return append(path(m, leaves, from, from + k), root(leaves, from + k, to));
        // PATH(m, D_n) = PATH(m - k, D[k:n]) : MTH(D[0:k]) for m >= k.
        return append(path(m - k, leaves, from + k, to), root(leaves, from, from + k));
    }

    /// @notice 2.1.3.2: verifying an inclusion proof.
    function verify(
        bytes32 hash,
        uint256 leafIndex,
        uint256 treeSize,
        bytes32[] memory inclusionPath,
        bytes32 rootHash
    ) internal pure returns (bool) {
        // 1. Compare leaf_index from the inclusion_proof_v2 structure against tree_size. If leaf_index is greater than or equal to
        // tree_size, then fail the proof verification.
        if (leafIndex >= treeSize) return false;
        // 2. Set fn to leaf_index and sn to tree_size - 1.
        uint256 fn = leafIndex;
        uint256 sn = treeSize - 1;
        // 3. Set r to hash.
        bytes32 r = hash;
        // 4. For each value p in the inclusion_path array:
        for (uint256 i = 0; i < inclusionPath.length; ++i) {
            bytes32 p = inclusionPath[i];
            // a. If sn is 0, then stop the iteration and fail the proof verification.
            if (sn == 0) return false;
            // b. If LSB(fn) is set, or if fn is equal to sn, then:
            if (fn & 1 == 1 || fn == sn) {
                // i. Set r to HASH(0x01 || p || r).
                r = sha256(bytes.concat(hex"01", p, r));
                // ii. If LSB(fn) is not set, then right-shift both fn and sn equally until either LSB(fn) is set or fn is 0.
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                // Otherwise: i. Set r to HASH(0x01 || r || p).
                r = sha256(bytes.concat(hex"01", r, p));
            }
            // c. Finally, right-shift both fn and sn one time.
            fn >>= 1;
            sn >>= 1;
        }
        // 5. Compare sn to 0. Compare r against the root_hash. If sn is equal to 0 and r and the root_hash are equal, then the log
        // has proven the inclusion of hash. Otherwise, fail the proof verification.
        return sn == 0 && r == rootHash;
    }

    function largestPowerBelow(uint256 n) internal pure returns (uint256 k) {
        k = 1;
        while (k * 2 < n) k *= 2;
    }

    function append(bytes32[] memory items, bytes32 item) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](items.length + 1);
        for (uint256 i = 0; i < items.length; ++i) longer[i] = items[i];
        longer[items.length] = item;
    }
}
