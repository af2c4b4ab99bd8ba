// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {SubjectPublicKeyInfo} from "./SubjectPublicKeyInfo.sol";

/// @title The key in a raw public key object's COSE payload (docs/formats.md).
/// @dev The payload is the CBOR map {1: SubjectPublicKeyInfo, 2: notBefore, 3: notAfter, 4: device id} in deterministic encoding, so
/// with a P-256 key it begins 0xA4 (four pairs) 0x01 (key 1) 0x58 0x5B (91 octets follow). Only the key is read: whether the rest is
/// well formed does not matter to a device that gives up a credential which the ledger holds.
library RawPublicKey {
    bytes4 private constant P256_HEAD = 0xa401585b;
    uint256 private constant SPKI_END = 4 + SubjectPublicKeyInfo.P256_LENGTH;

    /// @notice The key id and the point; reverts with `RawPublicKeyInvalid`.
    function read(bytes calldata payload) internal pure returns (bytes32 keyId, bytes32 x, bytes32 y) {
        if (payload.length < SPKI_END || bytes4(payload[0:4]) != P256_HEAD)
            revert IDeviceRegistry.RawPublicKeyInvalid();
        bytes calldata spki = payload[4:SPKI_END];
        bool ok;
        (ok, x, y) = SubjectPublicKeyInfo.p256Point(spki);
        if (!ok) revert IDeviceRegistry.RawPublicKeyInvalid();
        keyId = sha256(spki);
    }
}
