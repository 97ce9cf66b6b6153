import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CrashReport } from '@shared/model'
import { writeAtomically } from '../config/atomic-write'
import { readOwnFile } from '../config/own-file'
import type { MachineFiles } from '../library/paths'

/** How the last run ended when it did not end well; shown until the machine is started again, by whichever host. */
const LastRun = z.object({ schemaVersion: z.literal(1), crash: CrashReport })

function pathOf(files: MachineFiles): string {
  return join(files.logsFolder, 'last-run.json')
}

export async function readCrash(files: MachineFiles): Promise<CrashReport | null> {
  try {
    const parsed = LastRun.safeParse(JSON.parse(await readOwnFile(pathOf(files))))
    return parsed.success ? parsed.data.crash : null
  } catch {
    return null
  }
}

export async function writeCrash(files: MachineFiles, crash: CrashReport): Promise<void> {
  await writeAtomically(pathOf(files), `${JSON.stringify({ schemaVersion: 1, crash }, null, 2)}\n`)
}

export async function forgetCrash(files: MachineFiles): Promise<void> {
  await rm(pathOf(files), { force: true })
}
