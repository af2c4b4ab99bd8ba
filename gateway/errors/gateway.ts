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

type Conflicting = {
  readonly issuerKeyId: string
  readonly serial: string
  readonly credentialHash: string
  readonly place: { readonly manufacturerId: number; readonly series: number; readonly index: number } | undefined
}

/** One serial number of one issuer was told of two certificates, or one certificate of two places. */
export class SerialConflictError extends GatewayError {
  override name = "SerialConflictError" as const
  override readonly code = "SERIAL_CONFLICT"
  readonly issuerKeyId: string
  readonly serial: string
  readonly known: string
  readonly told: string

  constructor({ known, told, what }: { known: Conflicting; told: Conflicting; what: "certificate" | "place" }) {
    const [before, now] = [known, told].map((entry) =>
      what === "certificate" ? `credential ${entry.credentialHash}` : placeText(entry.place),
    ) as [string, string]
    super(`Serial number ${told.serial} of issuer ${told.issuerKeyId} is known for ${before}, not for ${now}.`, {
      hint: "Nothing was added. A CA uses a serial number once, and a credential has one place: find out which of the two is real.",
      docs: "docs/errors.md#serial-conflict",
    })
    this.issuerKeyId = told.issuerKeyId
    this.serial = told.serial
    this.known = before
    this.told = now
  }
}

function placeText(place: Conflicting["place"]): string {
  if (place === undefined) return "no place"
  return `place ${place.index} of batch ${place.series} of manufacturer ${place.manufacturerId}`
}

/** What the gateway keeps cannot be opened, read or written. */
export class SerialStoreUnusableError extends GatewayError {
  override name = "SerialStoreUnusableError" as const
  override readonly code = "SERIAL_STORE_UNUSABLE"
  readonly store: string
  readonly reason: string

  constructor({ store, reason, cause }: { store: string; reason: string; cause?: unknown }) {
    super(`The gateway's store ${store} cannot be used: ${reason}.`, {
      hint: "Make room, give access, or start the database. If the file is damaged, import the certificates anew into a fresh one.",
      docs: "docs/errors.md#serial-store-unusable",
      cause,
    })
    this.store = store
    this.reason = reason
  }
}

/** A database holds something else, or was made by a newer version. */
export class SerialStoreForeignError extends GatewayError {
  override name = "SerialStoreForeignError" as const
  override readonly code = "SERIAL_STORE_FOREIGN"

  constructor({ store, found }: { store: string; found: string }) {
    super(`${store} is no gateway's store of this version: it is ${found}.`, {
      hint: "Name another file or database, or use the version that made it.",
      docs: "docs/errors.md#serial-store-foreign",
    })
  }
}

/** A request of the JSON API has a parameter that is unknown, or not what it must be. */
export class RequestInvalidError extends GatewayError {
  override name = "RequestInvalidError" as const
  override readonly code = "REQUEST_INVALID"
  readonly parameter: string

  constructor({ parameter, expected }: { parameter: string; expected: string }) {
    super(`The parameter ${JSON.stringify(parameter.slice(0, 80))} should be ${expected}.`, {
      hint: "/v1/openapi.json describes the API.",
      docs: "docs/errors.md#request-invalid",
    })
    this.parameter = parameter
  }
}

/** A request of the JSON API has a body of a kind that is not read there. */
export class MediaTypeUnknownError extends GatewayError {
  override name = "MediaTypeUnknownError" as const
  override readonly code = "MEDIA_TYPE_UNKNOWN"

  constructor({ expected }: { expected: string }) {
    super(`The Content-Type of the request should be ${expected}.`, {
      hint: "/v1/openapi.json describes the API.",
      docs: "docs/errors.md#media-type-unknown",
    })
  }
}

/** A manifest that the gateway was given cannot be read (again). */
export class ManifestUnreadableError extends GatewayError {
  override name = "ManifestUnreadableError" as const
  override readonly code = "MANIFEST_UNREADABLE"

  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super(`A manifest cannot be read: ${reason}`, {
      hint: "Is the file or the web server of `manifests` still there, and as it was? Asked again, the gateway reads it again.",
      docs: "docs/errors.md#manifest-unreadable",
      cause,
    })
  }
}
