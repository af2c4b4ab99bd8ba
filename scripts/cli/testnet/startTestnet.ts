import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { privateKeyToAccount } from "viem/accounts"
import * as client from "../../../client/index.ts"
import type { BatchRow, Deployment } from "../../../client/index.ts"
import * as node from "../../../client/node/index.ts"
import { registerFleet } from "../batch/registerFleet.ts"
import { CliError, EXIT, TestnetUnavailableError } from "../cliError.ts"
import { makeFleet } from "../fleet/makeFleet.ts"
import type { OpenWriter } from "../openWriter.ts"
import { startProgress } from "../output/progress.ts"
import { TESTNET_PRIVATE_KEY } from "./account.ts"
import { serveRpc } from "./rpcServer.ts"
import type { RpcServer } from "./rpcServer.ts"

export type TestnetOptions = {
  port: number
  /** Where the deployment file goes. */
  path: string
  seed?: number
  seedDir?: string
}

export type Testnet = {
  readonly summary: { rpc: string; chainId: number; precompile: string; seeded: number; seedDir: string | null }
  close(): Promise<void>
}

const MANUFACTURER = "Testnet Works"
const BLOCK_SECONDS = 2

/**
 * Runs Hardhat's ledger in this process, deploys the contracts, admits a manufacturer with an issuer key, registers a fleet if one
 * is wanted, and writes the deployment file as the last step, so that a file that is there means a ledger that is ready.
 *
 * @throws TestnetUnavailableError
 */
export async function startTestnet(options: TestnetOptions): Promise<Testnet> {
  const { env } = process
  // Nothing here reports home.
  env["HARDHAT_DISABLE_TELEMETRY"] = "true"
  const root = projectFolder()
  const { createHardhatRuntimeEnvironment } = await hardhatOf(root)
  const configPath = join(root, "hardhat.config.ts")
  const { default: config } = (await import(pathToFileURL(configPath).href)) as {
    default: Parameters<typeof createHardhatRuntimeEnvironment>[0]
  }
  const hre = await createHardhatRuntimeEnvironment(config, { config: configPath }, root)
  const connection = await hre.network.create({
    network: "default",
    override: { mining: { auto: true, interval: BLOCK_SECONDS * 1000 }, allowBlocksWithSameTimestamp: true },
  })
  const server = await listen(connection.provider, options.port)
  const close = async (): Promise<void> => {
    await server.close()
    await connection.close()
  }
  try {
    const { deployContracts } = await import("../../deploy/deployContracts.ts")
    const governor = privateKeyToAccount(TESTNET_PRIVATE_KEY).address
    const { deployment: bare, precompile } = await deployContracts(
      { connection, artifacts: hre.artifacts },
      { consortium: governor, guardian: governor, governanceDelay: 0, keyDelay: 0 },
    )
    await catchUpWithClock(connection.provider)
    const deployment: Deployment = { ...bare, rpc: server.url }
    await settle(openInProcess(deployment, connection.provider), options)
    await node.writeFileAtomic(resolve(options.path), client.formatDeployment(deployment))
    const summary = {
      rpc: server.url,
      chainId: deployment.chainId,
      precompile,
      seeded: options.seed ?? 0,
      seedDir: options.seedDir ?? null,
    }
    return { summary, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The simulated clock starts some seconds late and keeps that distance. It must never run ahead. */
async function catchUpWithClock(provider: Provider): Promise<void> {
  await provider.request({ method: "evm_mine", params: [] })
  const block = (await provider.request({ method: "eth_getBlockByNumber", params: ["latest", false] })) as {
    timestamp: string
  }
  const lateSeconds = Math.floor(Date.now() / 1000) - Number(block.timestamp)
  if (lateSeconds > 0) await provider.request({ method: "evm_increaseTime", params: [lateSeconds] })
}

/** Admits the manufacturer, gives it an issuer key and, if wanted, a fleet. */
async function settle(open: OpenWriter, { seed, seedDir }: TestnetOptions): Promise<void> {
  const { client } = open
  const result = await open.governance().admit({ controller: open.writer.address, name: MANUFACTURER })
  if (result.state !== "admitted") throw new Error("a testnet has no delays")
  const { manufacturerId } = result
  if (seedDir !== undefined) return seedWithCertificates(open, manufacturerId, seed ?? 0, seedDir)

  const issuer = await client.generateP256Key()
  await open.manufacturer(manufacturerId).addKey({ purpose: "issuer", signer: issuer })
  if (seed === undefined) return
  await registerFleet(open, { manufacturerId, issuer, rows: randomRows(seed), kind: "x509" })
}

async function seedWithCertificates(
  open: OpenWriter,
  manufacturerId: number,
  count: number,
  folder: string,
): Promise<void> {
  const { client, deployment } = open
  const series = client.RESERVED_SERIES
  const progress = startProgress("making certificates")
  const place = { deployment, manufacturerId, series }
  const made = await makeFleet(open, { folder, count, days: 3_650, place, progress })
  progress.stop()
  const issuerKey = await client.signerFromPkcs8(await node.readRegularFile(made.issuerKey, { maximumBytes: 65_536 }))
  await open.manufacturer(manufacturerId).addKey({ purpose: "issuer", signer: issuerKey })
  if (count === 0) return
  await registerFleet(open, {
    manufacturerId,
    issuer: issuerKey,
    issuerKey,
    rows: node.certificatesFromPath(made.certificates),
    kind: "x509",
    manifest: join(folder, "fleet.manifest"),
    receipts: join(folder, "receipts"),
  })
}

/** Hashes of nothing: enough to fill a ledger with. */
function* randomRows(count: number): Generator<BatchRow> {
  const notAfter = Math.floor(Date.now() / 1000) + 10 * 365 * 86_400
  for (let i = 0; i < count; i++) {
    yield { source: `random ${i}`, credentialHash: new Uint8Array(randomBytes(32)), notAfter }
  }
}

type Provider = { request(call: { method: string; params?: unknown[] }): Promise<unknown> }

function openInProcess(deployment: Deployment, provider: Provider): OpenWriter {
  const rpc = client.jsonRpcFrom((call) => provider.request(call), "the testnet in this process")
  const ledger = new client.RpcLedger({ deployment, rpc })
  const payer = privateKeyToAccount(TESTNET_PRIVATE_KEY)
  const writer = new client.LedgerWriter({ deployment, rpc, payer })
  return {
    client,
    node,
    deployment,
    rpc,
    rpcUrl: deployment.rpc ?? "",
    ledger,
    writer,
    manufacturer: (manufacturerId) => new client.ManufacturerClient({ ledger, writer, rpc, manufacturerId }),
    governance: () => new client.GovernanceClient({ ledger, writer, rpc }),
  }
}

async function listen(provider: Provider, port: number): Promise<RpcServer> {
  try {
    return await serveRpc(provider, port)
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code !== "EADDRINUSE" && code !== "EACCES") throw cause
    const problem = code === "EACCES" ? "may not be used by you" : "is taken"
    throw new CliError(`Port ${port} of 127.0.0.1 ${problem}.`, {
      hint: "Give another --port, or --port 0 for any free one.",
      exitCode: EXIT.usage,
      cause,
    })
  }
}

/** The checkout that this file belongs to, compiled or not. */
function projectFolder(): string {
  const start = dirname(fileURLToPath(import.meta.url))
  for (let folder = start, above = ""; folder !== above; above = folder, folder = dirname(folder)) {
    if (existsSync(join(folder, "hardhat.config.ts"))) return folder
  }
  throw new TestnetUnavailableError(
    "The testnet needs a checkout of the project: contracts, Hardhat and its settings.",
    {
      hint: "Clone the repository and run `npm run -s fleetroot -- testnet` in it.",
    },
  )
}

async function hardhatOf(root: string): Promise<typeof import("hardhat/hre")> {
  if (!existsSync(join(root, "artifacts", "contracts"))) {
    throw new TestnetUnavailableError("The contracts are not compiled.", {
      hint: "Run it as `npm run -s fleetroot -- testnet`, which compiles them.",
    })
  }
  return import("hardhat/hre")
}
