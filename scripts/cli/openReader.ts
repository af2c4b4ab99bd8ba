import type { Command } from "commander"
import { UsageError } from "./cliError.ts"
import { openLedger } from "./openLedger.ts"
import type { OpenLedger } from "./openLedger.ts"
import type { CommonOptions } from "./options/common.ts"
import { parseInteger, parseRpcUrl } from "./options/parse.ts"

/** How the ledger is read: by one node, by several that must agree, with state proofs or without. */
export type ReaderOptions = Omit<CommonOptions, "rpc"> & { rpc?: readonly string[]; quorum?: number; proof?: boolean }

/** More nodes than these are asked by nobody. */
const MOST_ENDPOINTS = 32

/** Adds `--proof` and `--quorum`, and lets `--rpc` be given several times. */
export function withReader(command: Command): Command {
  const rpc = command.options.find(({ long }) => long === "--rpc")
  rpc?.argParser((url: string, before: readonly string[] | undefined) => [...(before ?? []), parseRpcUrl(url)])
  if (rpc !== undefined) rpc.description += "; give it several times, and they must agree"
  return command
    .option("--quorum <count>", "how many of the nodes must agree; else more than half of them", (text: string) =>
      parseInteger(text, "--quorum", 1, MOST_ENDPOINTS),
    )
    .option("--proof", "believe no value: check state proofs against the block's hash")
}

/** Finds the deployment file and the nodes as {@link openLedger} does. Nothing is asked of them yet. */
export async function openReader(options: ReaderOptions): Promise<OpenLedger> {
  const { rpc: urls = [], quorum, proof = false, ...common } = options
  const [first] = urls
  if (new Set(urls).size !== urls.length || urls.length > MOST_ENDPOINTS) {
    throw new UsageError(`--rpc takes up to ${MOST_ENDPOINTS} different nodes.`)
  }
  const k = quorum ?? Math.floor(urls.length / 2) + 1
  if (quorum !== undefined && quorum > Math.max(1, urls.length)) {
    throw new UsageError(`--quorum ${quorum} needs that many nodes; --rpc names ${urls.length}.`, {
      hint: "Give --rpc once for each node.",
    })
  }
  const open = await openLedger({ ...common, ...(first === undefined ? {} : { rpc: first }) })
  const { client, deployment, headMemory } = open
  const timeoutMs = options.timeout * 1000
  const memory = headMemory === undefined ? {} : { headMemory }
  if (urls.length > 1) {
    const endpoints = urls.map((url) => client.httpRpc(url, { timeoutMs }))
    const agreeing = { deployment, endpoints, k, timeoutMs, ...memory }
    const ledger = proof ? client.QuorumLedger.proven(agreeing) : new client.QuorumLedger(agreeing)
    return { ...open, ledger }
  }
  if (!proof) return open
  return { ...open, ledger: new client.ProvenLedger({ deployment, rpc: open.rpc, timeoutMs, ...memory }) }
}
