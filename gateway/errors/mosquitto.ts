import { GatewayError } from "./gateway.ts"

/** The parent of every error about a mosquitto broker that the gateway keeps devices out of. Each is tried again. */
export class MosquittoError extends GatewayError {
  override name = "MosquittoError"
  override readonly code: string = "MOSQUITTO"
}

/** No process could be told to read its CRL again. */
export class MosquittoReloadError extends MosquittoError {
  override name = "MosquittoReloadError" as const
  override readonly code = "MOSQUITTO_RELOAD"

  constructor({ pidFile, reason, cause }: { pidFile: string; reason: string; cause?: unknown }) {
    super(`mosquitto cannot be told to read its CRL again: ${pidFile} ${reason}.`, {
      hint: "Does the broker run, does pid_file in mosquitto.conf name this file, and may this user signal the process?",
      docs: "docs/errors.md#mosquitto-reload",
      cause,
    })
  }
}

/** The broker cannot be reached, or does not answer in time. */
export class MosquittoUnreachableError extends MosquittoError {
  override name = "MosquittoUnreachableError" as const
  override readonly code = "MOSQUITTO_UNREACHABLE"

  constructor({ url, reason, cause }: { url: string; reason: string; cause?: unknown }) {
    super(`The broker at ${url} cannot be told whom to cut off: ${reason}.`, {
      hint: "Connected devices that were revoked may still be connected. Check the address, the password and the certificates.",
      docs: "docs/errors.md#mosquitto-unreachable",
      cause,
    })
  }
}

/** The broker's dynamic security plugin did not do what it was told. */
export class MosquittoRefusedError extends MosquittoError {
  override name = "MosquittoRefusedError" as const
  override readonly code = "MOSQUITTO_REFUSED"

  constructor({ url, reason }: { url: string; reason: string }) {
    super(`The broker at ${url} did not disable or enable all clients: ${reason}.`, {
      hint: "The user needs the plugin's role admin, or one that may publish to $CONTROL/dynamic-security/v1 and receive its answers.",
      docs: "docs/errors.md#mosquitto-refused",
    })
  }
}
