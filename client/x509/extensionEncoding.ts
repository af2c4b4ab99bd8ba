import { AsnConvert } from "@peculiar/asn1-schema"
import {
  AccessDescription,
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CRLDistributionPoints,
  DistributionPoint,
  DistributionPointName,
  ExtendedKeyUsage,
  GeneralName,
  id_ad_caIssuers,
  id_ad_ocsp,
  KeyIdentifier,
  KeyUsage as KeyUsageBits,
  KeyUsageFlags,
  SubjectKeyIdentifier,
} from "@peculiar/asn1-x509"
import { CertificateFieldError } from "../errors/x509.ts"
import type { CertificateExtension, KeyUsage } from "./extensions.ts"
import { OID } from "./oids.ts"

/** BasicConstraints, critical. RFC 5280, 4.2.1.9. */
export function basicConstraints({ ca, pathLength }: { ca: boolean; pathLength?: number }): CertificateExtension {
  const value = new BasicConstraints(pathLength === undefined ? { cA: ca } : { cA: ca, pathLenConstraint: pathLength })
  return { oid: OID.basicConstraints, critical: true, value: encoded(value) }
}

/** KeyUsage, critical. RFC 5280, 4.2.1.3. */
export function keyUsage(usages: readonly KeyUsage[]): CertificateExtension {
  const flags = usages.reduce((sum, usage) => sum | KeyUsageFlags[usage], 0)
  return { oid: OID.keyUsage, critical: true, value: encoded(new KeyUsageBits(flags)) }
}

/** ExtendedKeyUsage from dotted OIDs. RFC 5280, 4.2.1.12. */
export function extendedKeyUsage(purposes: readonly string[]): CertificateExtension {
  return { oid: OID.extendedKeyUsage, critical: false, value: encoded(new ExtendedKeyUsage([...purposes])) }
}

/** SubjectKeyIdentifier. RFC 5280, 4.2.1.2. */
export function subjectKeyIdentifier(identifier: Uint8Array): CertificateExtension {
  return { oid: OID.subjectKeyIdentifier, critical: false, value: encoded(new SubjectKeyIdentifier(fresh(identifier))) }
}

/** AuthorityKeyIdentifier with the key identifier alone. RFC 5280, 4.2.1.1. */
export function authorityKeyIdentifier(identifier: Uint8Array): CertificateExtension {
  const value = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(fresh(identifier)) })
  return { oid: OID.authorityKeyIdentifier, critical: false, value: encoded(value) }
}

/** Where to ask for the status, and where the issuer's certificate is. RFC 5280, 4.2.2.1. */
export function authorityInfoAccess({ ocsp, issuers }: { ocsp?: string; issuers?: string }): CertificateExtension {
  const descriptions: AccessDescription[] = []
  if (ocsp !== undefined) descriptions.push(access(id_ad_ocsp, uri("aiaOcsp", ocsp)))
  if (issuers !== undefined) descriptions.push(access(id_ad_caIssuers, uri("aiaIssuers", issuers)))
  const value = encoded(new AuthorityInfoAccessSyntax(descriptions))
  return { oid: OID.authorityInfoAccess, critical: false, value }
}

/** Where the CRL is. RFC 5280, 4.2.1.13. */
export function crlDistributionPoint(url: string): CertificateExtension {
  return { oid: OID.crlDistributionPoints, critical: false, value: distributionPointAt("crlUrl", url) }
}

/** Where the delta CRL is. RFC 5280, 4.2.1.15. */
export function freshestCrl(url: string): CertificateExtension {
  return { oid: OID.freshestCrl, critical: false, value: distributionPointAt("deltaCrlUrl", url) }
}

function distributionPointAt(field: string, url: string): Uint8Array {
  const distributionPoint = new DistributionPointName({ fullName: [uri(field, url)] })
  return encoded(new CRLDistributionPoints([new DistributionPoint({ distributionPoint })]))
}

function access(accessMethod: string, accessLocation: GeneralName): AccessDescription {
  return new AccessDescription({ accessMethod, accessLocation })
}

// RFC 5280, 4.2.1.6: an IA5String that is an absolute URI. Schemes other than http(s) have no reader here.
function uri(field: string, url: string): GeneralName {
  if (!/^https?:\/\/[!-~]{1,2000}$/.test(url)) {
    throw new CertificateFieldError({
      field,
      value: JSON.stringify(url) ?? "undefined",
      allowed: "an http(s) URL in ASCII",
    })
  }
  return new GeneralName({ uniformResourceIdentifier: url })
}

function encoded(value: object): Uint8Array {
  return new Uint8Array(AsnConvert.serialize(value))
}

function fresh(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
