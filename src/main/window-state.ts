import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Rectangle } from 'electron'
import { z } from 'zod'

/** Where the window was, in device-independent pixels. */
export const WindowState = z.object({
  bounds: z.object({ x: z.int(), y: z.int(), width: z.int().min(1), height: z.int().min(1) }).nullable(),
  maximized: z.boolean(),
})
export type WindowState = z.infer<typeof WindowState>

export const minimumSize = { width: 900, height: 600 } as const
const usualSize = { width: 1360, height: 860 } as const
/** How much of the window has to be on a display so that it can be taken hold of. */
const graspable = { width: 120, height: 48 } as const

/** What was saved; where there is nothing that makes sense, the usual. It is only comfort, so nothing is reported. */
export function readWindowState(path: string): WindowState {
  try {
    return WindowState.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return { bounds: null, maximized: false }
  }
}

/** Replaces the file whole, at once: the process may be about to end. */
export function writeWindowState(path: string, state: WindowState): void {
  mkdirSync(dirname(path), { recursive: true })
  const partial = `${path}.partial`
  writeFileSync(partial, JSON.stringify(state))
  renameSync(partial, path)
}

/**
 * Bounds for a new window: the saved ones where their title bar can be reached on a display that there is now, shrunk to it; else the
 * usual size, for the system to place.
 */
export function boundsFor(saved: Rectangle | null, workAreas: readonly Rectangle[]): Partial<Rectangle> & { width: number; height: number } {
  const area = saved === null ? undefined : workAreas.find((candidate) => canBeGrasped(saved, candidate))
  if (saved === null || area === undefined) {
    const [first] = workAreas
    return { width: Math.min(usualSize.width, first?.width ?? Infinity), height: Math.min(usualSize.height, first?.height ?? Infinity) }
  }
  return {
    x: saved.x, y: saved.y,
    width: Math.min(Math.max(saved.width, minimumSize.width), area.width),
    height: Math.min(Math.max(saved.height, minimumSize.height), area.height),
  }
}

function canBeGrasped(window: Rectangle, area: Rectangle): boolean {
  const overlap = Math.min(window.x + window.width, area.x + area.width) - Math.max(window.x, area.x)
  return overlap >= graspable.width && window.y >= area.y && window.y + graspable.height <= area.y + area.height
}
