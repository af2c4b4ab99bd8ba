/** Whether an If-None-Match header names this entity. RFC 9110, 13.1.2. */
export function matchesEntity(ifNoneMatch: string | undefined, entityTag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const named = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""))
  return named.includes(entityTag) || named.includes("*")
}

/** IMF-fixdate of Unix seconds. RFC 9110, 5.6.7. */
export function httpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}
