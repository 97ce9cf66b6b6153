import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../config/atomic-write'
import { readOwnFile } from '../config/own-file'
import type { MachineFiles } from '../library/paths'

/** What QEMU was given at a machine's last start, kept so that the next one's difference to it can be told. */
const LastStart = z.object({ schemaVersion: z.literal(1), /** ISO 8601, UTC. */ at: z.string(), argv: z.array(z.string()) })

export interface LastStart { readonly at: string; readonly argv: string[] }

function pathOf(files: MachineFiles): string {
  return join(files.logsFolder, 'last-start.json')
}

/** null: there was none yet, or none that can be understood; nothing depends on it. */
export async function readLastStart(files: MachineFiles): Promise<LastStart | null> {
  try {
    const parsed = LastStart.safeParse(JSON.parse(await readOwnFile(pathOf(files))))
    return parsed.success ? { at: parsed.data.at, argv: parsed.data.argv } : null
  } catch {
    return null
  }
}

/** Throws `DISK_FULL` or `FILE_UNREADABLE`; the old one is then as it was. */
export async function writeLastStart(files: MachineFiles, { at, argv }: LastStart): Promise<void> {
  await writeAtomically(pathOf(files), `${JSON.stringify({ schemaVersion: 1, at, argv })}\n`)
}
