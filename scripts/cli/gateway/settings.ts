import { dirname, join, resolve } from "node:path"
import type { Command } from "commander"
import type { GatewayConfig } from "../../../gateway/index.ts"
import { UsageError } from "../cliError.ts"
import { withReader } from "../openReader.ts"
import type { ReaderOptions } from "../openReader.ts"
import { uint32 } from "../options/parse.ts"

/** The settings of a gateway as a command line gives them. */
export type GatewayOptions = ReaderOptions & {
  config?: string
  state?: string
  database?: string
  publicUrl?: string
  issuerCert?: string
  issuerKey?: string
  manufacturer?: number
  label?: string
  maxAge?: number
  logLevel?: string
}

/** Adds the options that say whose gateway it is and where it keeps what it knows. */
export function withGatewaySettings(command: Command): Command {
  return withReader(command)
    .option("--config <file>", "settings in JSON; options here come before them")
    .option("--state <dir>", "folder for what must outlive the gateway; default: gateway/ in this user's state folder")
    .option("--database <url>", "PostgreSQL that several gateways share (postgres://…); else FLEETROOT_DATABASE")
    .option("--public-url <url>", "where clients find it; default: its own address")
    .option("--issuer-cert <file>", "certificate of the CA whose devices are answered for")
    .option("--issuer-key <file>", "its key")
    .option("--manufacturer <id>", "whose CA it is", uint32("--manufacturer"))
    .option("--label <word>", "its label in EST addresses")
    .option("--max-age <seconds>", "oldest newest block that is answered from; default: 120", uint32("--max-age"))
    .option("--log-level <word>", "debug, info, warn, error or silent; default: info")
}

/**
 * The settings of the configuration file, with those of the command line over them.
 *
 * @param more Further settings that the command's own options give.
 * @throws UsageError, GatewayConfigError
 */
export async function gatewaySettings(
  options: GatewayOptions,
  more: Readonly<Record<string, unknown>> = {},
): Promise<GatewayConfig> {
  const [{ readGatewayConfig, readSettingsFile }, { stateFolder }] = await Promise.all([
    import("../../../gateway/index.ts"),
    import("../../../client/node/index.ts"),
  ])
  const { env } = process
  const { config: file } = options
  const settings = file === undefined ? {} : await readSettingsFile(file)
  const folder = file === undefined ? process.cwd() : dirname(resolve(file))
  const here = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path))
  const given = withoutNothing({
    deployment: here(options.deployment ?? nonEmpty(env["FLEETROOT_DEPLOYMENT"])),
    rpc: options.rpc ?? nonEmpty(env["FLEETROOT_RPC"]),
    quorum: options.quorum,
    proof: options.proof,
    state: here(options.state),
    database: options.database ?? nonEmpty(env["FLEETROOT_DATABASE"]),
    publicUrl: options.publicUrl,
    issuers: issuersOf(options, settings["issuers"] !== undefined),
    maxAgeSeconds: options.maxAge,
    logLevel: options.logLevel,
    ...more,
  })
  const whole = {
    deployment: resolve("fleetroot-deployment.json"),
    timeoutSeconds: options.timeout,
    ...settings,
    ...given,
    ...mergedSections(settings, given),
  }
  const state = "state" in whole ? {} : { state: join(stateFolder(env), "gateway") }
  return readGatewayConfig({ ...whole, ...state }, folder)
}

/** Sections of which both have something: an option covers its own setting, not its neighbours. */
function mergedSections(
  settings: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const both = Object.entries(given).flatMap(([name, section]) => {
    const below = settings[name]
    return isSection(section) && isSection(below) ? [[name, { ...below, ...section }]] : []
  })
  return Object.fromEntries(both) as Record<string, unknown>
}

function isSection(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** Drops what was not given, so that it covers nothing. */
export function withoutNothing(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

function issuersOf(options: GatewayOptions, inFile: boolean): unknown {
  const { issuerCert, issuerKey, manufacturer, label } = options
  if (issuerCert === undefined) {
    if (issuerKey !== undefined || manufacturer !== undefined || label !== undefined) {
      throw new UsageError("--issuer-key, --manufacturer and --label go with --issuer-cert.")
    }
    return undefined
  }
  if (inFile) throw new UsageError("The configuration file names issuers already.", { hint: "Add this one to it." })
  if (issuerKey === undefined) throw new UsageError("--issuer-cert needs --issuer-key.")
  return [withoutNothing({ certificate: resolve(issuerCert), key: resolve(issuerKey), manufacturer, label })]
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text
}
