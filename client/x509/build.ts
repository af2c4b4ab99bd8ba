import type { BuildCertificateParameters, BuildCsrParameters } from "./certificateBuilder.ts"

export type { BuildCertificateParameters, BuildCsrParameters } from "./certificateBuilder.ts"

// Whoever checks certificates builds none: what encodes them is loaded by the first that is built.

/**
 * Makes and signs a v3 certificate, for a device or (with `ca`) for an issuing CA. RFC 5280, 4.1 and 4.2.
 *
 * Key identifiers are the whole key id (RFC 7093, 2, method 4), so that the issuer key is found on the ledger from the
 * certificate alone. The issuer's Name goes in octet for octet.
 *
 * @throws {@link CertificateFieldError} {@link PublicKeyInvalidError}
 * @throws {@link DerError} {@link CertificateMalformedError} when a Name or extension given in DER is malformed.
 */
export async function buildCertificate(parameters: BuildCertificateParameters): Promise<Uint8Array> {
  const builder = await import("./certificateBuilder.ts")
  return builder.buildCertificate(parameters)
}

/**
 * Makes and signs a certificate request (PKCS #10). RFC 2986.
 *
 * @throws {@link CertificateFieldError}
 */
export async function buildCsr(parameters: BuildCsrParameters): Promise<Uint8Array> {
  const builder = await import("./certificateBuilder.ts")
  return builder.buildCsr(parameters)
}
