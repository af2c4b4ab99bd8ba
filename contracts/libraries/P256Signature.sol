// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @title ECDSA over P-256, by the precompile at 0x100 where a sound one is present, else in Solidity.
/// @dev OpenZeppelin's `P256.verify` believes whatever non-zero word the address answers and burns all gas if it reverts. Here only
/// exactly 32 octets equal to 1 count; anything else is followed by a probe with a known-good signature: only a precompile that
/// answers the probe rightly may refuse, else OpenZeppelin's Solidity verifier decides.
library P256Signature {
    /// P256VERIFY (EIP-7951, RIP-7212).
    uint256 private constant PRECOMPILE = 0x100;
    /// n / 2, rounded down: the largest s that is accepted.
    uint256 private constant HALF_N = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8;

    /// @notice Whether (r, s) is the signature by (x, y) over the SHA-256 hash `digest`; refuses s above n / 2.
    function verify(bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) internal view returns (bool) {
        // The older RIP-7212 precompiles let the point at infinity through.
        return P256.isValidPublicKey(x, y) && verifyByPoint(digest, r, s, x, y);
    }

    /// @notice As {verify}, for an (x, y) that is known to be a point of the curve.
    function verifyByPoint(bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) internal view returns (bool) {
        if (uint256(r) == 0 || uint256(r) >= P256.N || uint256(s) == 0 || uint256(s) > HALF_N) return false;
        if (_precompileAccepts(digest, r, s, x, y)) return true;
        if (_precompileIsSound()) return false;
        return P256.verifySolidity(digest, r, s, x, y);
    }

    /// @dev In assembly, so that question and answer are not copied once more: saves 500 gas a signature.
    function _precompileAccepts(
        bytes32 digest,
        bytes32 r,
        bytes32 s,
        bytes32 x,
        bytes32 y
    ) private view returns (bool accepted) {
        // solhint-disable-next-line no-inline-assembly, for the reason above
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), r)
            mstore(add(input, 0x40), s)
            mstore(add(input, 0x60), x)
            mstore(add(input, 0x80), y)
            let success := staticcall(gas(), PRECOMPILE, input, 0xa0, 0x00, 0x20)
            accepted := and(success, and(eq(returndatasize(), 0x20), eq(mload(0x00), 1)))
        }
    }

    /// A signature with small r and s from Wycheproof (ecdsa_secp256r1_sha256_p1363, comment "small r and s"), as OpenZeppelin uses.
    function _precompileIsSound() private view returns (bool) {
        return
            _precompileAccepts(
                0xbb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023,
                bytes32(uint256(5)),
                bytes32(uint256(1)),
                0xa71af64de5126a4a4e02b7922d66ce9415ce88a4c9d25514d91082c8725ac957,
                0x5d47723c8fbe580bb369fec9c2665d8e30a435b9932645482e7c9f11e872296b
            );
    }
}
