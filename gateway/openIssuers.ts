import { stat } from "node:fs/promises"
import type { Logger } from "pino"
import { signerFromPkcs8, type KeySigner } from "../client/index.ts"
import { openPkcs11Signer, readPassphraseFile, readRegularFile } from "../client/node/index.ts"
import type { IssuerConfig, KeyConfig } from "./config.ts"
import { GatewayConfigError } from "./errors/gateway.ts"
import { openIssuer } from "./issuers/issuer.ts"
import type { Issuer } from "./issuers/issuer.ts"

/** An issuer with what its configuration says of it. */
export type OpenIssuer = {
  readonly issuer: Issuer
  /** Key id, certificate and key of the CA: what signs. */
  readonly config: IssuerConfig
}

export type OpenIssuers = {
  readonly issuers: readonly OpenIssuer[]
  /** Ends the sessions with tokens. */
  close(): void
}

const MAX_BYTES = 64 * 1024
const OTHERS = 0o077

/**
 * Reads certificates and keys of all issuers, and checks that they belong together.
 *
 * @throws GatewayConfigError, IssuerUnfitError, ResponderUnfitError, InputPathError, PrivateKeyInvalidError, Pkcs11Error's children.
 */
export async function openIssuers(configs: readonly IssuerConfig[], log: Logger): Promise<OpenIssuers> {
  const closers: (() => void)[] = []
  const close = (): void => {
    for (const closer of closers.splice(0)) closer()
  }
  const openKey = async (key: KeyConfig): Promise<KeySigner> => {
    if (key.kind === "file") return readKeyFile(key.path, log)
    const { module, pinFile, tokenLabel, keyLabel } = key
    const token = await openPkcs11Signer({
      module,
      pin: await readPassphraseFile(pinFile),
      ...(tokenLabel === undefined ? {} : { tokenLabel }),
      ...(keyLabel === undefined ? {} : { keyLabel }),
    })
    closers.push(() => {
      token.close()
    })
    return token.signer
  }
  try {
    const issuers: OpenIssuer[] = []
    for (const [i, config] of configs.entries()) {
      const certificate = await readRegularFile(config.certificate, { maximumBytes: MAX_BYTES })
      const signer = config.key && (await openKey(config.key))
      const responder = config.responder && {
        certificate: await readRegularFile(config.responder.certificate, { maximumBytes: MAX_BYTES }),
        signer: await openKey(config.responder.key),
      }
      const issuer = await openIssuer({
        certificate,
        ...(signer === undefined ? {} : { signer }),
        ...(responder === undefined ? {} : { responder }),
      })
      const twin = issuers.find((other) => other.issuer.keyId === issuer.keyId)
      if (twin !== undefined) {
        throw new GatewayConfigError({
          field: `issuers[${i}].certificate`,
          expected: "another CA than those before",
          found: `key ${issuer.keyId} again`,
        })
      }
      issuers.push({ issuer, config })
    }
    return { issuers, close }
  } catch (error) {
    close()
    throw error
  }
}

async function readKeyFile(path: string, log: Logger): Promise<KeySigner> {
  const bytes = await readRegularFile(path, { maximumBytes: MAX_BYTES })
  const { mode } = await stat(path)
  if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
    log.warn({ path, mode: (mode & 0o777).toString(8) }, "others on this machine may read this key: chmod 600")
  }
  return signerFromPkcs8(bytes)
}
