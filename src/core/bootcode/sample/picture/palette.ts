/** What each of the 256 palette entries is for. The levels of a ramp go from the background to the full colour, for smooth edges. */
export const paletteParts = {
  background: 0,
  halo: { first: 1, levels: 31 },
  text: { first: 32, levels: 32 },
  accent: { first: 64, levels: 12 },
  /** Sixty ticks around the ring, `levels` entries each, so that the ring turns by changing the palette alone. */
  ticks: { first: 76, count: 60, levels: 3 },
} as const

export type Ramp = keyof Pick<typeof paletteParts, 'halo' | 'text' | 'accent'>

type Colour = readonly [red: number, green: number, blue: number]

interface Theme {
  background: Colour
  accent: Colour
}

/** Every key moves on to the next one. */
const themes: Theme[] = [
  { background: [13, 17, 30], accent: [255, 176, 66] },
  { background: [10, 22, 28], accent: [62, 214, 190] },
  { background: [20, 15, 36], accent: [164, 132, 255] },
  { background: [29, 14, 22], accent: [255, 107, 129] },
  { background: [12, 21, 36], accent: [92, 170, 255] },
]

const textColour: Colour = [236, 240, 248]
const haloStrength = 0.34
const { ticks } = paletteParts

export const themeCount = themes.length
/** Bytes of one theme: the fixed entries before the ticks, then the ticks' colours by age, three bytes each entry. */
export const fixedPaletteBytes = ticks.first * 3
export const bytesPerTick = ticks.levels * 3
export const themeBytes = fixedPaletteBytes + ticks.count * bytesPerTick

/** The palette entry of a share of a ramp's full colour, 0..1. */
export function rampIndex(ramp: Ramp, share: number): number {
  const { first, levels } = paletteParts[ramp]
  const level = Math.round(Math.min(1, Math.max(0, share)) * levels)
  return level === 0 ? paletteParts.background : first + level - 1
}

/** The palette entry of tick `tick` for a share of its pixel. */
export function tickIndex(tick: number, share: number): number {
  const level = Math.round(Math.min(1, Math.max(0, share)) * ticks.levels)
  return level === 0 ? paletteParts.background : ticks.first + tick * ticks.levels + level - 1
}

/** All themes, one after the other, eight bits a channel. */
export function paletteData(): Uint8Array {
  return Uint8Array.from(themes.flatMap((theme) => [...fixedEntries(theme), ...tickEntries(theme)]))
}

function fixedEntries({ background, accent }: Theme): number[] {
  const halo = mix(background, accent, haloStrength)
  const ramp = (colour: Colour, levels: number): number[] =>
    Array.from({ length: levels }, (_, level) => mix(background, colour, (level + 1) / levels)).flat()
  const { halo: haloPart, text, accent: accentPart } = paletteParts
  return [...background, ...ramp(halo, haloPart.levels), ...ramp(textColour, text.levels), ...ramp(accent, accentPart.levels)]
}

/** The newest tick is almost white; the ones before it fade over two thirds of the ring to a dim mark that stays. */
function tickEntries({ background, accent }: Theme): number[] {
  const dim = mix(background, textColour, 0.18)
  // The ticks stand in the halo where it is almost full.
  const around = mix(background, accent, haloStrength * 0.7)
  return Array.from({ length: ticks.count }, (_, age) => {
    const glow = Math.max(0, 1 - age / 40) ** 1.6
    const colour = age === 0 ? mix(accent, textColour, 0.75) : mix(dim, accent, glow)
    return Array.from({ length: ticks.levels }, (_level, level) => mix(around, colour, (level + 1) / ticks.levels)).flat()
  }).flat()
}

function mix(from: Colour, to: Colour, share: number): [number, number, number] {
  const channel = (index: 0 | 1 | 2): number => Math.round(from[index] + (to[index] - from[index]) * share)
  return [channel(0), channel(1), channel(2)]
}
