import { escape } from "./escape.ts"
import type { Plot } from "./row.ts"

const WIDTH = 760
const HEIGHT = 360
const LEFT = 86
const RIGHT = 190
const TOP = 14
const BOTTOM = 48
/** Told apart by people who do not see all colours (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"] as const

/** A scale from values to places on the paper, with its ticks. */
type Scale = { at(value: number): number; ticks: readonly number[] }

/** A line plot as SVG, in the page's own ink. */
export function drawPlot({ title, x, y, series }: Plot): string {
  const points = series.flatMap((one) => one.points)
  const across = scale(
    points.map(([value]) => value),
    x.log === true,
    LEFT,
    WIDTH - RIGHT,
  )
  const up = scale(
    points.map(([, value]) => value),
    y.log === true,
    HEIGHT - BOTTOM,
    TOP,
  )
  const grid = [
    ...across.ticks.map(
      (tick) =>
        line(across.at(tick), TOP, across.at(tick), HEIGHT - BOTTOM) +
        text(across.at(tick), HEIGHT - BOTTOM + 16, short(tick), "middle"),
    ),
    ...up.ticks.map(
      (tick) =>
        line(LEFT, up.at(tick), WIDTH - RIGHT, up.at(tick)) + text(LEFT - 8, up.at(tick) + 4, short(tick), "end"),
    ),
  ]
  const drawn = series.map((one, i) => {
    const colour = COLOURS[i % COLOURS.length] as string
    const places = one.points.map(([a, b]) => `${across.at(a).toFixed(1)},${up.at(b).toFixed(1)}`)
    const dots = places.map((place) => {
      const [cx, cy] = place.split(",")
      return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`
    })
    const key = `<rect x="${WIDTH - RIGHT + 14}" y="${TOP + i * 34}" width="12" height="12" fill="${colour}"/>`
    return (
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.join(" ")}"/>${dots.join("")}${key}` +
      wrapped(WIDTH - RIGHT + 32, TOP + 10 + i * 34, one.name)
    )
  })
  const middle = (LEFT + WIDTH - RIGHT) / 2
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">` +
    grid.join("") +
    drawn.join("") +
    text(middle, HEIGHT - 10, x.label, "middle") +
    `<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escape(y.label)}</text>` +
    "</svg>"
  )
}

function scale(values: readonly number[], log: boolean, from: number, to: number): Scale {
  const usable = log ? values.filter((value) => value > 0) : values
  const smallest = Math.min(...usable)
  const largest = Math.max(...usable)
  if (log) {
    const low = Math.floor(Math.log10(smallest))
    const high = Math.max(low + 1, Math.ceil(Math.log10(largest)))
    const step = Math.ceil((high - low) / 8)
    const ticks = Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => 10 ** (low + i * step))
    return {
      at: (value) => from + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (to - from),
      ticks,
    }
  }
  const step = niceStep(largest / 5)
  const top = Math.max(step, Math.ceil(largest / step) * step)
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step)
  return { at: (value) => from + (value / top) * (to - from), ticks }
}

/** 1, 2 or 5 times a power of ten, at or above `rough`. */
function niceStep(rough: number): number {
  if (!(rough > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(rough))
  return ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="currentColor" stroke-opacity=".18"/>`
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escape(content)}</text>`
}

/** Two lines at most. */
function wrapped(x: number, y: number, content: string): string {
  const words = content.split(" ")
  let first = words.shift() ?? ""
  while (words[0] !== undefined && `${first} ${words[0]}`.length <= 24) first += ` ${words.shift()}`
  return text(x, y, first, "start") + text(x, y + 14, words.join(" "), "start")
}

function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))}k`
  return String(Number(value.toPrecision(3)))
}
