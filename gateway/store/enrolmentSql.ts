import { fromHex, parseCertificate, type Hex } from "../../client/index.ts"
import type {
  ClaimOutcome,
  Enrolment,
  EnrolmentClaim,
  EnrolmentPlace,
  EnrolmentStore,
  EnrolmentToken,
  OpenWindowParameters,
  SealedWindow,
  SealParameters,
  Supersession,
  WindowPlace,
} from "./enrolmentStore.ts"

/** What goes into a statement, and what comes out of one: text, whole numbers, octets, or nothing. */
export type SqlValue = string | number | Uint8Array | null
export type SqlRow = Readonly<Record<string, SqlValue>>

/** Runs one statement; parameters stand as `?`. Gives the rows that it returns. */
export type SqlQuery = (statement: string, parameters?: readonly SqlValue[]) => Promise<SqlRow[]>

/** A database that knows transactions, unique keys, ON CONFLICT and RETURNING: SQLite and PostgreSQL do. */
export interface SqlDatabase {
  /** Runs work whose statements take effect together, or not at all if it throws. */
  transaction<T>(work: (query: SqlQuery) => Promise<T>): Promise<T>
  query: SqlQuery
  close(): Promise<void>
}

/** The tables; `blob` is the database's word for octets. */
export function enrolmentSchema(blob: "BLOB" | "BYTEA"): readonly string[] {
  return [
    "CREATE TABLE IF NOT EXISTS est_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    `CREATE TABLE IF NOT EXISTS est_window (
      manufacturer_id BIGINT NOT NULL, series BIGINT NOT NULL, issuer_key_id TEXT NOT NULL,
      state TEXT NOT NULL, owner TEXT NOT NULL, lease_until BIGINT NOT NULL,
      root TEXT, size BIGINT, not_after BIGINT,
      PRIMARY KEY (manufacturer_id, series))`,
    "CREATE INDEX IF NOT EXISTS est_window_state ON est_window (state)",
    `CREATE TABLE IF NOT EXISTS est_claim (
      request_id TEXT PRIMARY KEY, manufacturer_id BIGINT NOT NULL, series BIGINT NOT NULL)`,
    "CREATE INDEX IF NOT EXISTS est_claim_window ON est_claim (manufacturer_id, series)",
    `CREATE TABLE IF NOT EXISTS est_name (
      name TEXT PRIMARY KEY, request_id TEXT NOT NULL, manufacturer_id BIGINT NOT NULL, series BIGINT NOT NULL)`,
    "CREATE INDEX IF NOT EXISTS est_name_window ON est_name (manufacturer_id, series)",
    // Who else has a name by right: it stays taken when the window of the first comes to nothing.
    `CREATE TABLE IF NOT EXISTS est_shared_name (
      name TEXT NOT NULL, request_id TEXT NOT NULL, holder TEXT NOT NULL,
      manufacturer_id BIGINT NOT NULL, series BIGINT NOT NULL, PRIMARY KEY (name, request_id))`,
    "CREATE INDEX IF NOT EXISTS est_shared_name_window ON est_shared_name (manufacturer_id, series)",
    `CREATE TABLE IF NOT EXISTS est_certificate (
      request_id TEXT PRIMARY KEY, manufacturer_id BIGINT NOT NULL, series BIGINT NOT NULL, place BIGINT NOT NULL,
      fingerprint TEXT NOT NULL UNIQUE, credential_hash TEXT NOT NULL UNIQUE, der ${blob} NOT NULL,
      issued_at BIGINT NOT NULL, replaces TEXT, used_at BIGINT, superseded_at BIGINT, told BIGINT NOT NULL DEFAULT 0,
      UNIQUE (manufacturer_id, series, place))`,
    "CREATE INDEX IF NOT EXISTS est_certificate_replaces ON est_certificate (replaces)",
    "CREATE INDEX IF NOT EXISTS est_certificate_superseded ON est_certificate (superseded_at) WHERE told = 0",
    // Marks of the ledger may name a key.
    "CREATE TABLE IF NOT EXISTS est_device_key (request_id TEXT PRIMARY KEY, key_id TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS est_device_key_id ON est_device_key (key_id)",
    `CREATE TABLE IF NOT EXISTS est_predecessor (
      fingerprint TEXT PRIMARY KEY, credential_hash TEXT NOT NULL, manufacturer_id BIGINT NOT NULL,
      series BIGINT NOT NULL, place BIGINT NOT NULL, superseded_at BIGINT, told BIGINT NOT NULL DEFAULT 0)`,
    `CREATE TABLE IF NOT EXISTS est_token (
      hash TEXT PRIMARY KEY, label TEXT NOT NULL, subject TEXT, expires_at BIGINT NOT NULL, request_id TEXT)`,
  ]
}

/** Where certificates that can be superseded stand: those issued here, and those made elsewhere. */
const TABLES = ["est_certificate", "est_predecessor"] as const
/** What a window has of requests whose certificates are not written yet. */
const CLAIMS = ["est_claim", "est_name", "est_shared_name"] as const
const FIRST_RESERVED_SERIES = 0x8000_0000
const ROWS_AT_ONCE = 500

const ENROLMENT = `SELECT c.*, w.state, w.issuer_key_id, w.root, w.size, w.not_after
  FROM est_certificate c JOIN est_window w ON w.manufacturer_id = c.manufacturer_id AND w.series = c.series`

/** {@link EnrolmentStore} in the SQL that SQLite and PostgreSQL share. */
export class SqlEnrolmentStore implements EnrolmentStore {
  readonly #database: SqlDatabase

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  async openWindow(parameters: OpenWindowParameters): Promise<number> {
    const { manufacturerId, issuerKeyId, owner, leaseUntil, firstSeries } = parameters
    for (;;) {
      // Of two gateways that saw the same last series one gets the row; the other looks again.
      const [row] = await this.#database.query(
        `INSERT INTO est_window (manufacturer_id, series, issuer_key_id, state, owner, lease_until)
         SELECT CAST(? AS BIGINT), CASE WHEN last >= CAST(? AS BIGINT) THEN last + 1 ELSE CAST(? AS BIGINT) END,
           CAST(? AS TEXT), 'open', CAST(? AS TEXT), CAST(? AS BIGINT)
         FROM (SELECT COALESCE(MAX(series), 0) AS last FROM est_window WHERE manufacturer_id = ?) AS known WHERE true
         ON CONFLICT DO NOTHING RETURNING series`,
        [
          manufacturerId,
          Math.max(firstSeries, FIRST_RESERVED_SERIES),
          Math.max(firstSeries, FIRST_RESERVED_SERIES),
          issuerKeyId,
          owner,
          leaseUntil,
          manufacturerId,
        ],
      )
      if (row !== undefined) return Number(row["series"])
    }
  }

  async claim({ manufacturerId, series }: WindowPlace, claims: readonly EnrolmentClaim[]): Promise<ClaimOutcome[]> {
    return this.#database.transaction(async (query) => {
      const outcomes = new Map<Hex, ClaimOutcome>()
      // In one order everywhere, so that two gateways never wait for each other.
      for (const claim of claims.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))) {
        outcomes.set(claim.requestId, await claimOne(query, claim, manufacturerId, series))
      }
      return claims.map(({ requestId }) => outcomes.get(requestId) ?? "elsewhere")
    })
  }

  async seal({ manufacturerId, series, owner, root, notAfter, certificates }: SealParameters): Promise<boolean> {
    return this.#database.transaction(async (query) => {
      const [mine] = await query(
        `UPDATE est_window SET state = 'sealed', root = ?, size = ?, not_after = ?
         WHERE manufacturer_id = ? AND series = ? AND state = 'open' AND owner = ? RETURNING series`,
        [root, certificates.length, notAfter, manufacturerId, series, owner],
      )
      if (mine === undefined) return false
      for (const some of portions(certificates)) {
        const rows = some.map(() => "(?, ?, ?, ?, ?, ?, ?, ?, ?)").join(", ")
        await query(
          `INSERT INTO est_certificate
           (request_id, manufacturer_id, series, place, fingerprint, credential_hash, der, issued_at, replaces) VALUES ${rows}`,
          some.flatMap((one) => [
            one.requestId,
            manufacturerId,
            series,
            one.index,
            one.fingerprint,
            one.credentialHash,
            one.der,
            one.issuedAt,
            one.replaces ?? null,
          ]),
        )
        await addKeys(query, some)
      }
      // A claim whose answer got lost on its way here would bar its request for ever.
      for (const table of CLAIMS) {
        await query(
          `DELETE FROM ${table} WHERE manufacturer_id = ? AND series = ? AND request_id NOT IN
           (SELECT request_id FROM est_certificate WHERE manufacturer_id = ? AND series = ?)`,
          [manufacturerId, series, manufacturerId, series],
        )
      }
      return true
    })
  }

  async abandon({ manufacturerId, series }: WindowPlace, from: "open" | "sealed"): Promise<boolean> {
    return this.#database.transaction(async (query) => {
      const [row] = await query(
        `UPDATE est_window SET state = 'abandoned' WHERE manufacturer_id = ? AND series = ? AND state = ? RETURNING series`,
        [manufacturerId, series, from],
      )
      if (row === undefined) return false
      await forgetWindow(query, manufacturerId, series)
      return true
    })
  }

  async setState({ manufacturerId, series }: WindowPlace, state: SealedWindow["state"]): Promise<void> {
    await this.#database.query(
      "UPDATE est_window SET state = ? WHERE manufacturer_id = ? AND series = ? AND state IN ('sealed', 'mined', 'displaced')",
      [state, manufacturerId, series],
    )
  }

  async renewLease(owner: string, leaseUntil: number): Promise<void> {
    await this.#database.query(
      "UPDATE est_window SET lease_until = ? WHERE owner = ? AND state IN ('open', 'sealed', 'mined', 'displaced')",
      [leaseUntil, owner],
    )
  }

  async takeOver(parameters: Parameters<EnrolmentStore["takeOver"]>[0]): Promise<SealedWindow[]> {
    const { owner, issuerKeyId, now, leaseUntil, restarted } = parameters
    return this.#database.transaction(async (query) => {
      const left = await query(
        `UPDATE est_window SET state = 'abandoned'
         WHERE issuer_key_id = ? AND state = 'open' AND (lease_until < ? OR (owner = ? AND ? = 1))
         RETURNING manufacturer_id, series`,
        [issuerKeyId, now, owner, restarted ? 1 : 0],
      )
      for (const row of left) await forgetWindow(query, Number(row["manufacturer_id"]), Number(row["series"]))
      await query(
        `UPDATE est_window SET owner = ?, lease_until = ?
         WHERE issuer_key_id = ? AND state IN ('sealed', 'mined', 'displaced') AND (lease_until < ? OR owner = ?)`,
        [owner, leaseUntil, issuerKeyId, now, owner],
      )
      const rows = await query(
        `SELECT * FROM est_window WHERE owner = ? AND issuer_key_id = ? AND state IN ('sealed', 'mined', 'displaced')
         ORDER BY manufacturer_id, series`,
        [owner, issuerKeyId],
      )
      return rows.map(windowOf)
    })
  }

  async byRequest(requestId: Hex): Promise<Enrolment | undefined> {
    const [row] = await this.#database.query(`${ENROLMENT} WHERE c.request_id = ?`, [requestId])
    return row && enrolmentOf(row)
  }

  async isClaimed(requestId: Hex): Promise<boolean> {
    const rows = await this.#database.query("SELECT request_id FROM est_claim WHERE request_id = ?", [requestId])
    return rows.length > 0
  }

  async byFingerprint(fingerprint: Hex): Promise<Enrolment | undefined> {
    const [row] = await this.#database.query(`${ENROLMENT} WHERE c.fingerprint = ?`, [fingerprint])
    return row && enrolmentOf(row)
  }

  async byCredential(credentialHash: Hex): Promise<Enrolment | undefined> {
    const [row] = await this.#database.query(`${ENROLMENT} WHERE c.credential_hash = ?`, [credentialHash])
    return row && enrolmentOf(row)
  }

  async placesOf(subject: Hex): Promise<EnrolmentPlace[]> {
    const rows = await this.#database.query(
      `SELECT c.manufacturer_id, c.series, c.place, w.root
       FROM est_certificate c JOIN est_window w ON w.manufacturer_id = c.manufacturer_id AND w.series = c.series
       WHERE c.credential_hash = ? OR c.request_id IN (SELECT request_id FROM est_device_key WHERE key_id = ?)`,
      [subject, subject],
    )
    return rows.map((row) => ({
      manufacturerId: Number(row["manufacturer_id"]),
      series: Number(row["series"]),
      index: Number(row["place"]),
      root: row["root"] as Hex,
    }))
  }

  async credentialHashes({ manufacturerId, series }: WindowPlace): Promise<Uint8Array> {
    const rows = await this.#database.query(
      "SELECT credential_hash FROM est_certificate WHERE manufacturer_id = ? AND series = ? ORDER BY place",
      [manufacturerId, series],
    )
    const hashes = new Uint8Array(rows.length * 32)
    for (const [i, row] of rows.entries()) hashes.set(fromHex(row["credential_hash"] as Hex), i * 32)
    return hashes
  }

  async addToken({ hash, label, subject, expiresAt }: EnrolmentToken): Promise<void> {
    await this.#database.query("INSERT INTO est_token (hash, label, subject, expires_at) VALUES (?, ?, ?, ?)", [
      hash,
      label,
      subject ?? null,
      expiresAt,
    ])
  }

  async token(hash: Hex): Promise<EnrolmentToken | undefined> {
    const [row] = await this.#database.query("SELECT * FROM est_token WHERE hash = ?", [hash])
    if (row === undefined) return undefined
    const subject = row["subject"] === null ? undefined : String(row["subject"])
    return { hash, label: String(row["label"]), subject, expiresAt: Number(row["expires_at"]) }
  }

  async addPredecessor(one: Supersession): Promise<void> {
    await this.#database.query(
      `INSERT INTO est_predecessor (fingerprint, credential_hash, manufacturer_id, series, place) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      [one.fingerprint, one.credentialHash, one.manufacturerId, one.series, one.index],
    )
  }

  async noteUsed(fingerprint: Hex, now: number): Promise<boolean> {
    return this.#database.transaction(async (query) => {
      const [row] = await query("SELECT * FROM est_certificate WHERE fingerprint = ?", [fingerprint])
      if (row === undefined) {
        const [made] = await query("SELECT superseded_at FROM est_predecessor WHERE fingerprint = ?", [fingerprint])
        return made === undefined || made["superseded_at"] === null
      }
      if (row["used_at"] !== null) return row["superseded_at"] === null
      const replaces = row["replaces"] as Hex | null
      // Of two siblings that are first used at the same moment, one gets hold of what both replace; the other waits for it.
      for (const table of replaces === null ? [] : TABLES) {
        await query(`UPDATE ${table} SET told = told WHERE fingerprint = ?`, [replaces])
      }
      const [first] = await query(
        "UPDATE est_certificate SET used_at = ? WHERE fingerprint = ? AND superseded_at IS NULL RETURNING fingerprint",
        [now, fingerprint],
      )
      if (first === undefined) return false
      if (replaces === null) return true
      for (const table of TABLES) {
        await query(`UPDATE ${table} SET superseded_at = ? WHERE superseded_at IS NULL AND fingerprint = ?`, [
          now,
          replaces,
        ])
      }
      await query(
        `UPDATE est_certificate SET superseded_at = ?
         WHERE superseded_at IS NULL AND replaces = ? AND fingerprint <> ? AND used_at IS NULL`,
        [now, replaces, fingerprint],
      )
      return true
    })
  }

  async supersessions(manufacturerId: number, limit: number): Promise<Supersession[]> {
    const due = TABLES.map(
      (table) => `SELECT manufacturer_id, series, place, fingerprint, credential_hash, superseded_at FROM ${table}
        WHERE superseded_at IS NOT NULL AND told = 0 AND manufacturer_id = ?`,
    )
    const rows = await this.#database.query(`${due.join(" UNION ALL ")} ORDER BY superseded_at LIMIT ?`, [
      manufacturerId,
      manufacturerId,
      limit,
    ])
    return rows.map((row) => ({
      manufacturerId: Number(row["manufacturer_id"]),
      series: Number(row["series"]),
      index: Number(row["place"]),
      fingerprint: row["fingerprint"] as Hex,
      credentialHash: row["credential_hash"] as Hex,
    }))
  }

  async supersessionsDone(fingerprints: readonly Hex[]): Promise<void> {
    for (const some of portions(fingerprints)) {
      const marks = some.map(() => "?").join(", ")
      for (const table of TABLES) {
        await this.#database.query(`UPDATE ${table} SET told = 1 WHERE fingerprint IN (${marks})`, some)
      }
    }
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}

function orderOf({ names, requestId }: EnrolmentClaim): Hex {
  return names[0] ?? requestId
}

async function claimOne(
  query: SqlQuery,
  { requestId, names, ownsNames, token }: EnrolmentClaim,
  manufacturerId: number,
  series: number,
): Promise<ClaimOutcome> {
  // A token's request that had to be made anew is still the same device's.
  const holder = token?.requestId ?? requestId
  const isOwn = (other: SqlValue | undefined): boolean => other === requestId || other === holder
  for (const name of ownsNames ? [] : names) {
    const others = await query(
      `SELECT request_id AS holder FROM est_name WHERE name = ?
       UNION ALL SELECT holder FROM est_shared_name WHERE name = ?`,
      [name, name],
    )
    if (others.some((other) => !isOwn(other["holder"]))) return "nameTaken"
  }
  if (token !== undefined) {
    const [used] = await query(
      "UPDATE est_token SET request_id = ? WHERE hash = ? AND (request_id IS NULL OR request_id = ?) RETURNING hash",
      [token.requestId, token.hash, token.requestId],
    )
    if (used === undefined) return "tokenUsed"
  }
  const [mine] = await query(
    `INSERT INTO est_claim (request_id, manufacturer_id, series) VALUES (?, ?, ?)
     ON CONFLICT DO NOTHING RETURNING request_id`,
    [requestId, manufacturerId, series],
  )
  if (mine === undefined) return "elsewhere"
  let kept = true
  for (const name of names.toSorted()) {
    // Whoever has it keeps it; its row is held, so that it does not go away meanwhile.
    const [first] = await query(
      `INSERT INTO est_name (name, request_id, manufacturer_id, series) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING request_id`,
      [name, requestId, manufacturerId, series],
    )
    if (first?.["request_id"] === requestId) continue
    if (!ownsNames && !isOwn(first?.["request_id"])) {
      kept = false
      break
    }
    await query(
      `INSERT INTO est_shared_name (name, request_id, holder, manufacturer_id, series) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      [name, requestId, holder, manufacturerId, series],
    )
  }
  if (kept) return "claimed"
  for (const table of CLAIMS) {
    await query(`DELETE FROM ${table} WHERE request_id = ? AND manufacturer_id = ? AND series = ?`, [
      requestId,
      manufacturerId,
      series,
    ])
  }
  return "nameTaken"
}

async function addKeys(
  query: SqlQuery,
  some: readonly { readonly requestId: Hex; readonly deviceKeyId: Hex }[],
): Promise<void> {
  await query(
    `INSERT INTO est_device_key (request_id, key_id) VALUES ${some.map(() => "(?, ?)").join(", ")}
     ON CONFLICT (request_id) DO UPDATE SET key_id = excluded.key_id`,
    some.flatMap(({ requestId, deviceKeyId }) => [requestId, deviceKeyId]),
  )
}

/** Fills in, once, the keys of certificates that were written when a store did not note them. */
export async function noteOlderKeys(query: SqlQuery): Promise<void> {
  const [done] = await query("SELECT value FROM est_meta WHERE name = 'deviceKeys'")
  if (done !== undefined) return
  for (let after = ""; ;) {
    const rows = await query(
      "SELECT request_id, der FROM est_certificate WHERE request_id > ? ORDER BY request_id LIMIT ?",
      [after, ROWS_AT_ONCE],
    )
    if (rows.length === 0) break
    const keys = rows.map((row) => ({
      requestId: row["request_id"] as Hex,
      deviceKeyId: parseCertificate(new Uint8Array(row["der"] as Uint8Array)).keyId,
    }))
    await addKeys(query, keys)
    after = keys.at(-1)?.requestId ?? after
  }
  await query("INSERT INTO est_meta (name, value) VALUES ('deviceKeys', 'noted') ON CONFLICT DO NOTHING")
}

async function forgetWindow(query: SqlQuery, manufacturerId: number, series: number): Promise<void> {
  await query(
    `DELETE FROM est_device_key WHERE request_id IN
     (SELECT request_id FROM est_certificate WHERE manufacturer_id = ? AND series = ?)`,
    [manufacturerId, series],
  )
  for (const table of ["est_certificate", ...CLAIMS]) {
    await query(`DELETE FROM ${table} WHERE manufacturer_id = ? AND series = ?`, [manufacturerId, series])
  }
}

function* portions<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += ROWS_AT_ONCE) yield items.slice(from, from + ROWS_AT_ONCE)
}

function windowOf(row: SqlRow): SealedWindow {
  return {
    manufacturerId: Number(row["manufacturer_id"]),
    series: Number(row["series"]),
    state: row["state"] as SealedWindow["state"],
    issuerKeyId: row["issuer_key_id"] as Hex,
    root: row["root"] as Hex,
    size: Number(row["size"]),
    notAfter: Number(row["not_after"]),
  }
}

function enrolmentOf(row: SqlRow): Enrolment {
  const seconds = (value: SqlValue | undefined): number | undefined =>
    value === null || value === undefined ? undefined : Number(value)
  return {
    requestId: row["request_id"] as Hex,
    index: Number(row["place"]),
    fingerprint: row["fingerprint"] as Hex,
    credentialHash: row["credential_hash"] as Hex,
    der: new Uint8Array(row["der"] as Uint8Array),
    issuedAt: Number(row["issued_at"]),
    replaces: row["replaces"] === null ? undefined : (row["replaces"] as Hex),
    window: windowOf(row),
    usedAt: seconds(row["used_at"]),
    supersededAt: seconds(row["superseded_at"]),
  }
}

/** The name of a deployment in a store. */
export function storeScope({
  chainId,
  contracts,
}: {
  readonly chainId: number
  readonly contracts: { readonly devices: { readonly address: Hex } }
}): string {
  return `chain ${chainId}, registry ${contracts.devices.address}, version 1`
}
