export { assertStrictDer, DER_LIMITS } from "../crypto/strictDer.ts"
