// Hardhat's connections have Ignition: known from hardhat.config.ts, and from here where that is not compiled.
/// <reference types="@nomicfoundation/hardhat-ignition-viem" />
