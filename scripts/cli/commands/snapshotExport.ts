import type { Command } from "commander"
import type { SnapshotManufacturer } from "../../../client/index.ts"
import { UsageError } from "../cliError.ts"
import { readIssuerKey } from "../input/issuerKey.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { oneOf, parseInteger, uint32 } from "../options/parse.ts"
import { columns, printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import { readSnapshotFile } from "../snapshot/readSnapshotFile.ts"

type Options = CommonOptions & {
  format: "jwt" | "cwt"
  key: string
  series: number
  out: string
  manufacturer?: number
  sub?: string
  kid?: string
  ttl: number
  lifetime: number
  bits?: 1 | 2
}

const MOST_SECONDS = 10 * 365 * 86_400

/** `fleetroot snapshot export`: a batch's statuses as an IETF Token Status List. */
export function snapshotExportCommand(): Command {
  return newCommand(
    "export",
    "make a signed Token Status List of a batch; check the snapshot first, for nothing is asked here",
    "fleetroot snapshot export s.bin --format jwt --key issuer.key --series 7 --out 7.jwt",
  )
    .argument("<file>", "the snapshot")
    .requiredOption("--format <jwt|cwt>", "which token to make", oneOf("--format", ["jwt", "cwt"]))
    .requiredOption("--key <file>", "private key that signs the list: P-256, P-384 or Ed25519")
    .requiredOption("--series <number>", "which batch", uint32("--series"))
    .requiredOption("--out <file>", "where to write it")
    .option("--manufacturer <id>", "whose batch; needed if the snapshot has several", uint32("--manufacturer"))
    .option("--sub <uri>", "the list's own address; else a URN of the batch")
    .option("--kid <text>", "which key signs, as readers know it")
    .option("--ttl <seconds>", "how long a copy may be used", seconds("--ttl"), 3600)
    .option("--lifetime <seconds>", "how long after the snapshot's block it ends", seconds("--lifetime"), 86_400)
    .option("--bits <1|2>", "bits a place; else 2 if a place is on hold or unknown", bits)
    .action((file: string, options: Options) => runCommand(options.json, () => exportList(file, options)))
}

async function exportList(
  file: string,
  options: Options,
): Promise<{ json: Record<string, string | number>; text: () => string }> {
  const [client, node] = await Promise.all([
    import("../../../client/index.ts"),
    import("../../../client/node/index.ts"),
  ])
  const snapshot = await readSnapshotFile({ client, node }, file)
  const { chainId, contracts, block } = snapshot
  const { batch } = findBatch(client, snapshot.manufacturers, options)
  const { manufacturerId, series, size } = batch

  // What is good in the snapshot counts: its block is as old as it is, and says so.
  const state = new client.SnapshotState(snapshot)
  const barred = client.placeRuns({ head: state, settled: state, manufacturerId, series })
  const list = client.StatusList.ofPlaces(size, barred, options.bits)
  const claims = {
    sub: options.sub ?? `urn:fleetroot:${chainId}:${contracts.devices}:${manufacturerId}:${series}`,
    // The list is as old as the snapshot, whenever it is signed.
    iat: block.timestamp,
    exp: block.timestamp + options.lifetime,
    ttl: options.ttl,
    list,
  }
  const signer = await readIssuerKey({ client, node }, options.key)
  const signing = { signer, ...(options.kid === undefined ? {} : { kid: options.kid }) }
  const token =
    options.format === "jwt"
      ? new TextEncoder().encode(await client.signStatusListJwt(claims, signing))
      : await client.signStatusListCwt(claims, signing)
  await node.writeFileAtomic(options.out, token)
  const { sub, iat, exp, ttl } = claims
  const { bits: width } = list
  const json = { file: options.out, format: options.format, bytes: token.length, bits: width, size, sub, iat, exp, ttl }
  return {
    json,
    text: () =>
      columns([
        ["file:", `${printable(options.out)}, ${token.length} bytes`],
        ["list:", `${size} places of ${width} bits`],
        ["subject:", sub],
        ["holds:", `${new Date(iat * 1000).toISOString()} to ${new Date(exp * 1000).toISOString()}`],
      ]),
  }
}

function findBatch(
  client: OpenLedger["client"],
  manufacturers: readonly SnapshotManufacturer[],
  { manufacturer: id, series }: Options,
): SnapshotManufacturer["batches"][number] {
  const wanted = manufacturers.filter(({ manufacturer }) => id === undefined || manufacturer.id === id)
  const found = wanted.flatMap(({ batches }) => batches).filter(({ batch }) => batch.series === series)
  const [first, ...others] = found
  if (first === undefined) {
    const whose = id === undefined ? "" : ` of manufacturer ${id}`
    throw new client.SnapshotSubjectError({ what: `batch ${series}${whose}` })
  }
  if (others.length > 0) throw new UsageError(`Several manufacturers have a batch ${series}: give --manufacturer.`)
  return first
}

function seconds(what: string): (text: string) => number {
  return (text) => parseInteger(text, what, 1, MOST_SECONDS)
}

function bits(text: string): 1 | 2 {
  return oneOf("--bits", ["1", "2"])(text) === "1" ? 1 : 2
}
