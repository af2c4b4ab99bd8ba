import { encodeReceipt, FleetrootError, type Deployment } from "../../client/index.ts"
import { problemAnswer } from "../http/problem.ts"
import type { HttpAnswer, Route } from "../http/route.ts"
import type { EnrolmentStore } from "../store/enrolmentStore.ts"
import { ReceiptMaker } from "./receiptMaker.ts"

export type ReceiptContext = { readonly store: EnrolmentStore; readonly deployment: Deployment }

const FOLDER = "/receipts/"

/** Receipts of what was enrolled here: `GET /receipts/{SHA-256 of the certificate, in hex}`, in CBOR (docs/formats.md). */
export function receiptRoutes({ store, deployment }: ReceiptContext): Route[] {
  const maker = new ReceiptMaker(store, deployment)
  const handle = async (path: string): Promise<HttpAnswer> => {
    const [, hex] = /^(?:0x)?([0-9a-f]{64})$/i.exec(path.slice(FOLDER.length)) ?? []
    const enrolment = hex === undefined ? undefined : await store.byFingerprint(`0x${hex.toLowerCase()}`)
    // Of what nobody was given nobody learns.
    if (enrolment === undefined || enrolment.window.state === "sealed") {
      return problemAnswer({ status: 404, title: "No certificate with this fingerprint was enrolled here" })
    }
    const receipt = encodeReceipt(await maker.receiptOf(enrolment))
    // Neither the place nor the proof ever changes.
    const headers = { "Content-Type": "application/cbor", "Cache-Control": "public, max-age=31536000, immutable" }
    return { status: 200, headers, body: receipt }
  }
  return [
    {
      name: "receipt",
      methods: ["GET"],
      path: FOLDER,
      maxBodyBytes: 0,
      handle: async ({ path }) => {
        try {
          return await handle(path)
        } catch (error) {
          if (!(error instanceof FleetrootError)) throw error
          return problemAnswer(
            { status: 503, title: "Receipts are not available at the moment" },
            { "Retry-After": "5" },
          )
        }
      },
    },
  ]
}
