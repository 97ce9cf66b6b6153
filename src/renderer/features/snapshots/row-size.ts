/** Height of a row of the tree, pixels: even, and whole dashes of its broken lines fit into the half of it. */
export const rowHeight = 52

/** From one lane to the next, pixels: room to look at, until a deep tree needs it for its names. */
export function laneStep(lanes: number): number {
  return Math.max(9, Math.min(22, Math.floor(200 / Math.max(1, lanes))))
}
