import { resolve } from "node:path"
import type { Command } from "commander"
import type { Payer } from "../../../client/index.ts"
import { EXIT, SignerMissingError } from "../cliError.ts"
import { gatewaySettings, withGatewaySettings, withoutNothing } from "../gateway/settings.ts"
import type { GatewayOptions } from "../gateway/settings.ts"
import { collect } from "../input/receiptSources.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { SignerOptions } from "../options/common.ts"
import { openReader } from "../openReader.ts"
import { findPayer } from "../openWriter.ts"
import { printable, printableJson } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = GatewayOptions &
  SignerOptions & {
    listen?: string
    tlsListen?: string
    tlsCert?: string
    tlsKey?: string
    crlDir?: string
    receipts?: string
    manifest?: string[]
  }

const DEFAULT_LISTEN = "127.0.0.1:8080"

/** `fleetroot gateway`: OCSP, CRLs, EST and JSON, answered from the ledger. */
export function gatewayCommand(): Command {
  const command = newCommand(
    "gateway",
    "answer OCSP, CRL, EST and JSON requests from the ledger, until it is interrupted",
    "fleetroot gateway --listen 127.0.0.1:8080 --issuer-cert ca.pem --issuer-key ca.key --manufacturer 2 --state gw/",
  )
    // import and publish have options of the same names.
    .enablePositionalOptions()
    .option("--listen <host:port>", `where to listen without TLS; default: ${DEFAULT_LISTEN} if nothing else is named`)
    .option("--tls-listen <host:port>", "where to listen with TLS: EST is answered there only")
    .option("--tls-cert <file>", "the gateway's own certificate with its chain, PEM")
    .option("--tls-key <file>", "its key")
    .option("--receipts <dir>", "receipts of devices that enrol with the certificates they were made with")
    .option(
      "--manifest <file or URL>",
      "manifest of a batch, in place of its devices' receipts; may be repeated",
      collect,
    )
    .option("--crl-dir <dir>", "folder in which the CRLs are kept as files, too")
  return withSigner(withGatewaySettings(command)).action((options: Options) =>
    runCommand(options.json, () => runGateway(options)),
  )
}

async function runGateway(options: Options): Promise<Answer> {
  // Listening before anything is ready: whoever started it may stop it at once.
  const stopped = stopSignal()
  const config = await readConfig(options)
  const { startGateway } = await import("../../../gateway/index.ts")
  const gateway = await startGateway(config, { payer: await payerFor(options, config) })
  const reload = (): void => {
    gateway.reload().catch((error: unknown) => {
      process.stderr.write(`warning: not everything was read again: ${error instanceof Error ? error.message : ""}\n`)
    })
  }
  process.on("SIGHUP", reload)

  const { plainUrl, tlsUrl, publicUrl, issuers } = gateway
  const ready = {
    listening: true,
    http: plainUrl ?? null,
    https: tlsUrl ?? null,
    publicUrl,
    issuers: issuers.map(({ keyId, label }) => ({ keyId, label: label ?? null })),
  }
  // Said at once, for it runs until it is stopped.
  const where = [plainUrl, tlsUrl].filter((url) => url !== undefined).join(" and ")
  process.stdout.write(
    options.json === true
      ? `${printableJson(ready)}\n`
      : `gateway listening on ${printable(where)}; certificates should name ${printable(publicUrl)}/ocsp; stop with Ctrl-C\n`,
  )
  const signal = await stopped
  process.off("SIGHUP", reload)
  // Who cannot wait says it twice.
  for (const again of ["SIGINT", "SIGTERM"] as const) process.once(again, () => process.exit(EXIT.undecided))
  await gateway.close()
  return { json: { stopped: signal }, text: () => `stopped by ${signal}` }
}

async function readConfig(options: Options): ReturnType<typeof gatewaySettings> {
  const { listen, tlsListen, tlsCert, tlsKey, crlDir, receipts, manifest } = options
  const more = withoutNothing({
    listen,
    tlsListen,
    tlsCertificate: tlsCert === undefined ? undefined : resolve(tlsCert),
    tlsKey: tlsKey === undefined ? undefined : resolve(tlsKey),
  })
  if (crlDir !== undefined) more["crl"] = { folder: resolve(crlDir) }
  const manifests = manifest?.map((place) => (/^https?:/.test(place) ? place : resolve(place)))
  if (manifests !== undefined) more["manifests"] = manifests
  const devices = withoutNothing({ receipts: receipts === undefined ? undefined : resolve(receipts), manifests })
  if (Object.keys(devices).length > 0) more["est"] = devices
  const config = await gatewaySettings(options, more)
  if (config.listen !== undefined || config.tls !== undefined) return config
  return gatewaySettings(options, { ...more, listen: DEFAULT_LISTEN })
}

/** Who pays for what is enrolled. Without anybody there is no enrolment, and everything else works. */
async function payerFor(options: Options, config: Awaited<ReturnType<typeof readConfig>>): Promise<Payer | undefined> {
  const named = options.keystore !== undefined || options.passphraseFile !== undefined
  if (config.tls === undefined || config.issuers.length === 0) return undefined
  if (config.account !== undefined && !named) return undefined
  try {
    return await findPayer(options, await openReader({ ...options, deployment: config.deployment }))
  } catch (error) {
    if (named || !(error instanceof SignerMissingError)) throw error
    process.stderr.write(`warning: devices cannot enrol here. ${error.message} ${error.hint ?? ""}\n`)
    return undefined
  }
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        resolve(signal)
      })
  })
}
