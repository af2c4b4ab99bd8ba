import { fileURLToPath } from "node:url"
import hardhatIgnitionViem from "@nomicfoundation/hardhat-ignition-viem"
import hardhatNetworkHelpers from "@nomicfoundation/hardhat-network-helpers"
import hardhatViem from "@nomicfoundation/hardhat-viem"
import { defineConfig } from "hardhat/config"

/** The compiler is the npm package `solc`, so that nothing is downloaded while building. */
const solc = fileURLToPath(import.meta.resolve("solc/soljson.js"))

export default defineConfig({
  plugins: [hardhatViem, hardhatIgnitionViem, hardhatNetworkHelpers],
  paths: { sources: "./contracts", tests: { solidity: "./test/contracts" } },
  solidity: {
    version: "0.8.37",
    path: solc,
    settings: {
      // Cancun runs on every current chain; Osaka opcodes would shut out the slower ones.
      evmVersion: "cancun",
      optimizer: { enabled: true, runs: 1_000 },
      viaIR: true,
      metadata: { bytecodeHash: "none" },
      outputSelection: { "*": { "*": ["storageLayout"] } },
    },
  },
  networks: {
    default: { type: "edr-simulated", chainType: "l1", hardfork: "osaka", allowBlocksWithSameTimestamp: true },
    cancun: { type: "edr-simulated", chainType: "l1", hardfork: "cancun", allowBlocksWithSameTimestamp: true },
  },
})
