export { BackupSchedule } from './schedule'
export { BackupService } from './backup-service'
export { type BackupStep, backupSteps } from './steps'
