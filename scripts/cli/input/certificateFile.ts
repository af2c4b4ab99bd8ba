import type { Certificate } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"

type Library = Pick<OpenLedger, "client" | "node">

/** Larger than any certificate with `openssl x509 -text` in front of it. */
const MAX_BYTES = 256 * 1024

/** The bytes of a certificate's file, which may be malformed. @throws InputPathError, FleetFileError */
export function readCertificateBytes({ node }: Pick<Library, "node">, path: string): Promise<Uint8Array> {
  return node.readRegularFile(path, { maximumBytes: MAX_BYTES })
}

/** The one certificate in a file. @throws as {@link readCertificateBytes}, and X509Error */
export async function readCertificate({ client, node }: Library, path: string): Promise<Certificate> {
  return client.parseCertificate(client.readOneCertificate(await readCertificateBytes({ node }, path)))
}
