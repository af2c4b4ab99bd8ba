import { FleetrootError } from "../../client/index.ts"

/** The parent of every error about running a gateway: its settings, its addresses, what it keeps. */
export class GatewayError extends FleetrootError {
  override name = "GatewayError"
  override readonly code: string = "GATEWAY"
}

/** Two parts of the gateway want one address. */
export class RouteConflictError extends GatewayError {
  override name = "RouteConflictError" as const
  override readonly code = "ROUTE_CONFLICT"

  constructor({ method, path }: { method: string; path: string }) {
    super(`Two routes answer ${method} ${path}.`, {
      hint: "Give each a path or methods of its own.",
      docs: "docs/errors.md#route-conflict",
    })
  }
}

/** A setting of the gateway is missing, unknown or not what it must be. */
export class GatewayConfigError extends GatewayError {
  override name = "GatewayConfigError" as const
  override readonly code = "GATEWAY_CONFIG"
  /** Its name, such as `issuers[0].key`. */
  readonly field: string
  readonly expected: string
  readonly found: string

  constructor({ field, expected, found, cause }: { field: string; expected: string; found: string; cause?: unknown }) {
    super(`The gateway's setting ${field} should be ${expected}; found ${found}.`, {
      hint: "docs/deployment.md lists the settings.",
      docs: "docs/errors.md#gateway-config",
      cause,
    })
    this.field = field
    this.expected = expected
    this.found = found
  }
}

/** A reverse proxy's address is none. */
export class ProxyAddressInvalidError extends GatewayError {
  override name = "ProxyAddressInvalidError" as const
  override readonly code = "PROXY_ADDRESS_INVALID"

  constructor({ found }: { found: string }) {
    super(`${JSON.stringify(found)} is neither an IP address nor a network such as 10.0.0.0/8.`, {
      hint: "Name the reverse proxies by their addresses.",
      docs: "docs/errors.md#proxy-address-invalid",
    })
  }
}

/** The gateway cannot listen where it was told to. */
export class ListenFailedError extends GatewayError {
  override name = "ListenFailedError" as const
  override readonly code = "LISTEN_FAILED"
  readonly address: string

  constructor({ address, reason, cause }: { address: string; reason: string; cause: unknown }) {
    super(`Cannot listen on ${address}: ${reason}.`, {
      hint: "Is another program there, or is the address not this machine's? Ports below 1024 may need rights.",
      docs: "docs/errors.md#listen-failed",
      cause,
    })
    this.address = address
  }
}

/** The TLS certificate or key of the gateway cannot be used. */
export class TlsCredentialsUnfitError extends GatewayError {
  override name = "TlsCredentialsUnfitError" as const
  override readonly code = "TLS_CREDENTIALS_UNFIT"
  readonly reason: string

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`The TLS certificate and key cannot be used: ${reason}.`, {
      hint: "Give PEM files that belong together: the certificate with its chain, and its unencrypted key.",
      docs: "docs/errors.md#tls-credentials-unfit",
      cause,
    })
    this.reason = reason
  }
}
