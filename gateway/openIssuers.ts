import { stat } from "node:fs/promises"
import type { Logger } from "pino"
import {
  parseCertificate,
  readOneCertificate,
  signerFromPkcs8,
  type Certificate,
  type KeySigner,
} from "../client/index.ts"
import { openPkcs11Signer, readPassphraseFile, readRegularFile } from "../client/node/index.ts"
import type { IssuerConfig, KeyConfig } from "./config.ts"
import { GatewayConfigError } from "./errors/gateway.ts"
import { openIssuer } from "./issuers/issuer.ts"
import type { Issuer } from "./issuers/issuer.ts"
import { NamedResponder } from "./namedResponder.ts"
import type { OpenedKey } from "./namedResponder.ts"

/** An issuer with what its configuration says of it. */
export type OpenIssuer = {
  readonly issuer: Issuer
  /** Key id, certificate and key of the CA: what signs. */
  readonly config: IssuerConfig
  /** The certificate of the OCSP responder that the CA named, as of now; undefined where the gateway makes itself one. */
  readonly responderCertificate: Certificate | undefined
}

export type OpenIssuers = {
  readonly issuers: readonly OpenIssuer[]
  /** Reads the certificates and keys of named OCSP responders again. @throws what is wrong with one: then all stay as they were. */
  reloadResponders(): Promise<void>
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
  const keep = (key: OpenedKey): KeySigner => {
    closers.push(() => {
      key.close()
    })
    return key.signer
  }
  const openNamed = async (config: NonNullable<IssuerConfig["responder"]>, issuer: Certificate) => {
    const named = await NamedResponder.open({
      config,
      issuer: { certificate: issuer },
      openKey: (key) => openKey(key, log),
    })
    closers.push(() => {
      named.close()
    })
    return named
  }
  try {
    const issuers: OpenIssuer[] = []
    const responders: NamedResponder[] = []
    for (const [i, config] of configs.entries()) {
      const certificate = await readRegularFile(config.certificate, { maximumBytes: MAX_BYTES })
      const signer = config.key && keep(await openKey(config.key, log))
      const named =
        config.responder && (await openNamed(config.responder, parseCertificate(readOneCertificate(certificate))))
      const responder = named && { certificate: named.certificate.der, signer: named.signer }
      const opened = await openIssuer({
        certificate,
        ...(signer === undefined ? {} : { signer }),
        ...(responder === undefined ? {} : { responder }),
      })
      const issuer = named === undefined ? opened : signedBy(opened, named)
      const twin = issuers.find((other) => other.issuer.keyId === issuer.keyId)
      if (twin !== undefined) {
        throw new GatewayConfigError({
          field: `issuers[${i}].certificate`,
          expected: "another CA than those before",
          found: `key ${issuer.keyId} again`,
        })
      }
      if (named !== undefined) responders.push(named)
      issuers.push({
        issuer,
        config,
        get responderCertificate() {
          return named?.certificate
        },
      })
    }
    const reloadResponders = async (): Promise<void> => {
      const takes = await Promise.all(responders.map((named) => named.read()))
      for (const take of takes) take()
    }
    return { issuers, reloadResponders, close }
  } catch (error) {
    close()
    throw error
  }
}

/** The issuer, with whoever signs its OCSP answers at the moment. */
function signedBy(issuer: Issuer, named: NamedResponder): Issuer {
  return {
    ...issuer,
    get responder() {
      return named.responder
    },
  }
}

async function openKey(key: KeyConfig, log: Logger): Promise<OpenedKey> {
  if (key.kind === "file") return { signer: await readKeyFile(key.path, log), close: () => undefined }
  const { module, pinFile, tokenLabel, keyLabel } = key
  return openPkcs11Signer({
    module,
    pin: await readPassphraseFile(pinFile),
    ...(tokenLabel === undefined ? {} : { tokenLabel }),
    ...(keyLabel === undefined ? {} : { keyLabel }),
  })
}

async function readKeyFile(path: string, log: Logger): Promise<KeySigner> {
  const bytes = await readRegularFile(path, { maximumBytes: MAX_BYTES })
  const { mode } = await stat(path)
  if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
    log.warn({ path, mode: (mode & 0o777).toString(8) }, "others on this machine may read this key: chmod 600")
  }
  return signerFromPkcs8(bytes)
}
