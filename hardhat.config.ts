import { globSync } from "node:fs"
import { fileURLToPath } from "node:url"
import hardhatIgnitionViem from "@nomicfoundation/hardhat-ignition-viem"
import hardhatNetworkHelpers from "@nomicfoundation/hardhat-network-helpers"
import hardhatViem from "@nomicfoundation/hardhat-viem"
import { defineConfig } from "hardhat/config"

/** The compiler is the npm package `solc`, so that nothing is downloaded while building. */
const solc = fileURLToPath(import.meta.resolve("solc/soljson.js"))

/**
 * Tests that see the contracts through interfaces and deploy the project's own bytecode (test/contracts/helpers/Doors.sol): what
 * they are made of themselves does not matter, so they are compiled the quick way. One has a library in it.
 */
const throughDoors = globSync("test/contracts/**/*.sol", { cwd: import.meta.dirname }).filter(
  (path) => !path.endsWith("/PlainText.t.sol"),
)

export default defineConfig({
  plugins: [hardhatViem, hardhatIgnitionViem, hardhatNetworkHelpers],
  paths: { sources: "./contracts", tests: { solidity: "./test/contracts" } },
  solidity: {
    compilers: [
      {
        version: "0.8.37",
        path: solc,
        settings: {
          // Cancun runs on every current chain; Osaka opcodes would shut out the slower ones.
          evmVersion: "cancun",
          // Calls are what users pay for; more runs would bring DeviceRegistry to the limit of code (EIP-170).
          optimizer: { enabled: true, runs: 8_000 },
          viaIR: true,
          metadata: { bytecodeHash: "none" },
          outputSelection: { "*": { "*": ["storageLayout"] } },
        },
      },
    ],
    overrides: Object.fromEntries(
      throughDoors.map((path) => [path, { version: "0.8.37", path: solc, settings: { evmVersion: "cancun" } }]),
    ),
  },
  test: {
    solidity: {
      // One seed, so that a failure is found again; FUZZ_SEED=0x… tries others. A test that needs more runs says so inline.
      fuzz: { runs: 256, seed: process.env["FUZZ_SEED"] ?? "0xf1ee7" },
      invariant: { runs: 32, depth: 128, failOnRevert: false },
    },
  },
  networks: {
    default: { type: "edr-simulated", chainType: "l1", hardfork: "osaka", allowBlocksWithSameTimestamp: true },
    cancun: { type: "edr-simulated", chainType: "l1", hardfork: "cancun", allowBlocksWithSameTimestamp: true },
  },
})
