import type { Hex } from "../../client/index.ts"
import { RequestInvalidError } from "../errors/gateway.ts"

export { RequestInvalidError } from "../errors/gateway.ts"

const UINT32 = 0xffff_ffff

/** 32 octets in hex, with or without 0x. @throws RequestInvalidError */
export function hashParameter(parameter: string, text: string): Hex {
  const digits = /^(?:0x)?([0-9a-fA-F]{64})$/.exec(text)?.[1]
  if (digits !== undefined) return `0x${digits.toLowerCase()}`
  throw new RequestInvalidError({ parameter, expected: "64 hexadecimal digits" })
}

/** A manufacturer's id or a series. @throws RequestInvalidError */
export function uint32Parameter(parameter: string, text: string): number {
  const value = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= UINT32) return value
  throw new RequestInvalidError({ parameter, expected: `an integer from 1 to ${UINT32}` })
}
