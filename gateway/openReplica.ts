import { existsSync, renameSync } from "node:fs"
import { mkdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import type { Logger } from "pino"
import {
  httpRpc,
  parseDeployment,
  ProvenLedger,
  QuorumLedger,
  Replica,
  ReplicaStoreDamagedError,
  RpcLedger,
  type Deployment,
  type JsonRpc,
  type Ledger,
} from "../client/index.ts"
import { deploymentName, fileHeadMemory, openSqliteReplicaStore } from "../client/node/index.ts"
import { GatewayConfigError } from "./errors/gateway.ts"
import type { GatewayConfig } from "./config.ts"

/** The ledger as the gateway knows it, and the nodes that it comes from. */
export type OpenReplica = {
  readonly deployment: Deployment
  readonly endpoints: readonly [JsonRpc, ...JsonRpc[]]
  /** What is believed about the ledger's heads: what the nodes tell now. */
  readonly ledger: Ledger
  readonly replica: Replica
}

type Wanted = Pick<GatewayConfig, "deployment" | "rpc" | "quorum" | "proof" | "state" | "timeoutSeconds">

const MAX_BYTES = 64 * 1024

/**
 * Opens the replica in the gateway's folder. A damaged one is put aside and read from the ledger anew: nothing in it is anywhere
 * else, and nothing of it is guessed. The network is not asked.
 *
 * @throws GatewayConfigError, DeploymentInvalidError, ReplicaStoreError's children.
 */
export async function openReplica(config: Wanted, log: Logger): Promise<OpenReplica> {
  const deployment = parseDeployment(await readDeploymentFile(config.deployment))
  const urls = config.rpc.length > 0 ? config.rpc : deployment.rpc === undefined ? [] : [deployment.rpc]
  if (urls.length === 0) {
    throw new GatewayConfigError({
      field: "rpc",
      expected: "the address of a node, since the deployment file names none",
      found: "nothing",
    })
  }
  await mkdir(config.state, { recursive: true, mode: 0o700 })
  const timeoutMs = config.timeoutSeconds * 1000
  const [first, ...more] = urls.map((url) => httpRpc(url, { timeoutMs }))
  const endpoints = [first as JsonRpc, ...more] as const
  const ledger = trustedLedger(config, deployment, endpoints, timeoutMs)
  const path = join(config.state, `replica-${deploymentName(deployment)}.sqlite`)
  const open = async (): Promise<Replica> => {
    const store = await openSqliteReplicaStore(path)
    try {
      return await Replica.open({ deployment, rpc: endpoints, store, trust: ledger })
    } catch (error) {
      await store.close()
      throw error
    }
  }
  try {
    return { deployment, endpoints, ledger, replica: await open() }
  } catch (error) {
    if (!(error instanceof ReplicaStoreDamagedError)) throw error
    log.error({ err: error }, "the replica is damaged: put aside, and read from the ledger anew")
    putAside(path)
    return { deployment, endpoints, ledger, replica: await open() }
  }
}

/** One node is believed unless proofs are wanted; several must agree. */
function trustedLedger(
  { quorum, proof, state }: Wanted,
  deployment: Deployment,
  endpoints: readonly [JsonRpc, ...JsonRpc[]],
  timeoutMs: number,
): Ledger {
  const headMemory = fileHeadMemory(state, deployment)
  const [first, ...more] = endpoints
  if (more.length === 0 && !proof) return new RpcLedger({ deployment, rpc: first, headMemory })
  if (more.length === 0) return new ProvenLedger({ deployment, rpc: first, timeoutMs, headMemory })
  const k = quorum ?? Math.floor(endpoints.length / 2) + 1
  const agreeing = { deployment, endpoints, k, timeoutMs, headMemory }
  return proof ? QuorumLedger.proven(agreeing) : new QuorumLedger(agreeing)
}

async function readDeploymentFile(path: string): Promise<string> {
  const refuse = (found: string, cause?: unknown): never => {
    throw new GatewayConfigError({ field: "deployment", expected: `a deployment file at ${path}`, found, cause })
  }
  try {
    if ((await stat(path)).size > MAX_BYTES) return refuse(`more than ${MAX_BYTES} octets`)
    return await readFile(path, "utf8")
  } catch (cause) {
    if (cause instanceof GatewayConfigError) throw cause
    return refuse((cause as NodeJS.ErrnoException).code ?? String(cause), cause)
  }
}

function putAside(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, `${path}.damaged${suffix}`)
  }
}
