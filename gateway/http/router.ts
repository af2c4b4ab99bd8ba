import { RouteConflictError } from "../errors/gateway.ts"
import type { Route } from "./route.ts"

/** Where a request goes. */
export type Found =
  | { readonly kind: "route"; readonly route: Route }
  | { readonly kind: "method"; readonly allowed: readonly string[] }
  | { readonly kind: "nothing" }

/** Finds the route of a path: the exact one, else the longest prefix. */
export class Router {
  readonly #exact = new Map<string, Route[]>()
  /** The longest first. */
  readonly #prefixes: readonly (readonly [prefix: string, routes: readonly Route[]])[]

  /** @throws RouteConflictError when two routes claim one method of one path. */
  constructor(routes: readonly Route[]) {
    const prefixes = new Map<string, Route[]>()
    for (const route of routes) {
      const kind = route.path.endsWith("/") ? prefixes : this.#exact
      const same = kind.get(route.path) ?? []
      for (const method of route.methods) {
        if (same.some(({ methods }) => methods.includes(method))) {
          throw new RouteConflictError({ method, path: route.path })
        }
      }
      kind.set(route.path, [...same, route])
    }
    this.#prefixes = [...prefixes].toSorted(([one], [other]) => other.length - one.length)
  }

  /** A route that answers GET answers HEAD too. */
  find(method: string, path: string): Found {
    const routes = this.#exact.get(path) ?? this.#prefixes.find(([prefix]) => path.startsWith(prefix))?.[1]
    if (routes === undefined) return { kind: "nothing" }
    const route =
      routes.find(({ methods }) => methods.includes(method)) ??
      (method === "HEAD" ? routes.find(({ methods }) => methods.includes("GET")) : undefined)
    if (route !== undefined) return { kind: "route", route }
    return { kind: "method", allowed: [...new Set(routes.flatMap(({ methods }) => methods))] }
  }
}
