import { readFile } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { pino } from "pino"
import type { Logger } from "pino"
import { Verifier, type Hex, type Payer } from "../client/index.ts"
import { payerFromKeystore, readPassphraseFile } from "../client/node/index.ts"
import { apiRoutes } from "./api/index.ts"
import type { GatewayConfig } from "./config.ts"
import { CrlBook, crlRoutes } from "./crl/index.ts"
import { EnrolmentService } from "./enrolment.ts"
import { GatewayConfigError } from "./errors/gateway.ts"
import { healthRoutes } from "./http/health.ts"
import { openHttpServer } from "./http/httpServer.ts"
import type { ServerUrls } from "./http/httpServer.ts"
import { Metrics } from "./http/metrics.ts"
import type { Route } from "./http/route.ts"
import type { TlsCredentials } from "./http/tlsOptions.ts"
import { manifestShelf, withKnownPlaces } from "./knownPlaces.ts"
import { mosquittoWriter } from "./mosquitto.ts"
import { ocspRoutes, StaticAnswers } from "./ocsp/index.ts"
import { openIssuers } from "./openIssuers.ts"
import { openReplica } from "./openReplica.ts"
import { answerWriter, crlWriter, keepFiles, placesWriter } from "./staticFiles.ts"
import { openKnownEnrolments, openSerialStore } from "./store/openSerialStore.ts"
import { readiness, revocationReporter, watchCrls, watchManifests, watchReplica, watchResponders } from "./watch.ts"

export { LOG_LEVELS, readGatewayConfig, readSettingsFile } from "./config.ts"
export type { GatewayConfig } from "./config.ts"
export { CrlBook, writeStatic } from "./crl/index.ts"
export type { StaticReport } from "./crl/writeStatic.ts"
export { DEFAULT_LIMITS } from "./http/limits.ts"
export { StaticAnswers } from "./ocsp/index.ts"
export { manifestShelf, withKnownPlaces } from "./knownPlaces.ts"
export { openIssuers } from "./openIssuers.ts"
export { openReplica } from "./openReplica.ts"
export { makeToken } from "./est/index.ts"
export { openEnrolmentStore, openKnownEnrolments, openSerialStore } from "./store/openSerialStore.ts"
export type { EntryPortions, SerialEntry, SerialStore } from "./store/serialMap.ts"

/** How long an OCSP answer in a file may be used. */
const FILES_LIFETIME_SECONDS = 3_600

/** Manifests in folders are looked for at least this often. */
const MANIFESTS_INTERVAL_SECONDS = 60

/** A gateway that runs. */
export type Gateway = ServerUrls & {
  /** Where clients find it, by its own account. */
  readonly publicUrl: string
  readonly issuers: readonly { readonly keyId: Hex; readonly label: string | undefined }[]
  readonly metrics: Metrics
  /**
   * Reads the TLS certificate, the OCSP responders' and their keys again: new connections and new answers get them.
   *
   * @throws TlsCredentialsUnfitError, ResponderUnfitError and whatever else cannot be used: of what it concerns the old one stays.
   */
  reload(): Promise<void>
  /** Takes nothing new, finishes what it was asked, and lets go of everything. */
  close(graceMs?: number): Promise<void>
}

export type StartGatewayOptions = {
  /** Who pays for registering what is enrolled. Default: the configuration's account; without one there is no enrolment. */
  readonly payer?: Payer | undefined
  /** Default: JSON lines on standard error. */
  readonly log?: Logger
}

/**
 * Starts a gateway: follows the ledger, and answers by the protocols that the settings give it what it needs for. It listens when
 * this returns; whether the ledger was read already, `/readyz` tells.
 *
 * @throws GatewayConfigError and the other errors of settings, files and addresses that cannot be used.
 */
export async function startGateway(config: GatewayConfig, options: StartGatewayOptions = {}): Promise<Gateway> {
  if (config.listen === undefined && config.tls === undefined) {
    throw new GatewayConfigError({ field: "listen", expected: "host:port, here or in tlsListen", found: "nothing" })
  }
  const log = options.log ?? pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }))
  const stopping = new AbortController()
  const undo: (() => Promise<void> | void)[] = []
  const unwind = async (): Promise<void> => {
    stopping.abort()
    for (const step of undo.splice(0).toReversed()) await step()
  }
  try {
    // 1. What it rests on.
    const opened = await openIssuers(config.issuers, log)
    const { issuers } = opened
    undo.push(() => {
      opened.close()
    })
    const tls = config.tls && { ...config.tls, ...(await readTlsFiles(config.tls)) }
    const { replica, deployment, endpoints, ledger } = await openReplica(config, log)
    undo.push(() => replica.close())
    const serials = await openSerialStore(config)
    undo.push(() => serials.close())

    // 2. Who watches it.
    const metrics = new Metrics()
    const { maxAgeSeconds } = config
    const reading = { tried: false }
    const watched = { replica, issuers, maxAgeSeconds, tried: () => reading.tried }
    watchReplica(metrics, watched)
    watchResponders(metrics, issuers)
    const report = revocationReporter(metrics, log)

    const payer = options.payer ?? (await configuredPayer(config))
    const canEnrol = payer !== undefined && config.tls !== undefined && issuers.some(({ issuer }) => issuer.signer)
    const shelf = manifestShelf(config, { replica, log })
    const { places } = shelf
    watchManifests(metrics, shelf)
    const enrolment = canEnrol
      ? new EnrolmentService({ config, issuers, deployment, endpoints, ledger, replica, places, payer, metrics, log })
      : undefined
    undo.push(() => enrolment?.close())
    // Marks that name no place bar the places that are known here.
    const known = enrolment === undefined ? await openKnownEnrolments({ ...config, deployment }) : undefined
    undo.push(() => known?.close())
    const issued = enrolment ?? known
    const ask = issued && ((subject: Hex) => issued.placesOf(subject))
    const source = withKnownPlaces(replica, { shelf, issuers, ask })
    undo.push(() => {
      source.close()
    })
    const verifier = new Verifier({ ledger: replica, maxAgeSeconds })

    // 3. What it answers, as soon as its address is known.
    let publicUrl = ""
    const routes = (urls: ServerUrls): Route[] => {
      publicUrl = config.publicUrl ?? urls.plainUrl ?? urls.tlsUrl ?? ""
      const context = {
        replica: source,
        places: shelf,
        issuers: issuers.map(({ issuer }) => issuer),
        serials,
        maxAgeSeconds,
        report,
      }
      const { lifetimeSeconds: crlLifetimeSeconds, folder, ...crl } = config.crl
      const crlContext = {
        ...context,
        ...crl,
        ...(crlLifetimeSeconds === undefined ? {} : { crlLifetimeSeconds }),
        publicUrl,
      }
      const book = new CrlBook(crlContext)
      undo.push(() => {
        book.close()
      })
      watchCrls(metrics, book)
      const keep = (what: string, intervalSeconds: number, write: () => Promise<boolean>): void => {
        const kept = keepFiles({ what, write, replica: source, intervalSeconds, log, signal: stopping.signal })
        undo.push(() => kept)
      }
      keep("the manifests' places", MANIFESTS_INTERVAL_SECONDS, placesWriter(shelf, source, stopping.signal))
      if (folder !== undefined) {
        keep("CRLs", (config.crl.publishIntervalSeconds ?? 600) / 2, crlWriter(book, folder, log))
      }
      if (config.mosquitto !== undefined) {
        const parts = { replica: source, book, issuers: context.issuers, metrics, state: config.state }
        const intervalSeconds = (config.crl.publishIntervalSeconds ?? 600) / 2
        keep("mosquitto's CRL and clients", intervalSeconds, mosquittoWriter(config.mosquitto, parts))
      }
      const { folder: answersFolder, filesLifetimeSeconds = FILES_LIFETIME_SECONDS, ...ocsp } = config.ocsp
      if (answersFolder !== undefined) {
        const answers = new StaticAnswers({ ...context, folder: answersFolder, lifetimeSeconds: filesLifetimeSeconds })
        keep("OCSP answers", filesLifetimeSeconds / 8, answerWriter(answers, log, stopping.signal))
      }
      return [
        ...healthRoutes({ metrics, readiness: () => readiness(watched) }),
        ...ocspRoutes({ ...context, ...ocsp }),
        ...crlRoutes(crlContext, book),
        ...apiRoutes({
          replica,
          serials,
          issued: enrolment,
          manifests: shelf,
          check: { verifier, receipts: enrolment, places },
          maxAgeSeconds,
        }),
        ...(enrolment?.routes ?? []),
      ]
    }
    const server = await openHttpServer({
      plain: config.listen,
      tls,
      routes,
      limits: config.limits,
      trustedProxies: config.trustedProxies,
      metrics,
      log,
    })
    undo.push(() => server.close(0))

    // 4. From now on.
    const following = follow(replica, config.pollSeconds * 1000, log, stopping.signal, reading)
    undo.push(() => following)
    enrolment?.start(publicUrl)
    const { plainUrl, tlsUrl } = server
    log.info(
      { plainUrl, tlsUrl, publicUrl, chainId: deployment.chainId, issuers: issuers.length },
      "the gateway listens",
    )
    return {
      plainUrl,
      tlsUrl,
      publicUrl,
      issuers: issuers.map(({ issuer, config: { label } }) => ({ keyId: issuer.keyId, label })),
      metrics,
      reload: async () => {
        const tls = async (): Promise<void> => {
          if (config.tls !== undefined) server.reloadTls(await readTlsFiles(config.tls))
        }
        const failed = (await Promise.allSettled([tls(), opened.reloadResponders()])).find(
          (done) => done.status === "rejected",
        )
        if (failed !== undefined) throw failed.reason
        log.info("the certificates were read again")
      },
      close: async (graceMs) => {
        log.info("the gateway stops")
        await server.close(graceMs)
        await unwind()
        log.info("the gateway has stopped")
      },
    }
  } catch (error) {
    await unwind()
    throw error
  }
}

async function configuredPayer({ account }: GatewayConfig): Promise<Payer | undefined> {
  if (account === undefined) return undefined
  return payerFromKeystore(account.keystore, await readPassphraseFile(account.passphraseFile))
}

async function readTlsFiles({ certificate, key }: { certificate: string; key: string }): Promise<TlsCredentials> {
  const read = async (field: string, path: string): Promise<string> => {
    try {
      return await readFile(path, "utf8")
    } catch (cause) {
      const found = (cause as NodeJS.ErrnoException).code ?? String(cause)
      throw new GatewayConfigError({ field, expected: `a PEM file at ${path}`, found, cause })
    }
  }
  return { certificate: await read("tlsCertificate", certificate), key: await read("tlsKey", key) }
}

/** Follows the ledger whatever happens; what goes wrong is told once. */
async function follow(
  replica: Awaited<ReturnType<typeof openReplica>>["replica"],
  intervalMs: number,
  log: Logger,
  signal: AbortSignal,
  reading: { tried: boolean },
): Promise<void> {
  const told = { fault: "" }
  const watch = setInterval(() => {
    const { fault, refusing, block } = replica.status
    const now = fault === undefined ? "" : `${fault.code}: ${fault.message}`
    if (now === told.fault) return
    told.fault = now
    if (fault === undefined) log.info({ block: block?.number }, "the ledger is read again")
    else log[refusing ? "error" : "warn"]({ code: fault.code, message: fault.message }, "the ledger cannot be read")
  }, 1000)
  try {
    // What goes wrong stands in the replica's status.
    await replica.sync({ signal }).catch(() => undefined)
    reading.tried = true
    while (!signal.aborted) {
      try {
        await replica.follow({ signal, intervalMs })
      } catch (error) {
        log.error({ err: error }, "following the ledger failed; it is tried again")
        await sleep(5_000, undefined, { signal }).catch(() => undefined)
      }
    }
  } finally {
    clearInterval(watch)
  }
}
