import { freshLedger } from "../../helpers/ledger.ts"
import { tellMainPath } from "./mainPath.ts"

tellMainPath("Verifier.checkCertificate", () => freshLedger())
