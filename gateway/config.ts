import { readFile, stat } from "node:fs/promises"
import { resolve } from "node:path"
import { isUrl } from "./deviceReceipts.ts"
import type { DeviceReceiptsConfig } from "./deviceReceipts.ts"
import { GatewayConfigError } from "./errors/gateway.ts"
import { DEFAULT_LIMITS } from "./http/limits.ts"
import type { HttpLimits } from "./http/limits.ts"
import type { ListenAddress } from "./http/httpServer.ts"
import type { MosquittoConfig } from "./mosquitto.ts"
import { Settings } from "./settings.ts"
import type { Json } from "./settings.ts"

/** A CA whose devices the gateway answers for. */
export type IssuerConfig = {
  /** Path of its certificate. */
  readonly certificate: string
  /** Where its key is; undefined where only a responder's is here. */
  readonly key: KeyConfig | undefined
  /** Whose CA it is on the ledger. Default: looked up by its key. */
  readonly manufacturer: number | undefined
  /** Its label in EST addresses; undefined for the one without. */
  readonly label: string | undefined
  /** An OCSP responder that the CA named. Default: one is made with its key. */
  readonly responder: { readonly certificate: string; readonly key: KeyConfig } | undefined
}

/** A signing key: a file, or in a token. */
export type KeyConfig =
  | { readonly kind: "file"; readonly path: string }
  | {
      readonly kind: "pkcs11"
      readonly module: string
      readonly pinFile: string
      readonly tokenLabel: string | undefined
      readonly keyLabel: string | undefined
    }

/** What a gateway needs to know. Paths are absolute. */
export type GatewayConfig = {
  /** Path of the deployment file. */
  readonly deployment: string
  /** Nodes to follow. Default: the deployment file's. */
  readonly rpc: readonly string[]
  /** How many of several nodes must agree. Default: more than half. */
  readonly quorum: number | undefined
  /** Believe no value of a node: check state proofs. */
  readonly proof: boolean
  /** Seconds between two looks at the ledger. */
  readonly pollSeconds: number
  /** Longest wait for an answer of a node. */
  readonly timeoutSeconds: number
  /** Folder for what must outlive the process. */
  readonly state: string
  readonly listen: ListenAddress | undefined
  readonly tls: (ListenAddress & { readonly certificate: string; readonly key: string }) | undefined
  /** Where clients find this gateway, or the files that it writes. Default: its own address without TLS. */
  readonly publicUrl: string | undefined
  /** `postgres://…` of a database that several gateways share. Default: files in `state`. */
  readonly database: string | undefined
  readonly issuers: readonly IssuerConfig[]
  /** Manifests of batches: files, folders of them, addresses of any web server. Paths are absolute. */
  readonly manifests: readonly string[]
  readonly limits: Partial<HttpLimits>
  readonly trustedProxies: readonly string[]
  readonly logLevel: LogLevel
  /** Oldest newest block that is answered from, in seconds. */
  readonly maxAgeSeconds: number
  readonly ocsp: {
    readonly lifetimeSeconds?: number
    readonly mostCertificates?: number
    readonly cachedAnswers?: number
    /** Folder in which an answer for every place is kept as a file, too. */
    readonly folder?: string
    /** How long such a file may be used. */
    readonly filesLifetimeSeconds?: number
  }
  readonly crl: {
    readonly publishIntervalSeconds?: number
    readonly lifetimeSeconds?: number
    readonly mostEntries?: number
    /** Folder in which the CRLs are kept as files, too. */
    readonly folder?: string
  }
  /** A broker that revoked devices are kept out of. */
  readonly mosquitto: MosquittoConfig | undefined
  /** How devices enrol; see `EstContext` and `EstLabel`. */
  readonly est: {
    /** Where the receipts are of devices that come with a certificate made elsewhere. Default: nowhere. */
    readonly devices: DeviceReceiptsConfig
    readonly shared: {
      readonly holdMs?: number
      readonly retryAfterSeconds?: number
      readonly repeatSeconds?: number
      readonly perDeviceAndHour?: number
    }
    readonly label: {
      readonly validitySeconds?: number
      readonly purposes?: readonly string[]
      readonly alternativeNames?: boolean
      readonly manufacturers?: readonly number[]
      readonly serverKeys?: boolean
      readonly keyEncryption?: boolean
      readonly channelLinking?: "required" | "checked" | "ignored"
    }
    /** File of the secrets that devices have, too: a JSON object of hex by hex. Default: none. */
    readonly sharedSecrets?: string
  }
  /** How certificates get onto the ledger; see `SequencerContext`. */
  readonly sequencer: {
    readonly owner?: string
    readonly windowMs?: number
    readonly windowSize?: number
    readonly queueLimit?: number
    readonly finality?: "latest" | "finalized"
    readonly leaseSeconds?: number
  }
  /** Who pays for registering what is enrolled. Default: nobody, and nobody can enrol; the command line may name one. */
  readonly account: { readonly keystore: string; readonly passphraseFile: string } | undefined
}

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const UINT32 = 0xffff_ffff
const DAY = 86_400
const MAX_BYTES = 1024 * 1024
const OWNER = /^[A-Za-z0-9._~-]{1,64}$/
const LABEL = /^[A-Za-z0-9_-]{1,64}$/
/** What RFC 7030, 3.2.2, keeps for itself. */
const NO_LABELS = new Set(["cacerts", "simpleenroll", "simplereenroll", "fullcmc", "serverkeygen", "csrattrs"])

/**
 * Settings that are written in JSON, and in the same words on a command line. Strict: what is unknown is refused.
 *
 * @param folder Relative paths begin here.
 * @throws GatewayConfigError
 */
export function readGatewayConfig(json: unknown, folder: string): GatewayConfig {
  const settings = new Settings(json)
  const path = (text: string): string => resolve(folder, text)
  const listen = readAddress(settings, "listen")
  const config: GatewayConfig = {
    deployment: path(settings.requiredText("deployment", "the path of a deployment file")),
    rpc: readNodes(settings),
    quorum: settings.integer("quorum", 1, 32),
    proof: settings.flag("proof") ?? false,
    pollSeconds: settings.number("pollSeconds", 0.05, 600) ?? 1,
    timeoutSeconds: settings.number("timeoutSeconds", 1, 3_600) ?? 10,
    state: path(settings.requiredText("state", "the path of a folder")),
    listen,
    tls: readTls(settings, path),
    publicUrl: readPublicUrl(settings),
    database: settings.text("database", /^postgres(?:ql)?:\/\//, "an address with postgres://"),
    issuers: settings.sections("issuers", (issuer) => readIssuer(issuer, path)),
    manifests: readManifests(settings, path) ?? [],
    limits: settings.section("limits", readLimits) ?? {},
    trustedProxies: settings.texts("trustedProxies", "a list of addresses and networks") ?? [],
    logLevel: settings.oneOf("logLevel", LOG_LEVELS) ?? "info",
    maxAgeSeconds: settings.integer("maxAgeSeconds", 1, DAY) ?? 120,
    ocsp: settings.section("ocsp", (ocsp) => readOcsp(ocsp, path)) ?? {},
    crl: settings.section("crl", (crl) => readCrl(crl, path)) ?? {},
    mosquitto: settings.section("mosquitto", (mosquitto) => readMosquitto(mosquitto, path)),
    est: settings.section("est", (est) => readEst(est, path)) ?? { devices: {}, shared: {}, label: {} },
    sequencer: settings.section("sequencer", readSequencer) ?? {},
    account: settings.section("account", (account) => ({
      keystore: path(account.requiredText("keystore", "the path of an encrypted key file")),
      passphraseFile: path(account.requiredText("passphraseFile", "the path of a file of mode 0600")),
    })),
  }
  settings.finish()
  if (config.quorum !== undefined && config.quorum > Math.max(1, config.rpc.length)) {
    settings.refuse("quorum", `at most ${Math.max(1, config.rpc.length)}, as many as rpc names nodes`, config.quorum)
  }
  if (config.mosquitto !== undefined && !config.issuers.some(({ key }) => key !== undefined)) {
    settings.refuse("mosquitto", "there only with an issuer whose key signs CRLs", config.mosquitto)
  }
  const labels = config.issuers.map(({ label }) => label)
  const twice = labels.findIndex((label, i) => labels.indexOf(label) !== i)
  if (twice !== -1) {
    settings.refuse(`issuers[${twice}].label`, "one that no other issuer has (only one may have none)", labels[twice])
  }
  return config
}

/** Reads a configuration file. @throws GatewayConfigError */
export async function readSettingsFile(file: string): Promise<Record<string, Json>> {
  const unreadable = (found: string, cause?: unknown): never => {
    throw new GatewayConfigError({ field: "file", expected: `a JSON file at ${file}`, found, cause })
  }
  let text = ""
  try {
    if ((await stat(file)).size > MAX_BYTES) return unreadable(`more than ${MAX_BYTES} octets`)
    text = await readFile(file, "utf8")
  } catch (cause) {
    if (cause instanceof GatewayConfigError) throw cause
    return unreadable((cause as NodeJS.ErrnoException).code ?? String(cause), cause)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Its own words about what it cannot read may quote a secret.
    return unreadable("text that is no JSON")
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, Json>
  return unreadable("JSON that is no object")
}

function readNodes(settings: Settings): readonly string[] {
  const expected = "up to 32 different addresses with http:// or https://"
  const nodes = settings.texts("rpc", expected) ?? []
  const valid = nodes.every((node) => URL.canParse(node) && /^https?:$/.test(new URL(node).protocol))
  if (!valid || nodes.length > 32 || new Set(nodes).size !== nodes.length) settings.refuse("rpc", expected, nodes)
  return nodes
}

/** `127.0.0.1:8080`, `[::1]:8080`, `gateway.local:8080`. */
function readAddress(settings: Settings, field: string): ListenAddress | undefined {
  const expected = "host:port, such as 127.0.0.1:8080"
  const text = settings.text(field, /^(?:\[[0-9a-fA-F:.%]+\]|[^\s:[\]]+):\d{1,5}$/, expected)
  if (text === undefined) return undefined
  const cut = text.lastIndexOf(":")
  const port = Number(text.slice(cut + 1))
  if (port > 65_535) settings.refuse(field, expected, text)
  return { host: text.slice(0, cut).replace(/^\[(.*)\]$/, "$1"), port }
}

function readTls(settings: Settings, path: (text: string) => string): GatewayConfig["tls"] {
  const at = readAddress(settings, "tlsListen")
  const certificate = settings.text("tlsCertificate")
  const key = settings.text("tlsKey")
  if (at === undefined) {
    if (certificate !== undefined || key !== undefined) settings.refuse("tlsListen", "host:port", undefined)
    return undefined
  }
  if (certificate === undefined) return settings.refuse("tlsCertificate", "the path of a PEM file", undefined)
  if (key === undefined) return settings.refuse("tlsKey", "the path of a PEM file", undefined)
  return { ...at, certificate: path(certificate), key: path(key) }
}

function readPublicUrl(settings: Settings): string | undefined {
  const expected = "an address with http:// or https://, without query"
  const url = settings.text("publicUrl", /^https?:\/\/[^?#\s]+$/, expected)
  if (url !== undefined && !URL.canParse(url)) settings.refuse("publicUrl", expected, url)
  return url?.replace(/\/+$/, "")
}

function readIssuer(issuer: Settings, path: (text: string) => string): IssuerConfig {
  const certificate = path(issuer.requiredText("certificate", "the path of the CA's certificate"))
  const key = readKey(issuer, "key", path)
  const responderCertificate = issuer.text("responderCertificate")
  const responderKey = readKey(issuer, "responderKey", path)
  if ((responderCertificate === undefined) !== (responderKey === undefined)) {
    const missing = responderKey === undefined ? "responderKey" : "responderCertificate"
    issuer.refuse(missing, "there, since its counterpart is", undefined)
  }
  if (key === undefined && responderKey === undefined) {
    issuer.refuse("key", "the path of the CA's key, or a responder's in responderKey", undefined)
  }
  const label = issuer.text("label", LABEL, "a word of letters, digits, - and _ for addresses")
  if (label !== undefined && NO_LABELS.has(label)) issuer.refuse("label", "none of EST's own words", label)
  return {
    certificate,
    key,
    manufacturer: issuer.integer("manufacturer", 1, UINT32),
    label,
    responder:
      responderCertificate === undefined || responderKey === undefined
        ? undefined
        : { certificate: path(responderCertificate), key: responderKey },
  }
}

/** The path of a file, or `{ "module", "pinFile", "tokenLabel", "keyLabel" }` for a key in a token. */
function readKey(issuer: Settings, field: string, path: (text: string) => string): KeyConfig | undefined {
  if (issuer.kindOf(field) !== "object") {
    const file = issuer.text(field, /[^]/, "the path of a key file, or an object for a token")
    return file === undefined ? undefined : { kind: "file", path: path(file) }
  }
  return issuer.section(field, (token) => ({
    kind: "pkcs11" as const,
    module: path(token.requiredText("module", "the path of the token's library")),
    pinFile: path(token.requiredText("pinFile", "the path of a file with the PIN")),
    tokenLabel: token.text("tokenLabel"),
    keyLabel: token.text("keyLabel"),
  }))
}

function readLimits(limits: Settings): Partial<HttpLimits> {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof HttpLimits)[]
  const read = names.flatMap((name): [keyof HttpLimits, number][] => {
    const minimum = name === "clientRequestsPerSecond" ? 0 : 1
    const value = limits.number(name, minimum, 2 ** 40)
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(read)
}

function readOcsp(ocsp: Settings, path: (text: string) => string): GatewayConfig["ocsp"] {
  const folder = ocsp.text("folder")
  return defined({
    folder: folder === undefined ? undefined : path(folder),
    filesLifetimeSeconds: ocsp.integer("filesLifetimeSeconds", 8, 7 * DAY),
    lifetimeSeconds: ocsp.integer("lifetimeSeconds", 1, 7 * DAY),
    mostCertificates: ocsp.integer("mostCertificates", 1, 1_000),
    cachedAnswers: ocsp.integer("cachedAnswers", 0, 10_000_000),
  })
}

function readCrl(crl: Settings, path: (text: string) => string): GatewayConfig["crl"] {
  const folder = crl.text("folder")
  return defined({
    publishIntervalSeconds: crl.integer("publishIntervalSeconds", 1, 7 * DAY),
    lifetimeSeconds: crl.integer("lifetimeSeconds", 1, 30 * DAY),
    mostEntries: crl.integer("mostEntries", 1, 100_000_000),
    folder: folder === undefined ? undefined : path(folder),
  })
}

function readMosquitto(mosquitto: Settings, path: (text: string) => string): MosquittoConfig {
  const pidFile = mosquitto.text("pidFile")
  const paths = (mosquitto.texts("certificates", "paths of folders or bundles of certificates") ?? []).map(path)
  const dynamicSecurity = mosquitto.section("dynamicSecurity", (broker) => {
    const expected = "an address with mqtt:// or mqtts://, without name, password and query"
    const url = broker.text("url", /^mqtts?:\/\/[^@?#\s]+$/, expected) ?? broker.refuse("url", expected, undefined)
    if (!URL.canParse(url)) broker.refuse("url", expected, url)
    const file = (field: string): string | undefined => {
      const text = broker.text(field)
      return text === undefined ? undefined : path(text)
    }
    const parts = {
      username: broker.text("username"),
      passwordFile: file("passwordFile"),
      caFile: file("caFile"),
      certificate: file("certificate"),
      key: file("key"),
      timeoutSeconds: broker.number("timeoutSeconds", 1, 600),
    }
    const missing = (parts.certificate === undefined) !== (parts.key === undefined)
    if (missing)
      broker.refuse(parts.key === undefined ? "key" : "certificate", "there, since its counterpart is", undefined)
    return { url, ...defined(parts) }
  })
  if ((dynamicSecurity === undefined) !== (paths.length === 0)) {
    const expected = "there together with dynamicSecurity, which disables clients by the names in them"
    mosquitto.refuse("certificates", expected, paths.length === 0 ? undefined : paths)
  }
  return {
    crlFile: path(mosquitto.requiredText("crlFile", "the path of the file that crlfile in mosquitto.conf names")),
    ...defined({ pidFile: pidFile === undefined ? undefined : path(pidFile), dynamicSecurity }),
    certificates: paths,
  }
}

function readEst(est: Settings, path: (text: string) => string): GatewayConfig["est"] {
  const receipts = est.text("receipts", /[^]/, "the path of a folder")
  const manifests = readManifests(est, path)
  const sharedSecrets = est.text("sharedSecrets", /[^]/, "the path of a file that only this gateway's user may read")
  return {
    devices: defined({
      receipts: receipts === undefined ? undefined : path(receipts),
      manifests,
    }),
    shared: defined({
      holdMs: est.integer("holdMs", 0, 600_000),
      retryAfterSeconds: est.integer("retryAfterSeconds", 1, 3_600),
      repeatSeconds: est.integer("repeatSeconds", 0, 365 * DAY),
      perDeviceAndHour: est.integer("perDeviceAndHour", 1, 1_000_000),
    }),
    label: defined({
      validitySeconds: est.integer("validitySeconds", 60, 36_500 * DAY),
      purposes: est.texts("purposes", "a list of dotted OIDs"),
      alternativeNames: est.flag("alternativeNames"),
      manufacturers: est.integers("manufacturers", 1, UINT32),
      serverKeys: est.flag("serverKeys"),
      keyEncryption: est.flag("keyEncryption"),
      channelLinking: est.oneOf("channelLinking", ["required", "checked", "ignored"]),
    }),
    ...defined({ sharedSecrets: sharedSecrets === undefined ? undefined : path(sharedSecrets) }),
  }
}

function readManifests(settings: Settings, path: (text: string) => string): readonly string[] | undefined {
  const manifests = settings.texts("manifests", "a list of files, folders and addresses")
  return manifests?.map((place) => (isUrl(place) ? place : path(place)))
}

function readSequencer(sequencer: Settings): GatewayConfig["sequencer"] {
  return defined({
    owner: sequencer.text("owner", OWNER, "a word that is no other gateway's"),
    windowMs: sequencer.integer("windowMs", 10, 600_000),
    windowSize: sequencer.integer("windowSize", 1, 1_000_000),
    queueLimit: sequencer.integer("queueLimit", 1, 10_000_000),
    finality: sequencer.oneOf("finality", ["latest", "finalized"]),
    leaseSeconds: sequencer.integer("leaseSeconds", 5, 3_600),
  })
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> }

function defined<T extends Record<string, unknown>>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}
