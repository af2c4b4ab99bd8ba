import { encodePem, toHex, type Hex } from "../../client/index.ts"
import { writeFileAtomic } from "../../client/node/index.ts"
import type { CrlBook } from "../crl/index.ts"
import { readCrl } from "../crl/crlReader.ts"
import type { FleetSource, RevocationContext } from "../issuers/context.ts"
import type { DisabledJournal } from "./disabledJournal.ts"

export type MosquittoBridgeOptions = {
  readonly replica: Pick<FleetSource, "onChange">
  readonly book: CrlBook
  /** The file that `crlfile` in mosquitto.conf names. PEM; one CRL for each issuer. */
  readonly crlFile: string
  /** PEM of CRLs of other CAs, to stand in the same file. */
  readonly otherCrls?: string
  /** Makes mosquitto read its files again: {@link hangUp} with its process id. */
  readonly reload: () => Promise<void> | void
  /**
   * Publishes as a client that may write to `$CONTROL/dynamic-security/v1`. Without it devices that are connected stay so: mosquitto
   * looks at CRLs when somebody connects.
   */
  readonly publish?: (topic: string, payload: string) => Promise<void>
  /** The user names under which a certificate's device connects; with `use_identity_as_username` its common name. */
  readonly usernamesOf: (issuerKeyId: Hex, serial: Hex) => readonly string[]
  /** Remembers over restarts who was disabled here. Default: nobody does, and a hold that ends meanwhile is not noticed. */
  readonly journal?: DisabledJournal
  /** How often the CRL is written anew though nothing changed, in seconds. Default: 300. */
  readonly intervalSeconds?: number
  readonly report?: RevocationContext["report"]
}

/** What one refresh changed. */
export type MosquittoRefresh = {
  readonly written: boolean
  readonly disabled: readonly string[]
  readonly enabled: readonly string[]
}

const CONTROL_TOPIC = "$CONTROL/dynamic-security/v1"
const INTERVAL_SECONDS = 300
const COMMANDS_AT_ONCE = 200
const SUPERSEDED = 4

/**
 * Keeps revoked devices out of a mosquitto broker: writes its CRL file, has it read again, and then disables each newly barred
 * client, which cuts its connection. A device whose hold ends is enabled again, if it was disabled here, also
 * when it ended while nobody looked.
 */
export class MosquittoBridge {
  readonly #options: MosquittoBridgeOptions
  /** What is listed and was passed on, as issuer key id and serial. */
  #barred = new Set<string>()
  /** Who was disabled here, and for which certificates. Read from the journal at first. */
  #disabled: Map<string, ReadonlySet<string>> | undefined
  #entityTags = ""
  #turn: Promise<unknown> = Promise.resolve()
  #waiting: Promise<MosquittoRefresh> | undefined

  constructor(options: MosquittoBridgeOptions) {
    this.#options = options
  }

  /** Refreshes now, on every change of the ledger and every interval, until the function it gives is called. */
  async start(): Promise<() => Promise<void>> {
    const refresh = (): void => {
      this.refresh().catch((error: unknown) => {
        this.#options.report?.({ door: "mqtt", outcome: error instanceof Error ? error.name : "unknown", error })
      })
    }
    const stopListening = this.#options.replica.onChange(refresh)
    const timer = setInterval(refresh, (this.#options.intervalSeconds ?? INTERVAL_SECONDS) * 1000)
    timer.unref()
    const stop = async (): Promise<void> => {
      stopListening()
      clearInterval(timer)
      await this.#turn.catch(() => undefined)
    }
    try {
      await this.refresh()
    } catch (error) {
      await stop()
      throw error
    }
    return stop
  }

  /**
   * Brings mosquitto up to date. One refresh runs at a time, and those who ask while one waits share it.
   *
   * @throws like CrlBook.complete; OutputWriteError; what `reload` and `publish` throw. Then the next refresh tries it all again.
   */
  refresh(): Promise<MosquittoRefresh> {
    this.#waiting ??= this.#turn
      .catch(() => undefined)
      .then(() => {
        this.#waiting = undefined
        return this.#refresh()
      })
    this.#turn = this.#waiting
    return this.#waiting
  }

  async #refresh(): Promise<MosquittoRefresh> {
    const { book, crlFile, otherCrls = "", reload } = this.#options
    const barred = new Set<string>()
    const pems: string[] = []
    let entityTags = ""
    for (const issuerKeyId of book.issuers) {
      const { der, entityTag } = await book.complete(issuerKeyId)
      pems.push(encodePem("X509 CRL", der))
      entityTags += entityTag
      for (const { serial, reason } of readCrl(der).entries()) {
        // The device has another certificate, under the same name.
        if (reason !== SUPERSEDED) barred.add(`${issuerKeyId}:${toHex(serial)}`)
      }
    }
    const written = entityTags !== this.#entityTags
    let failure: { readonly error: unknown } | undefined
    if (written) {
      await writeFileAtomic(crlFile, pems.join("") + otherCrls)
      try {
        await reload()
        this.#entityTags = entityTags
      } catch (error) {
        // Those who are connected are cut off all the same.
        failure = { error }
      }
    }
    const news = [...barred].filter((name) => !this.#barred.has(name))
    const disabled = this.#usernames(news)
    await this.#note(news)
    await this.#command("disableClient", disabled)
    const enabled = this.#ended(barred)
    await this.#command("enableClient", enabled)
    await this.#forget(enabled)
    // Who has no name yet is looked for again.
    this.#barred = new Set([...barred].filter((name) => this.#usernames([name]).length > 0))
    if (failure !== undefined) throw failure.error
    return { written, disabled, enabled }
  }

  /** Notes who will be disabled, before it happens: who was disabled here can be enabled here again. */
  async #note(names: readonly string[]): Promise<void> {
    const { usernamesOf, journal } = this.#options
    const disabled = (this.#disabled ??= new Map(await journal?.read()))
    let isNew = false
    for (const name of names) {
      const [issuerKeyId, serial] = name.split(":") as [Hex, Hex]
      for (const username of usernamesOf(issuerKeyId, serial)) {
        const known = disabled.get(username)
        if (known?.has(name) === true) continue
        disabled.set(username, new Set([...(known ?? []), name]))
        isNew = true
      }
    }
    if (isNew) await journal?.write(disabled)
  }

  /** Those who were disabled here, and whose certificates are listed no more. What another issuer listed cannot be seen here. */
  #ended(barred: ReadonlySet<string>): string[] {
    const stillBarred = new Set(this.#usernames(barred))
    const issuers = new Set<string>(this.#options.book.issuers)
    const hasEnded = (name: string): boolean => issuers.has(name.slice(0, name.indexOf(":"))) && !barred.has(name)
    return [...(this.#disabled ?? [])]
      .filter(([username, names]) => !stillBarred.has(username) && [...names].every(hasEnded))
      .map(([username]) => username)
  }

  async #forget(usernames: readonly string[]): Promise<void> {
    const disabled = this.#disabled
    if (disabled === undefined || usernames.length === 0) return
    for (const username of usernames) disabled.delete(username)
    await this.#options.journal?.write(disabled)
  }

  #usernames(names: Iterable<string>): string[] {
    const found = new Set<string>()
    for (const name of names) {
      const [issuerKeyId, serial] = name.split(":") as [Hex, Hex]
      for (const username of this.#options.usernamesOf(issuerKeyId, serial)) found.add(username)
    }
    return [...found]
  }

  async #command(command: "disableClient" | "enableClient", usernames: readonly string[]): Promise<void> {
    const { publish } = this.#options
    if (publish === undefined) return
    for (let first = 0; first < usernames.length; first += COMMANDS_AT_ONCE) {
      const commands = usernames.slice(first, first + COMMANDS_AT_ONCE).map((username) => ({ command, username }))
      await publish(CONTROL_TOPIC, JSON.stringify({ commands }))
    }
  }
}

/** Sends SIGHUP, at which mosquitto reads its CRL file again. @throws when there is no such process. */
export function hangUp(processId: number): void {
  process.kill(processId, "SIGHUP")
}
