import { ecdsa, weierstrass } from "@noble/curves/abstract/weierstrass.js"
import type { ECDSA, WeierstrassOpts } from "@noble/curves/abstract/weierstrass.js"
import { sha256, sha384 } from "@noble/hashes/sha2.js"

/** What a curve of NIST is made of: y² = x³ - 3x + b over the integers below p, cofactor 1 (SP 800-186, 3.2.1). */
type Domain = { readonly p: bigint; readonly b: bigint; readonly n: bigint; readonly Gx: bigint; readonly Gy: bigint }

export type NistCurve = "p256" | "p384"

export const NIST_DOMAINS: Readonly<Record<NistCurve, Domain>> = {
  p256: {
    p: 0xffffffff_00000001_00000000_00000000_00000000_ffffffff_ffffffff_ffffffffn,
    b: 0x5ac635d8_aa3a93e7_b3ebbd55_769886bc_651d06b0_cc53b0f6_3bce3c3e_27d2604bn,
    n: 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n,
    Gx: 0x6b17d1f2_e12c4247_f8bce6e5_63a440f2_77037d81_2deb33a0_f4a13945_d898c296n,
    Gy: 0x4fe342e2_fe1a7f9b_8ee7eb4a_7c0f9e16_2bce3357_6b315ece_cbb64068_37bf51f5n,
  },
  p384: {
    p: 0xffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_fffffffe_ffffffff_00000000_00000000_ffffffffn,
    b: 0xb3312fa7_e23ee7e4_988e056b_e3f82d19_181d9c6e_fe814112_0314088f_5013875a_c656398d_8a2ed19d_2a85c8ed_d3ec2aefn,
    n: 0xffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_c7634d81_f4372ddf_581a0db2_48b0a77a_ecec196a_ccc52973n,
    Gx: 0xaa87ca22_be8b0537_8eb1c71e_f320ad74_6e1d3b62_8ba79b98_59f741e0_82542a38_5502f25d_bf55296c_3a545e38_72760ab7n,
    Gy: 0x3617de4a_96262c6f_5d9e98bf_9292dc29_f8f41dbd_289a147c_e9da3113_b5f0b8c0_0a60b1ce_1d7e819d_7a431d7c_90ea0e5fn,
  },
}

const made = new Map<NistCurve, ECDSA>()

/** The library's ECDSA on a curve. Its ready-made curves bring all protocols that it knows of, and take 25 ms to load. */
export function nistEcdsa(name: NistCurve): ECDSA {
  const known = made.get(name)
  if (known !== undefined) return known
  const domain = NIST_DOMAINS[name]
  const curve: WeierstrassOpts<bigint> = { ...domain, h: 1n, a: domain.p - 3n }
  const ready = ecdsa(weierstrass(curve), name === "p256" ? sha256 : sha384)
  made.set(name, ready)
  return ready
}
