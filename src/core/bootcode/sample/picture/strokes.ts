/** A polyline in glyph units: x to the right, y down, 6 units from the top of a capital to the baseline. */
export type Stroke = [x: number, y: number][]

export interface Glyph {
  /** How wide the ink is at most; the pen adds its own width. */
  width: number
  strokes: Stroke[]
}

/** Straight lines through the points given as x, y, x, y... */
export function line(...coordinates: number[]): Stroke {
  const stroke: Stroke = []
  for (let index = 0; index + 1 < coordinates.length; index += 2) stroke.push([coordinates[index] ?? 0, coordinates[index + 1] ?? 0])
  return stroke
}

/** A part of an ellipse; angles in degrees, clockwise from the right. */
export function arc(centreX: number, centreY: number, radiusX: number, radiusY: number, from: number, to: number): Stroke {
  const steps = Math.max(4, Math.ceil(Math.abs(to - from) / 10))
  return Array.from({ length: steps + 1 }, (_, step) => {
    const angle = ((from + ((to - from) * step) / steps) * Math.PI) / 180
    return [centreX + radiusX * Math.cos(angle), centreY + radiusY * Math.sin(angle)]
  })
}

export function glyph(width: number, ...strokes: Stroke[]): Glyph {
  return { width, strokes }
}

/** The distance from a point to the nearest part of the strokes. */
export function distanceTo(strokes: Stroke[], x: number, y: number): number {
  let nearest = Infinity
  for (const stroke of strokes) {
    let previous = stroke[0]
    for (const point of stroke) {
      if (previous) nearest = Math.min(nearest, squaredDistance(previous, point, x, y))
      previous = point
    }
  }
  return Math.sqrt(nearest)
}

/** To the line from `a` to `b`. Squared, because this runs for every pixel of every letter. */
function squaredDistance(a: [number, number], b: [number, number], x: number, y: number): number {
  const dx = b[0] - a[0]
  const dy = b[1] - a[1]
  const lengthSquared = dx * dx + dy * dy
  const along = lengthSquared === 0 ? 0 : ((x - a[0]) * dx + (y - a[1]) * dy) / lengthSquared
  const t = Math.min(1, Math.max(0, along))
  const awayX = x - a[0] - t * dx
  const awayY = y - a[1] - t * dy
  return awayX * awayX + awayY * awayY
}
