import { nativeCrypto } from "./nativeCrypto.ts"
import { nobleCrypto } from "./nobleCrypto.ts"
import type { CryptoBackend } from "./types.ts"
import { webCrypto } from "./webCrypto.ts"
import { AlgorithmUnsupportedError } from "../errors/crypto.ts"

/** WebCrypto, with plain JavaScript for what a browser's does not know (Ed25519 in older ones). Same verdicts. */
function webThenNoble(web: CryptoBackend): CryptoBackend {
  return {
    name: web.name,
    async verify(parameters) {
      try {
        return await web.verify(parameters)
      } catch (error) {
        if (error instanceof AlgorithmUnsupportedError) return nobleCrypto.verify(parameters)
        throw error
      }
    },
  }
}

/** The fastest back end of this platform: Node's own crypto, else WebCrypto, else plain JavaScript. */
export function defaultCrypto(): CryptoBackend {
  if (nativeCrypto !== undefined) return nativeCrypto
  return webCrypto === undefined ? nobleCrypto : webThenNoble(webCrypto)
}
