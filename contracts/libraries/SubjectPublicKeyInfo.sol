// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The one DER form of a P-256 SubjectPublicKeyInfo (RFC 5480, 2): named curve, uncompressed point, 91 octets.
library SubjectPublicKeyInfo {
    uint256 internal constant P256_LENGTH = 91;

    /// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING 0x04 … }: the 27 octets before the coordinates.
    bytes27 private constant P256_PREFIX = hex"3059301306072a8648ce3d020106082a8648ce3d03010703420004";
    /// The AlgorithmIdentifier alone, at offset 2 of any short-form SubjectPublicKeyInfo.
    bytes21 private constant P256_ALGORITHM = hex"301306072a8648ce3d020106082a8648ce3d030107";

    /// @notice Whether `spki` says that it is a P-256 key, in whatever form the point may be.
    function claimsP256(bytes calldata spki) internal pure returns (bool) {
        return spki.length >= 23 && bytes21(spki[2:23]) == P256_ALGORITHM;
    }

    /// @notice The coordinates of a P-256 key in its one accepted form; `ok` is false for anything else.
    /// @dev Does not check that the point is on the curve.
    function p256Point(bytes calldata spki) internal pure returns (bool ok, bytes32 x, bytes32 y) {
        if (spki.length != P256_LENGTH || bytes27(spki[0:27]) != P256_PREFIX) return (false, 0, 0);
        return (true, bytes32(spki[27:59]), bytes32(spki[59:91]));
    }
}
