import { DER, DerReader, oidText, toHex, type Certificate, type Hex } from "../../client/index.ts"

const COMMON_NAME = "2.5.4.3"

/**
 * Finds user names by certificate, as mosquitto has them with `use_identity_as_username`: the first common name of the subject.
 *
 * @param issuerKeyIdOf The key that issued a certificate.
 */
export function usernamesFromCertificates(
  certificates: Iterable<Certificate>,
  issuerKeyIdOf: (certificate: Certificate) => Hex,
): (issuerKeyId: Hex, serial: Hex) => readonly string[] {
  const names = new Map<string, string[]>()
  for (const certificate of certificates) {
    const commonName = commonNameOf(certificate.subjectDer)
    if (commonName === undefined) continue
    const key = `${issuerKeyIdOf(certificate)}:${toHex(certificate.serial)}`
    names.set(key, [...(names.get(key) ?? []), commonName])
  }
  return (issuerKeyId, serial) => names.get(`${issuerKeyId}:${serial}`) ?? []
}

/** The first common name of a Name in DER; undefined if it has none in a character set of today. */
export function commonNameOf(nameDer: Uint8Array): string | undefined {
  const name = new DerReader(nameDer).enter(DER.sequence, "Name")
  while (name.nextTag !== -1) {
    const relative = name.enter(DER.set, "RelativeDistinguishedName")
    while (relative.nextTag !== -1) {
      const attribute = relative.enter(DER.sequence, "AttributeTypeAndValue")
      const oid = oidText(attribute.content(attribute.read(DER.oid, "type")))
      const { nextTag } = attribute
      const value = attribute.content(attribute.read(nextTag, "value"))
      // UTF8String, PrintableString, IA5String.
      const isText = nextTag === DER.utf8String || nextTag === 0x13 || nextTag === 0x16
      if (oid === COMMON_NAME && isText) return new TextDecoder().decode(value)
    }
  }
  return undefined
}
