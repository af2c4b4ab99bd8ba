import type { Command } from "commander"
import type { Manufacturer } from "../../../client/index.ts"
import { openLedger } from "../openLedger.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { columns, printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

/** `fleetroot manufacturer show`: one manufacturer, or all of them. */
export function manufacturerShowCommand(): Command {
  return newCommand("show", "show a manufacturer, or list all", "fleetroot manufacturer show 2")
    .argument("[id]", "manufacturer's id; default: all", uint32("the manufacturer's id"))
    .action((id: number | undefined, options: CommonOptions) =>
      runCommand(options.json, async () => {
        const open = await openLedger(options)
        return id === undefined ? listAll(open) : showOne(open, id)
      }),
    )
}

async function showOne({ client, ledger }: OpenLedger, manufacturerId: number): Promise<Answer> {
  const view = await ledger.at("latest")
  const found = await view.manufacturer(manufacturerId)
  if (found === undefined) throw new client.ManufacturerUnknownError({ manufacturerId })
  return {
    json: toJson(found),
    text: () =>
      columns(
        Object.entries(toJson(found)).flatMap(([name, value]) =>
          value === null || value === "" ? [] : [[`${name}:`, printable(String(value))]],
        ),
      ),
  }
}

const IDS_AT_ONCE = 64

async function listAll({ ledger, rpc, deployment }: OpenLedger): Promise<Answer> {
  const view = await ledger.at("latest")
  const last = await lastManufacturerId(rpc, deployment.contracts.manufacturers.address, view.block.hash)
  const found: Manufacturer[] = []
  for (let first = 1; first <= last; first += IDS_AT_ONCE) {
    const ids = Array.from({ length: Math.min(IDS_AT_ONCE, last - first + 1) }, (_, i) => first + i)
    // Ids below the deployment's first belong to earlier deployments.
    for (const one of await Promise.all(ids.map((id) => view.manufacturer(id)))) if (one !== undefined) found.push(one)
  }
  return {
    json: found.map(toJson),
    text: () =>
      columns([
        ["id", "status", "keys", "name"],
        ...found.map(({ id, status, keyCount, name }) => [String(id), status, String(keyCount), printable(name)]),
      ]),
  }
}

async function lastManufacturerId(rpc: OpenLedger["rpc"], registry: `0x${string}`, blockHash: string): Promise<number> {
  const { decodeFunctionResult, encodeFunctionData, parseAbi } = await import("viem/utils")
  const abi = parseAbi(["function lastManufacturerId() view returns (uint32)"])
  const data = encodeFunctionData({ abi })
  const answer = await rpc.request({ method: "eth_call", params: [{ to: registry, data }, { blockHash }] })
  return decodeFunctionResult({ abi, data: answer as `0x${string}` })
}

function toJson(manufacturer: Manufacturer): Record<string, string | number | null> {
  const { id, name, metadataURI, status, statusSince, suspendedUntil, controller, keyCount } = manufacturer
  return {
    id,
    name,
    status,
    since: iso(statusSince),
    suspendedUntil: suspendedUntil === undefined ? null : iso(suspendedUntil),
    controller,
    pendingController: manufacturer.pendingController ?? null,
    proposedController: manufacturer.proposedController ?? null,
    replacementAt: manufacturer.replacementAt === undefined ? null : iso(manufacturer.replacementAt),
    keys: keyCount,
    metadata: metadataURI,
  }
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
