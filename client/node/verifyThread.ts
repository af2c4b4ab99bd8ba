// One thread of verifyThreads.ts: it checks the signatures that it is sent, and knows nothing else.
import { parentPort } from "node:worker_threads"
import { nativeCrypto } from "../crypto/nativeCrypto.ts"
import type { VerifyParameters } from "../crypto/types.ts"
import { ANSWER, unpackQuestions } from "./verifyMessage.ts"
import type { VerifyMessage, VerifyReply } from "./verifyMessage.ts"

parentPort?.on("message", (message: VerifyMessage) => {
  const answers = Uint8Array.from(unpackQuestions(message), answer)
  const reply: VerifyReply = { id: message.id, answers }
  parentPort?.postMessage(reply, [answers.buffer])
})

function answer(question: VerifyParameters): number {
  try {
    return nativeCrypto?.verifyNow?.(question) === true ? ANSWER.yes : ANSWER.no
  } catch {
    return ANSWER.error
  }
}
