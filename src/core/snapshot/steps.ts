/**
 * Where work on snapshots can be cut off: everything before is on the drive, and nothing after has begun. In the order in which they come; not every one
 * comes every time.
 */
export const snapshotSteps = [
  'take:overlays-made', 'take:picture-kept', 'take:definition-changed', 'take:saved-record-changed', 'take:engine-done', 'take:run-noted', 'take:memory-named', 'take:tpm-kept', 'take:manifest-written', 'take:parent-noted',
  'revert:present-kept', 'revert:overlays-made', 'revert:tpm-made', 'revert:off', 'revert:saved-discarded', 'revert:definition-changed', 'revert:saved-written', 'revert:started', 'revert:layers-removed', 'revert:tpm-removed',
  'delete:parents-noted', 'delete:memory-moved', 'delete:renamed', 'delete:memory-removed', 'delete:tidied', 'delete:folder-removed',
  'tidy:layer-removed', 'tidy:pulled', 'tidy:lower-removed', 'tidy:committed', 'tidy:records-changed', 'tidy:definition-changed', 'tidy:readers-changed', 'tidy:upper-removed',
  'convert:disk-made', 'convert:definition-changed',
  'clean-up:removed',
] as const
export type SnapshotStep = (typeof snapshotSteps)[number]
