// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The chains on which delays may be zero: local ones, whose state is worth nothing.
library TestChains {
    /// @notice Whether this is a local development chain (Hardhat, Anvil: 31337; geth --dev, Ganache: 1337).
    function isTestChain() internal view returns (bool) {
        return block.chainid == 31337 || block.chainid == 1337;
    }
}
