// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The digest of a statement that a P-256 key signs for the ledger.
/// @dev ECDSA-SHA256 over 66 octets: 0x19 0x01 || EIP-712 domain separator || EIP-712 struct hash. EIP-712 itself would hash those
/// octets with Keccak-256, which no HSM or TPM can sign; with SHA-256 any device that hashes and signs can. The first octet, 0x19,
/// cannot begin a TBSCertificate (0x30) or a raw public key object (0xA4).
library Statement {
    function digest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"1901", domainSeparator, structHash));
    }
}
