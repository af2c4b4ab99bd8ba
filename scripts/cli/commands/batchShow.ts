import type { Command } from "commander"
import type { Batch } from "../../../client/index.ts"
import { ManifestUnavailableError, PlaceMismatchError } from "../cliError.ts"
import { assertKnown, readBatch } from "../input/known.ts"
import { openLedger } from "../openLedger.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { columns } from "../output/printable.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & { manufacturer: number; audit?: boolean; manifest?: string }

/** `fleetroot batch show`: one batch or all, and whether a manifest leads to its root. */
export function batchShowCommand(): Command {
  return newCommand(
    "show",
    "show a batch, or list all; --audit rebuilds its root from the manifest",
    "fleetroot batch show 1 --manufacturer 2 --audit --manifest fleet.manifest",
  )
    .argument("[series]", "number of the batch; default: all", uint32("the series"))
    .requiredOption("--manufacturer <id>", "whose batch", uint32("--manufacturer"))
    .option("--audit", "rebuild the root from --manifest and compare")
    .option("--manifest <file>", "the batch's manifest")
    .action((series: number | undefined, options: Options) =>
      runCommand(options.json, async () => {
        const open = await openLedger(options)
        await assertKnown(open, options.manufacturer)
        if (series === undefined && options.audit !== true) return listAll(open, options.manufacturer)
        return showOne(open, await seriesOf(open, series, options), options)
      }),
    )
}

/** The series that was typed, or the one that the manifest to be audited names. */
async function seriesOf(open: OpenLedger, series: number | undefined, { manifest }: Options): Promise<number> {
  if (series !== undefined) return series
  if (manifest === undefined) throw new ManifestUnavailableError({ path: undefined, series: undefined })
  const file = await openManifest(open, manifest, undefined)
  try {
    return (await open.client.readManifestHeader(file)).series
  } finally {
    await file.close()
  }
}

async function listAll({ client, ledger, rpc }: OpenLedger, manufacturerId: number): Promise<Answer> {
  const view = await ledger.at("latest")
  const used = await client.usedSeries({ ledger, rpc }, view, manufacturerId)
  const found = await Promise.all(used.map(({ series }) => view.batch(manufacturerId, series)))
  const batches = found.filter((batch) => batch !== undefined)
  return {
    json: batches.map(toJson),
    text: () =>
      columns([
        ["series", "size", "status", "revoked", "registered", "root"],
        ...batches.map((batch) => [
          String(batch.series),
          String(batch.size),
          statusOf(batch),
          String(batch.revokedCount),
          iso(batch.registeredAt),
          batch.root,
        ]),
      ]),
  }
}

async function showOne(open: OpenLedger, series: number, options: Options): Promise<Answer> {
  const batch = await readBatch(open, options.manufacturer, series)
  const audited = options.audit === true ? await audit(open, batch, options.manifest) : undefined
  const json = { ...toJson(batch), ...(audited === undefined ? {} : { audit: audited }) }
  return {
    json,
    text: () =>
      columns([
        ...Object.entries(toJson(batch)).map(([name, value]) => [`${name}:`, String(value ?? "-")]),
        ...(audited === undefined
          ? []
          : [["audit:", `the manifest's ${audited.size} hashes lead to the root on the ledger`]]),
      ]),
  }
}

/** Hashes the whole manifest and compares root, size and place with the ledger's. @throws ManifestRootError */
async function audit(
  open: OpenLedger,
  { root, size, series, manufacturerId }: Batch,
  path: string | undefined,
): Promise<{ manifest: string; size: number; root: string }> {
  if (path === undefined) throw new ManifestUnavailableError({ path, series })
  const file = await openManifest(open, path, series)
  const progress = startProgress("rebuilding the root")
  try {
    const { header } = await open.client.readManifest(file, {
      root,
      onProgress: (done, total) => {
        progress.update(done, total)
      },
    })
    const { chainId, contracts } = open.deployment
    const name = (place: {
      chainId: bigint | number
      registry: string
      manufacturerId: number
      series: number
    }): string =>
      `batch ${place.series} of manufacturer ${place.manufacturerId} in ${place.registry} on chain ${place.chainId}`
    const [expected, found] = [
      name({ chainId, registry: contracts.devices.address, manufacturerId, series }),
      name(header),
    ]
    if (found !== expected || header.size !== size) {
      throw new PlaceMismatchError({
        what: `The manifest ${path}`,
        expected: `${expected} with ${size} credentials`,
        found: `${found} with ${header.size}`,
      })
    }
    return { manifest: path, size, root }
  } finally {
    progress.stop()
    await file.close()
  }
}

async function openManifest(
  { client, node }: OpenLedger,
  path: string,
  series: number | undefined,
): Promise<Awaited<ReturnType<typeof node.fileManifestSource>>> {
  try {
    return await node.fileManifestSource(path)
  } catch (cause) {
    if (cause instanceof client.InputPathError) throw new ManifestUnavailableError({ path, series, cause })
    throw cause
  }
}

function toJson(batch: Batch): Record<string, string | number | boolean | null> {
  return {
    manufacturer: batch.manufacturerId,
    series: batch.series,
    root: batch.root,
    size: batch.size,
    status: statusOf(batch),
    reason: batch.mark === "none" ? null : batch.reason,
    changedAt: batch.mark === "none" ? null : iso(batch.changedAt),
    revokedPlaces: batch.revokedCount,
    registeredAt: iso(batch.registeredAt),
    notAfter: iso(batch.notAfter),
    keyIndex: batch.keyIndex,
    byKey: batch.byKey,
    kind: batch.rawPublicKeys ? "rawPublicKey" : "x509",
  }
}

function statusOf({ mark }: Batch): string {
  return { none: "good", held: "onHold", revoked: "revoked" }[mark]
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
