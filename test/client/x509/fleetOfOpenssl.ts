import type { OpensslFolder } from "./openssl.ts"

/** A CA and a device certificate below it, both made by the `openssl` command alone. */
export type OpensslCase = {
  name: string
  /** Arguments of genpkey for the CA's key. */
  key: string[]
  /** More arguments for signing. */
  signing: string[]
  keyAlgorithm: string
  signatureAlgorithm: string
}

const EC = (curve: string) => ["-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`]
const RSA = (bits: number) => ["-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${bits}`]
const PSS = (hash: string) => [`-${hash}`, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]

/** Every kind of CA that this library verifies. */
export const OPENSSL_CASES: readonly OpensslCase[] = [
  { name: "P-256", key: EC("P-256"), signing: [], keyAlgorithm: "p256", signatureAlgorithm: "ecdsa-sha256" },
  {
    name: "P-256 with SHA-384",
    key: EC("P-256"),
    signing: ["-sha384"],
    keyAlgorithm: "p256",
    signatureAlgorithm: "ecdsa-sha384",
  },
  { name: "P-384", key: EC("P-384"), signing: ["-sha384"], keyAlgorithm: "p384", signatureAlgorithm: "ecdsa-sha384" },
  {
    name: "P-384 with SHA-256",
    key: EC("P-384"),
    signing: ["-sha256"],
    keyAlgorithm: "p384",
    signatureAlgorithm: "ecdsa-sha256",
  },
  {
    name: "P-384 with SHA-512",
    key: EC("P-384"),
    signing: ["-sha512"],
    keyAlgorithm: "p384",
    signatureAlgorithm: "ecdsa-sha512",
  },
  {
    name: "RSA-2048 PKCS#1",
    key: RSA(2048),
    signing: ["-sha256"],
    keyAlgorithm: "rsa",
    signatureAlgorithm: "rsa-pkcs1-sha256",
  },
  {
    name: "RSA-3072 PKCS#1 SHA-512",
    key: RSA(3072),
    signing: ["-sha512"],
    keyAlgorithm: "rsa",
    signatureAlgorithm: "rsa-pkcs1-sha512",
  },
  {
    name: "RSA-2048 PSS",
    key: RSA(2048),
    signing: PSS("sha256"),
    keyAlgorithm: "rsa",
    signatureAlgorithm: "rsa-pss-sha256",
  },
  {
    name: "RSA-3072 PSS SHA-384",
    key: RSA(3072),
    signing: PSS("sha384"),
    keyAlgorithm: "rsa",
    signatureAlgorithm: "rsa-pss-sha384",
  },
  {
    name: "Ed25519",
    key: ["-algorithm", "ed25519"],
    signing: [],
    keyAlgorithm: "ed25519",
    signatureAlgorithm: "ed25519",
  },
]

export const DEVICE_EXTENSIONS = [
  "basicConstraints=critical,CA:FALSE",
  "keyUsage=critical,digitalSignature,keyAgreement",
  "extendedKeyUsage=clientAuth,serverAuth",
  "subjectKeyIdentifier=hash",
  "authorityKeyIdentifier=keyid",
  "subjectAltName=DNS:device.example,URI:urn:dev:1",
].join("\n")

/** Makes ca.key, ca.pem, device.key, device.csr and device.pem in `folder`. The device's key is of the same kind. */
export function makeOpensslFleet(folder: OpensslFolder, { key, signing }: OpensslCase): void {
  folder.write("device.ext", DEVICE_EXTENSIONS)
  folder.run("genpkey", ...key, "-out", "ca.key")
  const ca = ["-subj", "/O=Bar Works/CN=Bar CA", "-days", "3650", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
  folder.run("req", "-x509", "-new", "-key", "ca.key", "-out", "ca.pem", ...ca, ...signing)
  folder.run("genpkey", ...key, "-out", "device.key")
  folder.run("req", "-new", "-key", "device.key", "-subj", "/CN=device 1", "-out", "device.csr", ...signing)
  const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "365", "-extfile", "device.ext"]
  folder.run("x509", "-req", "-in", "device.csr", "-out", "device.pem", ...authority, ...signing)
}
