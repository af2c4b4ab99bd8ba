import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"

const LABEL = "EXPORTER-Channel-Binding"
const EXPORTED_OCTETS = 32

/**
 * What names this TLS connection to both of its ends, and to nobody in between: tls-exporter in TLS 1.3 (RFC 9266), tls-unique in
 * TLS 1.2 (RFC 5929). Undefined where there is none: without TLS, or on a resumed session, where tls-unique is known to be forgeable.
 */
export function channelBindingOf(socket: Socket): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket) || socket.isSessionReused()) return undefined
  const protocol = socket.getProtocol()
  if (protocol === "TLSv1.3") {
    return new Uint8Array(socket.exportKeyingMaterial(EXPORTED_OCTETS, LABEL, Buffer.alloc(0)))
  }
  // The first Finished of a full handshake is the client's.
  const finished = protocol === "TLSv1.2" ? socket.getPeerFinished() : undefined
  return finished === undefined ? undefined : new Uint8Array(finished)
}
