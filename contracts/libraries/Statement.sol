// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The digest of a statement that a P-256 key signs for the ledger.
/// @dev ECDSA-SHA256 over 66 octets: 0x19 0x01 || EIP-712 domain separator || EIP-712 struct hash. EIP-712 itself would hash those
/// octets with Keccak-256, which no HSM or TPM can sign; with SHA-256 any device that hashes and signs can. The first octet, 0x19,
/// cannot begin a TBSCertificate (0x30) or a raw public key object (0xA4).
library Statement {
    /// @dev In assembly, so that the octets are not copied twice: saves 400 gas. A call of SHA-256 fails only if gas runs out.
    function digest(bytes32 domainSeparator, bytes32 structHash) internal view returns (bytes32 hash) {
        // solhint-disable-next-line no-inline-assembly, for the reason above
        assembly ("memory-safe") {
            let octets := mload(0x40)
            mstore(octets, hex"1901")
            mstore(add(octets, 0x02), domainSeparator)
            mstore(add(octets, 0x22), structHash)
            if iszero(staticcall(gas(), 0x02, octets, 0x42, 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            hash := mload(0x00)
        }
    }
}
