import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { encodeDeployData } from "viem/utils"
import type { Abi } from "viem"
import { httpRpc } from "../../client/index.ts"
import type { Hex, JsonRpc, UnsignedTransaction } from "../../client/index.ts"
import { currentFees, nonceAt, readReceipt } from "../../client/ledger/chainState.ts"
import { poll } from "../../client/ledger/poll.ts"
import { readDeployment } from "../../scripts/deploy/readDeployment.ts"
import { payer, TestLedger } from "./ledger.ts"

/** A node of Foundry's in a process of its own. */
export type Anvil = {
  url: string
  close(): Promise<void>
  /** Lets it write what `--state` asked for. */
  stop(): Promise<void>
}

/** Starts Anvil, on a free port by default. The npm wrapper would hide the process that has to be ended: this is the binary itself. */
export async function startAnvil(options: readonly string[] = [], port = 0): Promise<Anvil> {
  const node = spawn(anvilBinary(), ["--port", String(port), "--hardfork", "osaka", ...options], {
    stdio: ["ignore", "pipe", "ignore"],
  })
  const url = await listeningAt(node)
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (node.exitCode !== null || node.signalCode !== null) return
    const ended = once(node, "exit")
    node.kill(signal)
    await ended
  }
  return { url, close: () => end("SIGKILL"), stop: () => end("SIGTERM") }
}

export type AnvilLedgerOptions = {
  /** Slots in an epoch: the final block is two epochs behind the newest. Default: 1. */
  epoch?: number
  /** A node that was started already. */
  node?: Anvil
}

/** A ledger on a node of its own, asked over HTTP. */
export async function anvilLedger({ epoch = 1, node: started }: AnvilLedgerOptions = {}): Promise<
  TestLedger & { url: string }
> {
  const node = started ?? (await startAnvil(["--slots-in-an-epoch", String(epoch)]))
  const rpc = httpRpc(node.url)
  const governor = payer(0).address
  const access = await deploy(rpc, "FleetrootAccess", [governor, governor, 0])
  const manufacturers = await deploy(rpc, "ManufacturerRegistry", [access, 0, 1])
  const devices = await deploy(rpc, "DeviceRegistry", [manufacturers, access])
  const deployment = await readDeployment(rpc, { access, manufacturers, devices }, 0)
  const net = new TestLedger({ rpc, deployment, close: () => node.close(), finalityLag: 2 * epoch })
  return Object.assign(net, { url: node.url })
}

async function listeningAt(node: ChildProcess): Promise<string> {
  if (node.stdout === null) throw new Error("anvil says nothing")
  for await (const line of createInterface({ input: node.stdout })) {
    const address = /^Listening on ([0-9.:]+)/.exec(line)?.[1]
    if (address === undefined) continue
    // What it logs later must not fill the pipe.
    node.stdout.resume()
    return `http://${address}`
  }
  throw new Error(`anvil ended with ${String(node.exitCode)}`)
}

function anvilBinary(): string {
  const platform = `${process.platform === "win32" ? "win32" : process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`
  const name = process.platform === "win32" ? "anvil.exe" : "anvil"
  return fileURLToPath(new URL(`../../node_modules/@foundry-rs/anvil-${platform}/bin/${name}`, import.meta.url))
}

async function deploy(rpc: JsonRpc, contract: string, args: readonly unknown[]): Promise<Hex> {
  const path = new URL(`../../artifacts/contracts/${contract}.sol/${contract}.json`, import.meta.url)
  const { abi, bytecode } = JSON.parse(readFileSync(path, "utf8")) as { abi: Abi; bytecode: Hex }
  const account = payer(0)
  if (!("signTransaction" in account)) throw new Error("the test accounts sign")
  const transaction = {
    type: "eip1559",
    chainId: Number(await rpc.request({ method: "eth_chainId", params: [] })),
    nonce: await nonceAt(rpc, account.address, "pending"),
    data: encodeDeployData({ abi, bytecode, args }),
    gas: 10_000_000n,
    ...(await currentFees(rpc, 10n ** 12n)),
  } as const
  // A creation has no recipient, which only this place needs.
  const raw = await account.signTransaction(transaction as unknown as UnsignedTransaction)
  const hash = (await rpc.request({ method: "eth_sendRawTransaction", params: [raw] })) as Hex
  await poll(async () => ((await readReceipt(rpc, hash)) === undefined ? undefined : { answer: null }))
  const receipt = await rpc.request({ method: "eth_getTransactionReceipt", params: [hash] })
  const { contractAddress, status } = receipt as { contractAddress: Hex; status: Hex }
  if (status !== "0x1") throw new Error(`${contract} was not deployed`)
  return contractAddress
}
