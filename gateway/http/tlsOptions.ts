import { constants } from "node:crypto"
import { createSecureContext } from "node:tls"
import type { TlsOptions } from "node:tls"
import { TlsCredentialsUnfitError } from "../errors/gateway.ts"
import type { HttpLimits } from "./limits.ts"

/** PEM texts: the certificate with its chain, and its key. */
export type TlsCredentials = { readonly certificate: string; readonly key: string }

/**
 * TLS 1.2 and 1.3; a client may show any certificate, or none: whether it counts is decided by the ledger for each connection.
 *
 * Sessions are not resumed, so a certificate that was proven is one that was proven in this connection; nor is a connection
 * negotiated anew, which could change it halfway.
 *
 * @throws TlsCredentialsUnfitError
 */
export function tlsOptions(
  { certificate, key }: TlsCredentials,
  limits: Pick<HttpLimits, "headersSeconds">,
): TlsOptions {
  const context = {
    cert: certificate,
    key,
    minVersion: "TLSv1.2" as const,
    // Without tickets nothing is resumed: there is no session cache here either.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  }
  for (const [what, pem] of Object.entries({ certificate, key })) {
    if (!pem.includes("-----BEGIN ")) throw new TlsCredentialsUnfitError({ reason: `the ${what} is no PEM` })
  }
  try {
    createSecureContext(context)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new TlsCredentialsUnfitError({ reason, cause })
  }
  return {
    ...context,
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: limits.headersSeconds * 1000,
    ALPNProtocols: ["http/1.1"],
  }
}
