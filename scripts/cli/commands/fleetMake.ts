import type { Command } from "commander"
import { makeFleet } from "../fleet/makeFleet.ts"
import type { MadeFleet, MakeFleetParameters } from "../fleet/makeFleet.ts"
import { UsageError } from "../cliError.ts"
import { assertKnown } from "../input/known.ts"
import { openLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { printable } from "../output/printable.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & {
  count: number
  plain?: boolean
  manufacturer?: number
  series?: number
  days: number
  gateway?: string
  keys: boolean
}

const MOST_DEVICES = 1_000_000

/** `fleetroot fleet make`: a test fleet. */
export function fleetMakeCommand(): Command {
  return newCommand(
    "make",
    "make an issuing CA and device certificates whose serial numbers name their place on the ledger",
    "fleetroot fleet make fleet/ --count 100 --manufacturer 2",
  )
    .argument("<dir>", "folder that gets ca.pem, ca.key, certs/ and keys/; a CA that is there is used")
    .requiredOption("--count <n>", "how many devices", uint32("--count", 1, MOST_DEVICES))
    .option("--plain", "random serial numbers: no ledger is asked, and no place is named")
    .option("--manufacturer <id>", "whose devices they will be", uint32("--manufacturer"))
    .option(
      "--series <n>",
      "batch that they will be in, from 2147483648; default: the next free one",
      uint32("--series", 0x8000_0000),
    )
    .option("--days <n>", "how long the certificates are valid", uint32("--days", 1, 36_500), 3_650)
    .option("--gateway <url>", "gateway whose OCSP and CRL addresses the certificates name", parseGatewayUrl)
    .option("--no-keys", "throw the devices' private keys away")
    .action((folder: string, options: Options) => runCommand(options.json, () => make(folder, options)))
}

/** Certificates are for long: the address must be one that stays, in plain characters and without a query. */
function parseGatewayUrl(text: string): string {
  if (URL.canParse(text) && /^https?:\/\/[\x21-\x7e]+$/.test(text) && !/[?#]/.test(text)) return text
  throw new UsageError("--gateway should be an address with http:// or https://, without query.")
}

async function make(folder: string, options: Options): Promise<Answer> {
  const { count, days, keys, gateway } = options
  const place = options.plain === true ? undefined : await findPlace(options)
  const [client, node] = await Promise.all([
    import("../../../client/index.ts"),
    import("../../../client/node/index.ts"),
  ])
  const progress = startProgress("making certificates")
  try {
    const made = await makeFleet(
      { client, node },
      { folder, count, days, place, gateway, withoutKeys: !keys, progress },
    )
    return { json: toJson(made, count, place), text: () => toText(made, count, place) }
  } finally {
    progress.stop()
  }
}

type Place = MakeFleetParameters["place"]

async function findPlace(options: Options): Promise<Place> {
  const { manufacturer } = options
  if (manufacturer === undefined) {
    throw new UsageError("Serial numbers that name a place need --manufacturer.", {
      hint: "Give it, or --plain for random serial numbers.",
    })
  }
  const open = await openLedger(options)
  await assertKnown(open, manufacturer)
  const { client, ledger, rpc, deployment } = open
  if (options.series !== undefined) return { deployment, manufacturerId: manufacturer, series: options.series }
  const used = await client.usedSeries({ ledger, rpc }, await ledger.at("latest"), manufacturer)
  const reserved = used.map(({ series }) => series).filter((series) => series >= client.RESERVED_SERIES)
  return { deployment, manufacturerId: manufacturer, series: Math.max(client.RESERVED_SERIES - 1, ...reserved) + 1 }
}

function toJson(made: MadeFleet, count: number, place: Place): object {
  return { ...made, count, manufacturer: place?.manufacturerId ?? null, series: place?.series ?? null }
}

function toText(made: MadeFleet, count: number, place: Place): string {
  const { issuerCertificate, issuerKey, certificates } = made
  const [ca, key, certs] = [issuerCertificate, issuerKey, certificates].map((path) => printable(path))
  const id = place?.manufacturerId ?? "N"
  const signed = place === undefined ? "" : ` --issuer-key ${key}`
  return [
    `${count} certificates in ${certs}, signed by ${ca}`,
    "next:",
    `  fleetroot key add --manufacturer ${id} --cert ${ca} --key ${key} --purpose issuer`,
    `  fleetroot batch register --manufacturer ${id} --issuer ${ca}${signed} ${certs} --manifest fleet.manifest --receipts receipts/`,
  ].join("\n")
}
