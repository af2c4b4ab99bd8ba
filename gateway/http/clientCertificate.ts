import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"

const known = new WeakMap<TLSSocket, Uint8Array>()

/**
 * DER of the certificate whose key the client used in this very connection; undefined without one.
 *
 * Never asks `authorized`: in some versions of Node a resumed TLS 1.3 session makes that true for a client without a certificate. Nor does a resumed
 * session show the certificate of the one before: its key took no part in this connection.
 */
export function clientCertificateOf(socket: Socket): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket) || socket.isSessionReused()) return undefined
  const remembered = known.get(socket)
  if (remembered !== undefined) return remembered
  const raw = socket.getPeerX509Certificate()?.raw
  if (raw === undefined) return undefined
  const der = new Uint8Array(raw)
  known.set(socket, der)
  return der
}
