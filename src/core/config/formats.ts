import { z } from 'zod'
import { MachineDefinition, Settings, machineSchemaVersion, settingsSchemaVersion } from '@shared/model'
import type { FileFormat } from './versioned-file'

/** `machine.json`. A new version adds a migration here and a case to the spec's table. */
export const machineFormat: FileFormat<MachineDefinition> = {
  title: "The machine's definition",
  version: machineSchemaVersion,
  schema: MachineDefinition,
  // 2: snapshots, templates and clones, all with defaults.
  // 3: more hardware, with defaults that are what machines had.
  migrations: { 1: (old) => old, 2: (old) => old },
}

/** A definition that lies within another file, such as the record of a run or of a snapshot: brought to the present form as `machine.json` is. */
export const StoredDefinition = z.preprocess((raw) => {
  if (typeof raw !== 'object' || raw === null || !('schemaVersion' in raw) || typeof raw.schemaVersion !== 'number') return raw
  let content = raw as Record<string, unknown>
  for (let version = raw.schemaVersion; version < machineSchemaVersion; version += 1) content = { ...machineFormat.migrations[version]?.(content), schemaVersion: version + 1 }
  return content
}, MachineDefinition)

/** `settings.json`. */
export const settingsFormat: FileFormat<Settings> = {
  title: 'The settings file',
  version: settingsSchemaVersion,
  schema: Settings,
  migrations: {},
}
