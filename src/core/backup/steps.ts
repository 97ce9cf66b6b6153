/** Where work on backups can be cut off: for tests. */
export const backupSteps = ['backup:copied', 'backup:hashed', 'backup:recorded', 'backup:named', 'backup:deleted', 'backup:merged-disk', 'backup:merged', 'backup:restored', 'backup:definition-changed'] as const
export type BackupStep = (typeof backupSteps)[number]
