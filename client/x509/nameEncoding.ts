import { AsnConvert } from "@peculiar/asn1-schema"
import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from "@peculiar/asn1-x509"
import { CertificateFieldError } from "../errors/x509.ts"

/** The parts of a Name that this library writes. All are 1 to 64 characters. */
export type SubjectName = {
  commonName: string
  organization?: string
  /** The X.520 attribute, such as a device's own serial; not the certificate's. Letters, digits and ' ()+,-./:=? only. */
  serialNumber?: string
}

const MAXIMUM_CHARACTERS = 64
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/

/**
 * A Name in DER, most general part first: O, CN, serialNumber. RFC 5280, 4.1.2.4 and appendix A (upper bounds).
 *
 * @throws {@link CertificateFieldError}
 */
export function encodeName({ commonName, organization, serialNumber }: SubjectName): Uint8Array {
  const name = new Name()
  if (organization !== undefined) name.push(part("2.5.4.10", { utf8String: checked("organization", organization) }))
  name.push(part("2.5.4.3", { utf8String: checked("commonName", commonName) }))
  if (serialNumber !== undefined) {
    const printableString = checked("serialNumber", serialNumber)
    if (!PRINTABLE.test(printableString)) {
      throw new CertificateFieldError({
        field: "serialNumber",
        value: JSON.stringify(serialNumber),
        allowed: "PrintableString",
      })
    }
    name.push(part("2.5.4.5", { printableString }))
  }
  return new Uint8Array(AsnConvert.serialize(name))
}

function part(type: string, value: ConstructorParameters<typeof AttributeValue>[0]): RelativeDistinguishedName {
  return new RelativeDistinguishedName([new AttributeTypeAndValue({ type, value: new AttributeValue(value) })])
}

function checked(field: string, text: string): string {
  const characters = typeof text === "string" && text.isWellFormed() ? Array.from(text).length : 0
  if (characters >= 1 && characters <= MAXIMUM_CHARACTERS) return text
  throw new CertificateFieldError({
    field,
    value: JSON.stringify(text) ?? "undefined",
    allowed: "text of 1 to 64 characters",
  })
}
