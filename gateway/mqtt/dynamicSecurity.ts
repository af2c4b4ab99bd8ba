import { readFile } from "node:fs/promises"
import { readPassphraseFile } from "../../client/node/index.ts"
import { MosquittoRefusedError, MosquittoUnreachableError } from "../errors/mosquitto.ts"

/** Where a broker takes commands. Paths are absolute. */
export type DynamicSecurityConfig = {
  /** `mqtt://…` or `mqtts://…`, without a password. */
  readonly url: string
  readonly username?: string
  readonly passwordFile?: string
  /** Who signed the broker's certificate. Default: the CAs of the platform. */
  readonly caFile?: string
  readonly certificate?: string
  readonly key?: string
  readonly timeoutSeconds?: number
}

const TIMEOUT_SECONDS = 10
/** Nobody who could be connected. */
const NO_SUCH_CLIENT = "Client not found"

/**
 * Makes what publishes commands to the dynamic security plugin, and waits for its answer: each in a connection of its own, so that a
 * broker that was restarted needs no care. Files are read each time.
 *
 * @returns throws MosquittoUnreachableError and MosquittoRefusedError.
 */
export function dynamicSecurity(config: DynamicSecurityConfig): (topic: string, payload: string) => Promise<void> {
  const { url, username, passwordFile, timeoutSeconds = TIMEOUT_SECONDS } = config
  return async (topic, payload) => {
    const unreachable = (cause: unknown): MosquittoUnreachableError => {
      const reason = cause instanceof Error && cause.message !== "" ? cause.message : String(cause)
      return new MosquittoUnreachableError({ url, reason, cause })
    }
    const read = async (path: string | undefined): Promise<string | undefined> => path && readFile(path, "utf8")
    const options = await (async () => ({
      username,
      password: passwordFile && (await readPassphraseFile(passwordFile)),
      ca: await read(config.caFile),
      cert: await read(config.certificate),
      key: await read(config.key),
    }))().catch((cause: unknown) => {
      throw unreachable(cause)
    })
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
    const { connect } = await import("mqtt")
    const client = connect(url, { ...given, reconnectPeriod: 0, connectTimeout: timeoutSeconds * 1000 })
    const answered = Promise.withResolvers<string>()
    const fail = (cause: unknown): void => {
      answered.reject(unreachable(cause))
    }
    // A TLS refusal is told by nothing but the end of the connection.
    const late = setTimeout(fail, timeoutSeconds * 1000, `no answer within ${timeoutSeconds} s`)
    client.on("error", fail)
    client.on("close", () => {
      fail("it closed the connection")
    })
    client.on("message", (_topic, message) => {
      answered.resolve(message.toString("utf8"))
    })
    client.on("connect", () => {
      client
        .subscribeAsync(`${topic}/response`, { qos: 1 })
        .then(() => client.publishAsync(topic, payload, { qos: 1 }))
        .catch(fail)
    })
    try {
      const reason = refusalIn(await answered.promise)
      if (reason !== undefined) throw new MosquittoRefusedError({ url, reason })
    } finally {
      clearTimeout(late)
      client.end(true)
    }
  }
}

/** What the plugin did not do; undefined if it did everything. Clients that it does not know are nobody's. */
function refusalIn(answer: string): string | undefined {
  let responses: unknown
  try {
    responses = (JSON.parse(answer) as { responses?: unknown } | null)?.responses
  } catch {
    return "its answer is no JSON"
  }
  if (!Array.isArray(responses)) return "its answer has no responses"
  for (const response of responses as unknown[]) {
    const error = (response as { error?: unknown } | null)?.error
    if (error !== undefined && error !== NO_SUCH_CLIENT) {
      return typeof error === "string" ? error.slice(0, 200) : "its error is no text"
    }
  }
  return undefined
}
