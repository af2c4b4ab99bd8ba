import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Gauge } from "prom-client"
import type { CrlBook } from "./crl/index.ts"
import { MosquittoReloadError } from "./errors/mosquitto.ts"
import type { Metrics } from "./http/metrics.ts"
import type { FleetSource } from "./issuers/context.ts"
import type { Issuer } from "./issuers/issuer.ts"
import { disabledJournal } from "./mqtt/disabledJournal.ts"
import { dynamicSecurity } from "./mqtt/dynamicSecurity.ts"
import type { DynamicSecurityConfig } from "./mqtt/dynamicSecurity.ts"
import { hangUp, MosquittoBridge } from "./mqtt/mosquittoBridge.ts"
import { UsernameFiles } from "./mqtt/usernameFiles.ts"

/** A mosquitto broker that revoked devices are kept out of. Paths are absolute. */
export type MosquittoConfig = {
  /** What `crlfile` in mosquitto.conf names. */
  readonly crlFile: string
  /** What `pid_file` names. Default: somebody else makes mosquitto read the CRL again. */
  readonly pidFile?: string
  /** Where connected devices are cut off. Default: they stay until they leave. */
  readonly dynamicSecurity?: DynamicSecurityConfig
  /** Folders and bundles of the devices' certificates: their common names are the user names. */
  readonly certificates: readonly string[]
}

export type MosquittoParts = {
  readonly replica: FleetSource
  readonly book: CrlBook
  readonly issuers: readonly Issuer[]
  readonly metrics: Metrics
  /** Folder for what must outlive the process. */
  readonly state: string
}

/** Makes what brings a broker up to date. It is to be called after changes, and again when it failed. @throws like MosquittoBridge.refresh. */
export function mosquittoWriter(config: MosquittoConfig, parts: MosquittoParts): () => Promise<boolean> {
  const { crlFile, pidFile, certificates } = config
  const { replica, book, issuers, metrics, state } = parts
  const names = new UsernameFiles(certificates, issuers)
  const bridge = new MosquittoBridge({
    replica,
    book,
    crlFile,
    reload: async () => {
      if (pidFile !== undefined) await reload(pidFile)
    },
    ...(config.dynamicSecurity === undefined
      ? {}
      : {
          publish: dynamicSecurity(config.dynamicSecurity),
          journal: disabledJournal(join(state, "mosquitto-disabled.json")),
        }),
    usernamesOf: names.usernamesOf,
  })
  const fault = new Gauge({
    name: "fleetroot_mosquitto_fault",
    help: "1 while the broker could not be told who is revoked.",
    registers: [metrics.registry],
  })
  return async () => {
    try {
      await names.refresh()
      await bridge.refresh()
      fault.set(0)
      return false
    } catch (error) {
      fault.set(1)
      throw error
    }
  }
}

async function reload(pidFile: string): Promise<void> {
  let text = ""
  try {
    text = (await readFile(pidFile, "utf8")).trim()
    // 0 and negative numbers would signal whole groups, and 1 is no broker.
    if (/^[1-9]\d{0,9}$/.test(text) && text !== "1") {
      hangUp(Number(text))
      return
    }
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? "cannot be used"
    throw new MosquittoReloadError({
      pidFile,
      reason: text === "" ? `(${reason})` : `names ${text} (${reason})`,
      cause,
    })
  }
  throw new MosquittoReloadError({ pidFile, reason: "holds no process id" })
}
