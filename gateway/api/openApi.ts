type Schema = Readonly<Record<string, unknown>>

const HASH = { type: "string", pattern: "^0x[0-9a-f]{64}$" }
const TIME = { type: "string", format: "date-time" }
const UINT = { type: "integer", minimum: 0 }
const ID = { type: "integer", minimum: 1, maximum: 4_294_967_295 }
const INDEX = { type: "integer", minimum: 0, maximum: 4_294_967_294 }
const TEXT = { type: "string" }
const STATUS = { enum: ["good", "onHold", "revoked", "unknown"] }

/** An object that has exactly these members. */
function exactly<const Properties extends Readonly<Record<string, Schema>>>(
  properties: Properties,
): Schema & { readonly properties: Properties } {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false }
}

function orNull(schema: Schema): Schema {
  return { anyOf: [schema, { type: "null" }] }
}

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

/** What every answer says of the picture that it was taken from. */
const ORIGIN = {
  block: ref("Block"),
  finalizedBlock: ref("Block"),
  staleSeconds: { ...UINT, description: "How old the newest block was." },
  evidence: { type: "array", items: ref("Evidence"), description: "Where trust in the log's heads comes from." },
}

const BATCH = {
  manufacturer: ID,
  series: ID,
  root: HASH,
  size: ID,
  kind: { enum: ["x509", "rawPublicKeys"] },
  authorizedBy: { enum: ["issuerKey", "operator"] },
  issuerKey: orNull(HASH),
  registeredAt: TIME,
  notAfter: TIME,
  status: { ...STATUS, description: "Of a place in it that nothing bars by itself." },
  reason: orNull(TEXT),
  since: orNull(TIME),
  detail: TEXT,
  revokedPlaces: { ...UINT, description: "Places whose status bit is set." },
}

const MANUFACTURER = {
  id: ID,
  name: TEXT,
  metadataUri: TEXT,
  controller: { type: "string", pattern: "^0x[0-9a-fA-F]{40}$" },
  status: { enum: ["active", "suspended", "left"] },
  statusSince: TIME,
  suspendedUntil: orNull(TIME),
  keys: { type: "array", items: ref("Key") },
}

/** The members of `fleetroot status --json` for a certificate, without its file. */
const VERDICT = exactly({
  fingerprint: HASH,
  credentialHash: HASH,
  status: { enum: ["good", "onHold", "revoked", "expired", "notYetValid", "unknown"] },
  reason: { ...orNull(TEXT), description: "A CRLReason, or why it is not good; null for good." },
  since: orNull(TIME),
  manufacturer: orNull(exactly({ id: ID, name: TEXT })),
  batch: orNull(exactly({ series: ID, root: HASH, index: INDEX, size: ID })),
  block: ref("Block"),
  staleSeconds: UINT,
  evidence: { type: "array", items: ref("Evidence") },
})

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Block: exactly({
    number: UINT,
    hash: HASH,
    timestamp: TIME,
    finality: { enum: ["latest", "safe", "finalized"] },
  }),
  Evidence: exactly({ kind: TEXT, detail: TEXT }),
  Key: exactly({
    index: ID,
    keyId: HASH,
    purpose: { enum: ["issuer", "openIssuer", "firmware"] },
    provenOnLedger: { type: "boolean" },
    registeredAt: TIME,
    notBefore: TIME,
    notAfter: TIME,
    revokedAt: orNull(TIME),
    compromisedSince: orNull(TIME),
  }),
  Manufacturer: exactly(MANUFACTURER),
  ManufacturerAnswer: exactly({ ...MANUFACTURER, ...ORIGIN }),
  Batch: exactly(BATCH),
  BatchAnswer: exactly({ ...BATCH, ...ORIGIN }),
  Release: exactly({
    manufacturer: ID,
    product: HASH,
    productName: orNull(TEXT),
    securityVersion: UINT,
    imageDigest: HASH,
    manifestDigest: orNull(HASH),
    releasedAt: TIME,
    recalledAt: orNull(TIME),
    final: { type: "boolean", description: "Whether its block is final: only then may it be installed." },
    signatures: { ...UINT, description: "How many it needed." },
    signers: { type: "array", items: ID },
  }),
  Status: exactly({
    asked: HASH,
    status: STATUS,
    reason: { ...orNull(TEXT), description: "A CRLReason, or why it is unknown; null for good." },
    since: orNull(TIME),
    invalidityDate: orNull(TIME),
    detail: TEXT,
    credentialHash: orNull(HASH),
    fingerprint: orNull(HASH),
    manufacturer: orNull(ID),
    place: orNull(exactly({ series: ID, index: INDEX })),
    restsOn: exactly({ kind: { enum: ["import", "enrolment", "manifest", "record", "nothing"] }, detail: TEXT }),
    ...ORIGIN,
  }),
  Verdict: {
    ...VERDICT,
    properties: { ...VERDICT.properties, error: { ...ref("Error"), description: "What was wrong with its receipt." } },
  },
  Error: {
    type: "object",
    properties: { error: TEXT, code: TEXT, message: TEXT, hint: TEXT, docs: TEXT },
    required: ["error", "code", "message"],
    additionalProperties: false,
  },
  ManufacturerList: listOf("Manufacturer"),
  BatchList: listOf("Batch"),
  ReleaseList: listOf("Release"),
  Problem: {
    type: "object",
    properties: {
      type: { const: "about:blank" },
      title: TEXT,
      status: { type: "integer", minimum: 400, maximum: 599 },
      detail: TEXT,
      code: TEXT,
      hint: TEXT,
    },
    required: ["type", "title", "status"],
    additionalProperties: false,
  },
}

function listOf(name: string): Schema {
  return exactly({
    items: { type: "array", items: ref(name), maxItems: 1_000 },
    next: { ...orNull(TEXT), description: "What to give as `after` for the next part; null at the end." },
    ...ORIGIN,
  })
}

const LIMIT = { name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 1_000, default: 100 } }
const AFTER = { name: "after", in: "query", schema: TEXT, description: "`next` of the part before." }
const MANUFACTURER_QUERY = { name: "manufacturer", in: "query", schema: ID }
const MANUFACTURER_PATH = { name: "manufacturer", in: "path", required: true, schema: ID }

function get(
  operationId: string,
  summary: string,
  answer: string,
  parameters: readonly Schema[],
  failures: readonly number[],
): Schema {
  const problems = failures.map((status) => [status, problemResponse()] as const)
  return {
    get: {
      operationId,
      summary,
      parameters,
      responses: {
        200: { description: "The answer.", content: { "application/json": { schema: ref(answer) } } },
        ...Object.fromEntries(problems),
      },
    },
  }
}

/** The question that comes with a certificate. */
function postCertificate(failures: readonly number[]): Schema {
  const certificate = { schema: { type: "string", format: "binary", maxLength: 131_072 } }
  return {
    post: {
      operationId: "checkCertificate",
      summary:
        "Checks a certificate as a verifier does: its form, its issuer's signature, its place and its status. Receipts come from the manifests and enrolments of this gateway.",
      requestBody: {
        required: true,
        content: { "application/pkix-cert": certificate, "application/x-pem-file": certificate },
      },
      responses: {
        200: { description: "The verdict.", content: { "application/json": { schema: ref("Verdict") } } },
        ...Object.fromEntries(failures.map((status) => [status, problemResponse()] as const)),
      },
    },
  }
}

function problemResponse(): Schema {
  return {
    description: "What went wrong: RFC 9457.",
    content: { "application/problem+json": { schema: ref("Problem") } },
  }
}

/** The OpenAPI 3.1 description of the JSON API. Tests hold the answers to it. */
export function openApi(): Record<string, unknown> {
  const bad = [400, 429, 503]
  return {
    openapi: "3.1.0",
    info: {
      title: "Fleetroot gateway",
      version: "1",
      description:
        "Facts of the ledger, as this gateway read them. Whoever must not trust the gateway asks the ledger: see `fleetroot status`.",
      license: { name: "MIT", identifier: "MIT" },
    },
    paths: {
      "/v1/status": postCertificate([...bad, 413, 415]),
      "/v1/status/{hash}": get(
        "getStatus",
        "What the ledger says about a certificate, by its credential hash (SHA-256 of its TBSCertificate), or by its fingerprint (SHA-256 of all of it) if the gateway was taught it or issued it.",
        "Status",
        [
          { name: "hash", in: "path", required: true, schema: { type: "string", pattern: "^(0x)?[0-9a-fA-F]{64}$" } },
          { name: "deviceKey", in: "query", schema: { type: "string", pattern: "^(0x)?[0-9a-fA-F]{64}$" } },
          MANUFACTURER_QUERY,
        ],
        [...bad, 409],
      ),
      "/v1/manufacturers": get("listManufacturers", "All manufacturers.", "ManufacturerList", [LIMIT, AFTER], bad),
      "/v1/manufacturers/{manufacturer}": get(
        "getManufacturer",
        "One manufacturer, with its keys.",
        "ManufacturerAnswer",
        [MANUFACTURER_PATH],
        [...bad, 404],
      ),
      "/v1/batches": get(
        "listBatches",
        "Batches, by manufacturer, in the order of registration.",
        "BatchList",
        [LIMIT, AFTER, MANUFACTURER_QUERY],
        [...bad, 409],
      ),
      "/v1/batches/{manufacturer}/{series}": get(
        "getBatch",
        "One batch.",
        "BatchAnswer",
        [MANUFACTURER_PATH, { name: "series", in: "path", required: true, schema: ID }],
        [...bad, 404, 409],
      ),
      "/v1/releases": get(
        "listReleases",
        "Firmware releases, by manufacturer.",
        "ReleaseList",
        [LIMIT, AFTER, MANUFACTURER_QUERY, { name: "product", in: "query", schema: TEXT }],
        bad,
      ),
    },
    components: { schemas: SCHEMAS },
  }
}
