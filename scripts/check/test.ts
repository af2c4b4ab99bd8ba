// `npm test`: all tests of the project. `--raise-floors` writes test/floors.json anew afterwards.
import { runTests } from "./runTests.ts"

const passed = runTests({
  raiseFloors: process.argv.includes("--raise-floors"),
  refuseSkipped: process.env["CI"] === "true",
})
process.exitCode = passed ? 0 : 1
