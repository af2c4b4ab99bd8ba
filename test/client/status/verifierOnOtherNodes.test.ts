import { anvilLedger } from "../../helpers/anvil.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import { tellMainPath } from "./mainPath.ts"

tellMainPath("Verifier.checkCertificate on Anvil, over HTTP", () => anvilLedger())
tellMainPath("Verifier.checkCertificate on a chain without the P-256 precompile", () => freshLedger("cancun"))
