import { defineConfig } from "vitest/config"

/** Folders below test/, at any depth, whose tests start ledgers, servers or programs; all others hold pure tests. */
const HEAVY = [
  "batch",
  "bench",
  "cli",
  "contracts",
  "deploy",
  "device",
  "e2e",
  "ethers",
  "explorer",
  "firmware",
  "gateway",
  "governance",
  "ledger",
  "manufacturer",
  "node",
  "records",
  "scripts",
  "status",
]
const heavyFiles = HEAVY.map((folder) => `test/**/${folder}/**/*.test.ts`)

export default defineConfig({
  test: {
    // Hardhat's native network wants a process of its own, and two of them fill two cores.
    pool: "forks",
    maxWorkers: 2,
    allowOnly: false,
    // test/floors.json says how many tests there must be.
    passWithNoTests: true,
    retry: 0,
    teardownTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: heavyFiles,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "ledger",
          include: heavyFiles,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
