import type { Deployment, HeadMemory, JsonRpc, Ledger } from "../../client/index.ts"
import { DeploymentMissingError, UsageError } from "./cliError.ts"
import type { CommonOptions } from "./options/common.ts"
import { parseRpcUrl } from "./options/parse.ts"

/** The library and the ledger that a command's options name. */
export type OpenLedger = {
  client: typeof import("../../client/index.ts")
  node: typeof import("../../client/node/index.ts")
  deployment: Deployment
  rpc: JsonRpc
  rpcUrl: string
  ledger: Ledger
  headMemory?: HeadMemory
}

const DEFAULT_FILE = "fleetroot-deployment.json"
const MAX_BYTES = 64 * 1024

/** Finds the deployment file and the node, in the order option, environment, default. Nothing is asked of the node yet. */
export async function openLedger(options: CommonOptions): Promise<OpenLedger> {
  const { env } = process
  const path = options.deployment ?? (env["FLEETROOT_DEPLOYMENT"] || DEFAULT_FILE)
  const [client, node] = await Promise.all([import("../../client/index.ts"), import("../../client/node/index.ts")])
  const deployment = client.parseDeployment(await readDeploymentFile(path))
  const given = options.rpc ?? (env["FLEETROOT_RPC"] || deployment.rpc)
  if (given === undefined) {
    throw new UsageError("No node to ask: neither --rpc nor FLEETROOT_RPC nor the deployment file names one.", {
      hint: "For example --rpc http://127.0.0.1:8545",
    })
  }
  const rpcUrl = parseRpcUrl(given)
  const rpc = client.httpRpc(rpcUrl, { timeoutMs: options.timeout * 1000 })
  const headMemory = rememberingWhereItCan(() => node.fileHeadMemory(node.stateFolder(env), deployment))
  const ledger = new client.RpcLedger({ deployment, rpc, headMemory })
  return { client, node, deployment, rpc, rpcUrl, ledger, headMemory }
}

async function readDeploymentFile(path: string): Promise<string> {
  const { readFile, stat } = await import("node:fs/promises")
  try {
    const { size } = await stat(path)
    if (size > MAX_BYTES) throw new UsageError(`${path} has ${size} bytes: no deployment file is that long.`)
    return await readFile(path, "utf8")
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code === "ENOENT") throw new DeploymentMissingError({ path, cause })
    if (cause instanceof UsageError) throw cause
    throw new UsageError(`Cannot read the deployment file ${path}: ${code ?? String(cause)}.`, { cause })
  }
}

/**
 * A reader without a folder of its own still gets answers, and is told what it goes without. A remembered head that cannot be read
 * or that the node contradicts is an error as ever.
 */
function rememberingWhereItCan(open: () => HeadMemory): HeadMemory {
  let memory: HeadMemory | undefined
  const unable = (error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(`warning: ${reason} A node could show this command an older state next time.\n`)
  }
  try {
    memory = open()
  } catch (error) {
    unable(error)
  }
  return {
    load: async () => memory?.load(),
    save: async (head) => {
      try {
        await memory?.save(head)
      } catch (error) {
        unable(error)
      }
    },
  }
}
