import { parseCertificate, readOneCertificate, type Certificate, type KeySigner } from "../client/index.ts"
import { readRegularFile } from "../client/node/index.ts"
import type { IssuerConfig, KeyConfig } from "./config.ts"
import type { Issuer } from "./issuers/issuer.ts"
import { givenResponder } from "./issuers/responder.ts"
import type { Responder } from "./issuers/responder.ts"

/** A key that can be used, until it is closed. */
export type OpenedKey = { readonly signer: KeySigner; close(): void }

export type NamedResponderParameters = {
  readonly config: NonNullable<IssuerConfig["responder"]>
  readonly issuer: Pick<Issuer, "certificate">
  readonly openKey: (key: KeyConfig) => Promise<OpenedKey>
}

type Current = { readonly certificate: Certificate; readonly key: OpenedKey; readonly responder: Responder }

const MAX_BYTES = 64 * 1024

/** The OCSP responder that a CA named, as its files say; they may be exchanged while the gateway runs. */
export class NamedResponder {
  readonly #parameters: NamedResponderParameters
  #current: Current | undefined
  /** Of tokens, also those of before: whoever is signing goes on with the key that was there. */
  readonly #open = new Set<OpenedKey>()

  private constructor(parameters: NamedResponderParameters) {
    this.#parameters = parameters
  }

  /** @throws ResponderUnfitError, and the errors of files, tokens, certificates and keys that cannot be used. */
  static async open(parameters: NamedResponderParameters): Promise<NamedResponder> {
    const named = new NamedResponder(parameters)
    const take = await named.read()
    take()
    return named
  }

  /** Who signs from now on. */
  get responder(): Responder {
    return this.#taken.responder
  }

  get certificate(): Certificate {
    return this.#taken.certificate
  }

  get signer(): KeySigner {
    return this.#taken.key.signer
  }

  /**
   * Reads and checks its files again.
   *
   * @returns what makes it sign by them.
   * @throws as `open` does; then nothing has changed.
   */
  async read(): Promise<() => void> {
    const { config, issuer, openKey } = this.#parameters
    const bytes = await readRegularFile(config.certificate, { maximumBytes: MAX_BYTES })
    const certificate = parseCertificate(readOneCertificate(bytes))
    const before = this.#current
    // A token that is open already is not opened again for the same key.
    const isOpen = config.key.kind === "pkcs11" && before?.certificate.keyId === certificate.keyId
    const key = isOpen && before !== undefined ? before.key : await openKey(config.key)
    try {
      const now = Math.floor(Date.now() / 1000)
      const responder = await givenResponder({ certificate, signer: key.signer }, issuer.certificate, now)
      return () => {
        if (config.key.kind === "pkcs11") this.#open.add(key)
        this.#current = { certificate, key, responder }
      }
    } catch (error) {
      if (key !== before?.key) key.close()
      throw error
    }
  }

  close(): void {
    for (const key of this.#open) key.close()
    this.#open.clear()
  }

  get #taken(): Current {
    // Nobody has one on which nothing was taken yet: `open` is the only door.
    return this.#current as Current
  }
}
