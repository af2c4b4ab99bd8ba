// Brings a replica in a file up to date, once.
import { readFileSync } from "node:fs"
import { parseDeployment } from "../../../client/ledger/deployment.ts"
import { Replica } from "../../../client/ledger/replica/replica.ts"
import { httpRpc } from "../../../client/ledger/rpc/httpRpc.ts"
import { openSqliteReplicaStore } from "../../../client/node/sqliteReplicaStore.ts"

const [path = "", deploymentFile = "", url = ""] = process.argv.slice(2)
const deployment = parseDeployment(readFileSync(deploymentFile, "utf8"))
const store = await openSqliteReplicaStore(path)
const replica = await Replica.open({ deployment, rpc: httpRpc(url), store })
process.stdout.write("open\n")
const { entries } = await replica.sync()
process.stdout.write(`${entries}\n`)
await replica.close()
