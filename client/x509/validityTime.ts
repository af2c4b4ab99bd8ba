import { CertificateMalformedError } from "../errors/x509.ts"
import { DER } from "../crypto/strictDer.ts"

/**
 * A Time of RFC 5280, 4.1.2.5, as Unix seconds: UTCTime "YYMMDDHHMMSSZ" for 1950 to 2049, GeneralizedTime
 * "YYYYMMDDHHMMSSZ". Always in UTC, with seconds and without fractions; the day must exist.
 *
 * @throws {@link CertificateMalformedError}
 */
export function readTime(tag: number, content: Uint8Array, field: string): number {
  const yearDigits = tag === DER.generalizedTime ? 4 : 2
  if (content.length !== yearDigits + 11 || content[content.length - 1] !== 0x5a) {
    throw new CertificateMalformedError({ field, reason: "is not a time in UTC to the second" })
  }
  const pair = (index: number) => digit(content, index, field) * 10 + digit(content, index + 1, field)
  const short = pair(0)
  // RFC 5280, 4.1.2.5.1: 50 to 99 are 1950 to 1999.
  const year = yearDigits === 4 ? short * 100 + pair(2) : short + (short >= 50 ? 1900 : 2000)
  const month = pair(yearDigits)
  const day = pair(yearDigits + 2)
  const hour = pair(yearDigits + 4)
  const minute = pair(yearDigits + 6)
  const second = pair(yearDigits + 8)

  const exists = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
  if (!exists || hour > 23 || minute > 59 || second > 59) {
    throw new CertificateMalformedError({ field, reason: "is a date or time that does not exist" })
  }
  return (daysBefore(year, month) + day - 1) * 86_400 + hour * 3600 + minute * 60 + second
}

function digit(content: Uint8Array, index: number, field: string): number {
  const value = (content[index] as number) - 0x30
  if (value < 0 || value > 9)
    throw new CertificateMalformedError({ field, reason: "is not a time in UTC to the second" })
  return value
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

function daysIn(year: number, month: number): number {
  return month === 2 && isLeap(year) ? 29 : (MONTH_DAYS[month - 1] as number)
}

// Days from 1970-01-01 to the first of the month, in the Gregorian calendar carried back.
function daysBefore(year: number, month: number): number {
  const past = year - 1
  const leapDays = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400) - 477
  const thisYear = (DAYS_BEFORE_MONTH[month - 1] as number) + (month > 2 && isLeap(year) ? 1 : 0)
  return (year - 1970) * 365 + leapDays + thisYear
}
