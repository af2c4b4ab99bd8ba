import { Hono } from "hono"
import type { Context } from "hono"
import { productName, type FleetState, type Hex, type Replica } from "../../client/index.ts"
import type { FleetSource, RevocationContext } from "../issuers/context.ts"
import { freshFleet } from "../issuers/freshFleet.ts"
import type { FreshFleet } from "../issuers/freshFleet.ts"
import { problemAnswer } from "../http/problem.ts"
import type { Problem } from "../http/problem.ts"
import { MediaTypeUnknownError } from "../errors/gateway.ts"
import type { FoundPlace } from "../issuers/placeFinder.ts"
import type { SerialEntry, SerialStore } from "../store/serialMap.ts"
import { CertificateBody, certificateIn, checkedCertificate } from "./certificateCheck.ts"
import type { CertificateCheck } from "./certificateCheck.ts"
import { API_FAILURE } from "./failures.ts"
import { openApi } from "./openApi.ts"
import { readPage } from "./paging.ts"
import type { Page } from "./paging.ts"
import { RequestInvalidError, hashParameter, uint32Parameter } from "./parameters.ts"
import { credentialFacts } from "./credentialFacts.ts"
import { batchView, blockView, manufacturerView, releaseView } from "./views.ts"

export type ApiContext = {
  readonly replica: FleetSource & Partial<Pick<Replica, "status">>
  readonly serials?: Pick<SerialStore, "find"> | undefined
  /** Certificates that were issued here. Default: none. */
  readonly issued?: Pick<SerialStore, "find"> | undefined
  /** Manifests of batches. Default: none. */
  readonly manifests?: ManifestPlaces | undefined
  /** What checks whole certificates. Default: nobody, and none is taken. */
  readonly check?: CertificateCheck | undefined
  /** Oldest newest block that is answered from, in seconds. Default: 120. */
  readonly maxAgeSeconds?: number
  /** The clock. Default: the platform's. */
  readonly now?: () => Date
}

/** Where manifests say that credentials stand. */
export type ManifestPlaces = {
  /** @param manufacturerId Whose batches count; undefined: all. */
  findPlace(credentialHash: Hex, manufacturerId: number | undefined): Promise<FoundPlace | undefined>
}

const RETRY_SECONDS = "5"
const CERTIFICATE_TYPES = ["application/pkix-cert", "application/x-pem-file"] as const

/** The JSON API as an application of its own. Every answer is one picture of the ledger, and says which. */
export function apiApp(context: ApiContext): Hono {
  const app = new Hono({ strict: true })
  const description = openApi()
  const picture = (): FreshFleet => freshFleet({ ...pictureContext(context), issuers: [] })

  app.get("/v1/openapi.json", (c) => c.json(description, 200, { "Cache-Control": "max-age=3600" }))

  app.get("/v1/status/:hash", async (c) => {
    const hash = hashParameter("hash", c.req.param("hash"))
    const asked = c.req.query("deviceKey")
    const deviceKeyId = asked === undefined ? undefined : hashParameter("deviceKey", asked)
    const manufacturer = c.req.query("manufacturer")
    const manufacturerId = manufacturer === undefined ? undefined : uint32Parameter("manufacturer", manufacturer)
    assertKnown(c, ["deviceKey", "manufacturer"])
    const known = await findKnown(context, hash, manufacturerId)
    // From here on nothing waits: one picture of the ledger.
    const fleet = picture()
    const facts = credentialFacts({ hash, ...known, deviceKeyId, manufacturerId, fleet })
    return answer(c, { ...facts, ...origin(context, fleet) })
  })

  const { check } = context
  if (check !== undefined) {
    app.post("/v1/status", async (c) => {
      assertKnown(c, [])
      const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase()
      if (!CERTIFICATE_TYPES.some((known) => known === type)) {
        throw new MediaTypeUnknownError({ expected: CERTIFICATE_TYPES.join(" or ") })
      }
      const certificate = certificateIn(new Uint8Array(await c.req.arrayBuffer()))
      picture()
      return answer(c, await checkedCertificate(certificate, check))
    })
  }

  app.get("/v1/manufacturers", (c) => {
    assertKnown(c, ["limit", "after"])
    const page = readPage(c.req.query("limit"), c.req.query("after"))
    const fleet = picture()
    const all = ascending([...fleet.head.manufacturers()])
    return list(c, context, fleet, page, all, (manufacturer) => manufacturerView(fleet, manufacturer))
  })

  app.get("/v1/manufacturers/:manufacturer", (c) => {
    assertKnown(c, [])
    const id = uint32Parameter("manufacturer", c.req.param("manufacturer"))
    const fleet = picture()
    const manufacturer = fleet.head.manufacturer(id)
    if (manufacturer === undefined) return problem(c, { status: 404, title: `There is no manufacturer ${id}` })
    return answer(c, { ...manufacturerView(fleet, manufacturer), ...origin(context, fleet) })
  })

  app.get("/v1/batches", (c) => {
    assertKnown(c, ["limit", "after", "manufacturer"])
    const page = readPage(c.req.query("limit"), c.req.query("after"))
    const fleet = picture()
    const all = ofManufacturers(fleet.head, c.req.query("manufacturer"), (id) => fleet.head.batches(id))
    return list(c, context, fleet, page, all, (batch) => batchView(fleet, batch))
  })

  app.get("/v1/batches/:manufacturer/:series", (c) => {
    assertKnown(c, [])
    const id = uint32Parameter("manufacturer", c.req.param("manufacturer"))
    const series = uint32Parameter("series", c.req.param("series"))
    const fleet = picture()
    const batch = fleet.head.batch(id, series)
    if (batch === undefined) {
      return problem(c, { status: 404, title: `Manufacturer ${id} has no batch ${series}` })
    }
    return answer(c, { ...batchView(fleet, batch), ...origin(context, fleet) })
  })

  app.get("/v1/releases", (c) => {
    assertKnown(c, ["limit", "after", "manufacturer", "product"])
    const page = readPage(c.req.query("limit"), c.req.query("after"))
    const product = c.req.query("product")
    const fleet = picture()
    const all = ofManufacturers(fleet.head, c.req.query("manufacturer"), (id) => fleet.head.releases(id))
    const wanted = product === undefined ? all : [...all].filter((release) => isProduct(release.product, product))
    return list(c, context, fleet, page, wanted, (release) => releaseView(fleet, release))
  })

  app.notFound((c) => problem(c, { status: 404, title: "Nothing is at this address" }))
  app.onError((error, c) => {
    if (error instanceof CertificateBody) {
      const { message, code, hint } = error.cause
      const more = { code, ...(hint === undefined ? {} : { hint }) }
      return problem(c, { status: 400, title: "The body is no certificate", detail: message, more })
    }
    const failure = API_FAILURE[error.name as keyof typeof API_FAILURE] as Problem | undefined
    // What nobody foresaw goes to the listener, which logs it.
    if (failure === undefined) throw error
    const { code, hint } = error as { code?: string; hint?: string }
    const more = { ...(code === undefined ? {} : { code }), ...(hint === undefined ? {} : { hint }) }
    return problem(
      c,
      { ...failure, detail: error.message, more },
      failure.status === 503 ? { "Retry-After": RETRY_SECONDS } : {},
    )
  })
  return app
}

function pictureContext({ replica, maxAgeSeconds, now }: ApiContext): Pick<RevocationContext, "replica"> {
  return {
    replica,
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
    ...(now === undefined ? {} : { now }),
  }
}

/** What this gateway knows of a hash besides the ledger. */
async function findKnown(
  { serials, issued, manifests }: ApiContext,
  hash: Hex,
  manufacturerId: number | undefined,
): Promise<{ entry?: SerialEntry; entryFrom?: "import" | "enrolment"; place?: FoundPlace }> {
  const own = await issued?.find(hash)
  if (own !== undefined) return { entry: own, entryFrom: "enrolment" }
  const entry = await serials?.find(hash)
  if (entry === undefined) {
    const place = await manifests?.findPlace(hash, manufacturerId)
    return place === undefined ? {} : { place }
  }
  if (entry.place !== undefined) return { entry, entryFrom: "import" }
  const place = await manifests?.findPlace(entry.credentialHash, undefined)
  return { entry, entryFrom: "import", ...(place === undefined ? {} : { place }) }
}

/** What an answer rests on. */
function origin(context: ApiContext, { head, settled, now }: FreshFleet): Record<string, unknown> {
  const evidence = context.replica.status?.evidence
  return {
    block: blockView(head.block),
    finalizedBlock: blockView(settled.block),
    staleSeconds: Math.max(0, now - head.block.timestamp),
    evidence: evidence === undefined ? [] : [{ kind: evidence.kind, detail: evidence.detail }],
  }
}

function answer(c: Context, body: Record<string, unknown>): Response {
  return c.json(body, 200, { "Cache-Control": "no-store" })
}

function list<T>(
  c: Context,
  context: ApiContext,
  fleet: FreshFleet,
  { limit, after }: Page,
  all: Iterable<T>,
  view: (item: T) => Record<string, unknown>,
): Response {
  const items: Record<string, unknown>[] = []
  let position = 0
  let more = false
  for (const item of all) {
    position++
    if (position <= after) continue
    if (items.length === limit) {
      more = true
      break
    }
    items.push(view(item))
  }
  return answer(c, { items, next: more ? String(after + limit) : null, ...origin(context, fleet) })
}

function* ofManufacturers<T>(
  head: FleetState,
  wanted: string | undefined,
  each: (manufacturerId: number) => Iterable<T>,
): Generator<T> {
  const id = wanted === undefined ? undefined : uint32Parameter("manufacturer", wanted)
  for (const manufacturer of ascending([...head.manufacturers()])) {
    if (id === undefined || manufacturer.id === id) yield* each(manufacturer.id)
  }
}

function ascending<T extends { readonly id: number }>(manufacturers: readonly T[]): T[] {
  return manufacturers.toSorted((one, other) => one.id - other.id)
}

function isProduct(product: Hex, wanted: string): boolean {
  return product === wanted.toLowerCase() || productName(product) === wanted
}

/** A misspelt parameter must not give the answer to another question. @throws RequestInvalidError */
function assertKnown(c: Context, known: readonly string[]): void {
  for (const [name, values] of Object.entries(c.req.queries())) {
    if (!known.includes(name)) throw new RequestInvalidError({ parameter: name, expected: "absent" })
    if (values.length > 1) throw new RequestInvalidError({ parameter: name, expected: "given once" })
  }
}

function problem(c: Context, what: Problem, headers: Record<string, string> = {}): Response {
  const { status, headers: all, body } = problemAnswer(what, headers)
  return c.newResponse(body as Uint8Array<ArrayBuffer>, status as 400, all)
}
