/** JSON as it crosses the monitor. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** QEMU's `RunState` [qapi/run-state.json]. */
export type RunState =
  | 'debug' | 'inmigrate' | 'internal-error' | 'io-error' | 'paused' | 'postmigrate' | 'prelaunch' | 'finish-migrate' | 'restore-vm'
  | 'running' | 'save-vm' | 'shutdown' | 'suspended' | 'watchdog' | 'guest-panicked' | 'colo'

export interface StatusInfo { status: RunState; running: boolean }

export interface VersionInfo { qemu: { major: number; minor: number; micro: number }; package: string }

export interface MachineInfo {
  name: string
  alias?: string
  'is-default'?: boolean
  'cpu-max': number
  deprecated: boolean
  'default-cpu-type'?: string
}

export interface CpuDefinitionInfo {
  name: string
  'migration-safe'?: boolean
  static: boolean
  'unavailable-features'?: string[]
  deprecated: boolean
}

/** One entry of the schema that QEMU tells about itself [qapi/introspect.json]. */
export interface SchemaInfo {
  name: string
  'meta-type': 'builtin' | 'enum' | 'array' | 'object' | 'alternate' | 'command' | 'event'
  /** enum */
  values?: string[]
  /** object, alternate */
  members?: { name?: string; type: string }[]
  tag?: string
  variants?: { case: string; type: string }[]
  /** command */
  'arg-type'?: string
  features?: string[]
}

export interface MigrationInfo {
  status?:
    | 'none' | 'setup' | 'cancelling' | 'cancelled' | 'active' | 'postcopy-active' | 'postcopy-paused' | 'postcopy-recover' | 'completed'
    | 'failed' | 'colo' | 'pre-switchover' | 'device' | 'wait-unplug'
  ram?: { transferred: number; remaining: number; total: number; mbps: number; normal: number; duplicate: number; 'page-size': number }
  'error-desc'?: string
  'blocked-reasons'?: string[]
  'total-time'?: number
  downtime?: number
}

export interface BlockStats {
  device?: string
  qdev?: string
  'node-name'?: string
  stats: { rd_bytes: number; wr_bytes: number; rd_operations: number; wr_operations: number }
}

/** A drive of the guest's, and the node that it reads and writes now. */
export interface BlockInfo {
  device: string
  qdev?: string
  inserted?: { 'node-name'?: string; file: string; ro: boolean; drv: string }
  tray_open?: boolean
}

export interface BlockNodeInfo {
  'node-name': string
  drv: string
  file: string
  ro: boolean
  image?: { 'virtual-size'?: number; 'format-specific'?: { type: string; data: JsonObject } }
  'dirty-bitmaps'?: { name?: string; count: number; recording: boolean; persistent: boolean; busy: boolean; inconsistent?: boolean }[]
}

export interface TransactionAction { [key: string]: Json; type: string; data: JsonObject }

export interface JobInfo {
  id: string
  type: string
  status: 'undefined' | 'created' | 'running' | 'paused' | 'ready' | 'standby' | 'waiting' | 'pending' | 'aborting' | 'concluded' | 'null'
  'current-progress': number
  'total-progress': number
  error?: string
}

/** A place for processors on the board; `qom-path`: of the one that is in it [qapi/machine.json, HotpluggableCPU]. */
export interface HotpluggableCpu {
  type: string
  'vcpus-count': number
  props: { 'node-id'?: number; 'drawer-id'?: number; 'book-id'?: number; 'socket-id'?: number; 'die-id'?: number; 'cluster-id'?: number; 'module-id'?: number; 'core-id'?: number; 'thread-id'?: number }
  'qom-path'?: string
}

export interface CpuInfoFast { 'cpu-index': number; 'thread-id': number; 'qom-path': string }

export interface GuestBalloonStats { stats: Record<string, number>; 'last-update': number }

export interface ChardevInfo { label: string; filename: string; 'frontend-open': boolean }

/** Every command that Ringside sends: its arguments and what comes back. The names are QEMU's. */
export interface QmpCommands {
  'qmp_capabilities': { arguments: undefined; returns: JsonObject }
  'query-version': { arguments: undefined; returns: VersionInfo }
  'query-status': { arguments: undefined; returns: StatusInfo }
  'query-name': { arguments: undefined; returns: { name?: string } }
  'query-uuid': { arguments: undefined; returns: { UUID: string } }
  'query-machines': { arguments: undefined; returns: MachineInfo[] }
  'query-cpu-definitions': { arguments: undefined; returns: CpuDefinitionInfo[] }
  'query-qmp-schema': { arguments: undefined; returns: SchemaInfo[] }
  'device-list-properties': { arguments: { typename: string }; returns: { name: string; type: string }[] }
  'qom-list-types': { arguments: { implements?: string; abstract?: boolean }; returns: { name: string }[] }
  'qom-get': { arguments: { path: string; property: string }; returns: Json | GuestBalloonStats }
  'qom-set': { arguments: { path: string; property: string; value: Json }; returns: JsonObject }
  'cont': { arguments: undefined; returns: JsonObject }
  'stop': { arguments: undefined; returns: JsonObject }
  'quit': { arguments: undefined; returns: JsonObject }
  'system_powerdown': { arguments: undefined; returns: JsonObject }
  'system_reset': { arguments: undefined; returns: JsonObject }
  'system_wakeup': { arguments: undefined; returns: JsonObject }
  'screendump': { arguments: { filename: string; format?: 'png' | 'ppm' }; returns: JsonObject }
  'query-memdev': { arguments: undefined; returns: { id?: string; share?: boolean }[] }
  'chardev-add': { arguments: { id: string; backend: JsonObject }; returns: { pty?: string } }
  'chardev-remove': { arguments: { id: string }; returns: JsonObject }
  'query-chardev': { arguments: undefined; returns: ChardevInfo[] }
  'device_add': { arguments: { driver: string; id: string; [property: string]: Json }; returns: JsonObject }
  'device_del': { arguments: { id: string }; returns: JsonObject }
  'qom-list': { arguments: { path: string }; returns: { name: string; type: string }[] }
  'object-add': { arguments: { 'qom-type': string; id: string; [property: string]: Json }; returns: JsonObject }
  'object-del': { arguments: { id: string }; returns: JsonObject }
  'set-action': { arguments: { watchdog: string }; returns: JsonObject }
  'netdev_add': { arguments: { type: string; id: string; [option: string]: Json }; returns: JsonObject }
  'blockdev-open-tray': { arguments: { id: string; force?: boolean }; returns: JsonObject }
  'blockdev-close-tray': { arguments: { id: string }; returns: JsonObject }
  'blockdev-remove-medium': { arguments: { id: string }; returns: JsonObject }
  'blockdev-insert-medium': { arguments: { id: string; 'node-name': string }; returns: JsonObject }
  'query-vnc-servers': { arguments: undefined; returns: { id: string; server: { host: string; service: string }[] }[] }
  'migrate': { arguments: { uri: string }; returns: JsonObject }
  'migrate_cancel': { arguments: undefined; returns: JsonObject }
  'migrate-incoming': { arguments: { uri: string }; returns: JsonObject }
  'migrate-set-capabilities': { arguments: { capabilities: { capability: string; state: boolean }[] }; returns: JsonObject }
  'query-migrate-capabilities': { arguments: undefined; returns: { capability: string; state: boolean }[] }
  'migrate-set-parameters': { arguments: JsonObject; returns: JsonObject }
  'query-migrate': { arguments: undefined; returns: MigrationInfo }
  'query-blockstats': { arguments: undefined; returns: BlockStats[] }
  'query-cpus-fast': { arguments: undefined; returns: CpuInfoFast[] }
  'query-hotpluggable-cpus': { arguments: undefined; returns: HotpluggableCpu[] }
  'balloon': { arguments: { value: number }; returns: JsonObject }
  'query-balloon': { arguments: undefined; returns: { actual: number } }
  'blockdev-add': { arguments: { driver: string; 'node-name': string; [option: string]: Json }; returns: JsonObject }
  'blockdev-del': { arguments: { 'node-name': string }; returns: JsonObject }
  'query-block': { arguments: undefined; returns: BlockInfo[] }
  'query-named-block-nodes': { arguments: { flat: boolean }; returns: BlockNodeInfo[] }
  'block-dirty-bitmap-remove': { arguments: { node: string; name: string }; returns: JsonObject }
  'transaction': { arguments: { actions: TransactionAction[] }; returns: JsonObject }
  'block_set_io_throttle': { arguments: { id: string; bps: number; bps_rd: number; bps_wr: number; iops: number; iops_rd: number; iops_wr: number }; returns: JsonObject }
  'set_link': { arguments: { name: string; up: boolean }; returns: JsonObject }
  'block_resize': { arguments: { 'node-name': string; size: number }; returns: unknown }
  'block-stream': {
    arguments: {
      'job-id': string; device: string; 'base-node'?: string; 'backing-file'?: string; 'filter-node-name'?: string; 'auto-finalize'?: boolean; 'auto-dismiss'?: boolean
    }
    returns: JsonObject
  }
  'blockdev-mirror': {
    arguments: {
      'job-id': string; device: string; target: string; sync: 'full'; 'copy-mode': 'write-blocking'; 'filter-node-name': string; 'auto-finalize': boolean; 'auto-dismiss': boolean
    }
    returns: JsonObject
  }
  'query-jobs': { arguments: undefined; returns: JobInfo[] }
  'job-cancel': { arguments: { id: string }; returns: JsonObject }
  'job-complete': { arguments: { id: string }; returns: JsonObject }
  'job-finalize': { arguments: { id: string }; returns: JsonObject }
  'job-dismiss': { arguments: { id: string }; returns: JsonObject }
  'human-monitor-command': { arguments: { 'command-line': string }; returns: string }
}

export type QmpCommandName = keyof QmpCommands

/** Every event that Ringside acts on. Others arrive as `QmpEvent` with unknown data. */
export interface QmpEvents {
  STOP: JsonObject
  RESUME: JsonObject
  RESET: { guest: boolean; reason?: string }
  POWERDOWN: JsonObject
  SHUTDOWN: { guest: boolean; reason: ShutdownCause }
  SUSPEND: JsonObject
  WAKEUP: JsonObject
  GUEST_PANICKED: { action: string }
  BLOCK_IO_ERROR: { device: string; 'node-name'?: string; operation: 'read' | 'write'; action: 'ignore' | 'report' | 'stop'; nospace?: boolean; reason: string }
  DEVICE_DELETED: { device?: string; path: string }
  DEVICE_UNPLUG_GUEST_ERROR: { device?: string; path: string }
  DEVICE_TRAY_MOVED: { device: string; id: string; 'tray-open': boolean }
  MIGRATION: { status: NonNullable<MigrationInfo['status']> }
  WATCHDOG: { action: string }
}

/** `ShutdownCause` [qapi/run-state.json]. */
export type ShutdownCause =
  | 'none' | 'host-error' | 'host-qmp-quit' | 'host-qmp-system-reset' | 'host-signal' | 'host-ui' | 'guest-shutdown' | 'guest-reset'
  | 'guest-panic' | 'subsystem-reset' | 'snapshot-load'

export type QmpEventName = keyof QmpEvents

export interface QmpEvent {
  event: string
  data: JsonObject
  timestamp: { seconds: number; microseconds: number }
}

/** Whether the event is the named one; narrows its data. */
export function isEvent<E extends QmpEventName>(event: QmpEvent, name: E): event is QmpEvent & { event: E; data: QmpEvents[E] & JsonObject } {
  return event.event === name
}

/** The first line of a monitor. */
export interface QmpGreeting { version: VersionInfo; capabilities: string[] }
