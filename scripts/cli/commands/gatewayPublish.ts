import { resolve } from "node:path"
import type { Command } from "commander"
import type { Hex } from "../../../client/index.ts"
import { EXIT, UsageError } from "../cliError.ts"
import { gatewaySettings, withGatewaySettings } from "../gateway/settings.ts"
import type { GatewayOptions } from "../gateway/settings.ts"
import { collect } from "../input/receiptSources.ts"
import { newCommand } from "../options/common.ts"
import { printable } from "../output/printable.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = GatewayOptions & { out: string; ocsp?: boolean; manifest?: string[] }

/** `fleetroot gateway publish`: the CRLs as files, once. */
export function gatewayPublishCommand(): Command {
  const command = newCommand(
    "publish",
    "write CRLs as static files once, for any web server; run it again before they end",
    "fleetroot gateway publish --out www/ --public-url http://pki.example --issuer-cert ca.pem --issuer-key ca.key",
  )
    .requiredOption("--out <dir>", "folder that gets crl/…")
    .option(
      "--manifest <file or URL>",
      "manifest of a batch, to find devices revoked by their hash; may be repeated",
      collect,
    )
    .option("--ocsp", "write OCSP answers for all places of all batches, too, to ocsp/…")
  return withGatewaySettings(command).action((options: Options) => runCommand(options.json, () => publish(options)))
}

async function publish(options: Options): Promise<Answer> {
  const manifests = options.manifest?.map((place) => (/^https?:/.test(place) ? place : resolve(place)))
  const config = await gatewaySettings(options, manifests === undefined ? {} : { manifests })
  const { publicUrl } = config
  if (publicUrl === undefined) {
    throw new UsageError("--public-url is missing: CRLs name the address under which they are found.")
  }
  if (config.issuers.length === 0) throw new UsageError("No issuer was named: --issuer-cert, or --config.")
  const gateway = await import("../../../gateway/index.ts")
  const { CrlBook, manifestShelf, openIssuers, openKnownEnrolments, openReplica, openSerialStore } = gateway
  const { StaticAnswers, withKnownPlaces, writeStatic } = gateway
  const { pino } = await import("pino")
  const log = pino({ level: options.logLevel ?? "warn" }, pino.destination(2))
  const opened = await openIssuers(config.issuers, log)
  const { replica, deployment } = await openReplica(config, log)
  const serials = await openSerialStore(config)
  const progress = startProgress("reading the ledger")
  let enrolments: Awaited<ReturnType<typeof openKnownEnrolments>>
  try {
    enrolments = await openKnownEnrolments({ ...config, deployment })
    await replica.sync({
      onProgress: ({ block, toBlock }) => {
        progress.update(block, toBlock)
      },
    })
    const shelf = manifestShelf(config, { replica, log })
    await shelf.refresh()
    const known = enrolments
    const ask = known && ((subject: Hex) => known.placesOf(subject))
    const source = withKnownPlaces(replica, { shelf, issuers: opened.issuers, ask })
    // Marks that name no place bar what was issued here; nothing is published before that is known.
    source.locateAll()
    await source.askOwed()
    const issuers = opened.issuers.map(({ issuer }) => issuer)
    const context = { replica: source, places: shelf, serials, issuers, maxAgeSeconds: config.maxAgeSeconds }
    const { publishIntervalSeconds, lifetimeSeconds, mostEntries } = config.crl
    const book = new CrlBook({
      ...context,
      publicUrl,
      ...(publishIntervalSeconds === undefined ? {} : { publishIntervalSeconds }),
      ...(lifetimeSeconds === undefined ? {} : { crlLifetimeSeconds: lifetimeSeconds }),
      ...(mostEntries === undefined ? {} : { mostEntries }),
    })
    const out = resolve(options.out)
    const { written, left, removed, failed } = await writeStatic(book, out)
    const nextUpdate = book.health().flatMap((crl) => (crl.nextUpdate === undefined ? [] : [crl.nextUpdate]))
    const until = nextUpdate.length === 0 ? null : new Date(Math.min(...nextUpdate) * 1000).toISOString()
    book.close()
    const answers =
      options.ocsp === true
        ? (await new StaticAnswers({ ...context, folder: out, ...answersLifetime(config) }).refresh()).written
        : 0
    return {
      json: {
        out,
        written,
        left,
        removed,
        answers,
        nextUpdate: until,
        failed: failed.map(({ path, error }) => ({ path, error: error.name, message: error.message })),
      },
      text: () =>
        [
          `${written} CRLs written to ${printable(out)}, ${left} were as new already; run it again before ${until ?? "…"}`,
          ...(removed > 0 ? [`${removed} CRLs removed: their certificates have ended`] : []),
          ...(options.ocsp === true ? [`${answers} OCSP answers written`] : []),
          ...failed.map(({ path, error }) => `not written: ${path}: ${error.message}`),
        ].join("\n"),
      exitCode: failed.length === 0 ? EXIT.good : EXIT.undecided,
    }
  } finally {
    progress.stop()
    opened.close()
    await enrolments?.close()
    await serials.close()
    await replica.close()
  }
}

function answersLifetime({ ocsp }: { ocsp: { filesLifetimeSeconds?: number } }): { lifetimeSeconds?: number } {
  return ocsp.filesLifetimeSeconds === undefined ? {} : { lifetimeSeconds: ocsp.filesLifetimeSeconds }
}
