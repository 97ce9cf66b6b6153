import type { SchemaInfo } from '../qmp'

/**
 * What a QEMU binary can, one name each: from its schema, or proved by doing it. They are the keys of `QemuReport.features`.
 * `sandbox`, `ioUring` and `linuxAio` are proved, since the schema names them in builds that lack them.
 */
export const featureNames = [
  'sandbox', 'ioUring', 'linuxAio', 'backgroundSnapshot', 'mappedRam', 'multifd', 'fileMigration', 'screendumpPng', 'vdagent', 'netdevStream',
  'queryStats', 'setAction', 'jsonDevices', 'memfd', 'eglHeadless', 'tpmEmulator', 'luks',
] as const
export type FeatureName = (typeof featureNames)[number]
export type Features = Record<FeatureName, boolean>

/** What Ringside can't do without: the name for people, and how the schema shows it. */
const required: readonly { name: string; isThere: (schema: Schema) => boolean }[] = [
  { name: 'devices described in JSON', isThere: (schema) => schema.hasFeature('device_add', 'json-cli') },
  { name: 'the QMP command “blockdev-add”', isThere: (schema) => schema.hasCommand('blockdev-add') },
  { name: 'the QMP command “blockdev-insert-medium”', isThere: (schema) => schema.hasCommand('blockdev-insert-medium') },
  { name: 'the QMP command “query-cpus-fast”', isThere: (schema) => schema.hasCommand('query-cpus-fast') },
  { name: 'the QMP command “qom-list-types”', isThere: (schema) => schema.hasCommand('qom-list-types') },
  { name: 'the QMP command “migrate-incoming”', isThere: (schema) => schema.hasCommand('migrate-incoming') },
  { name: 'the QMP command “screendump”', isThere: (schema) => schema.hasCommand('screendump') },
  { name: 'a memory backend that saved state can name', isThere: (schema) => schema.hasEnum(['memory-backend-ram', 'memory-backend-file']) || schema.hasCommand('object-add') },
]

/** Names of what this QEMU lacks and Ringside needs; empty when it will do. */
export function missingFeatures(entries: readonly SchemaInfo[]): string[] {
  const schema = new Schema(entries)
  return required.filter(({ isThere }) => !isThere(schema)).map(({ name }) => name)
}

/** What the schema shows. The proved ones are false here. */
export function readFeatures(entries: readonly SchemaInfo[]): Features {
  const schema = new Schema(entries)
  // Types have no names in the schema, only what they hold; each of these sets belongs to one type.
  const migrates = (capability: string): boolean => schema.hasEnum(['postcopy-ram', capability])
  return {
    sandbox: false,
    ioUring: false,
    linuxAio: false,
    backgroundSnapshot: migrates('background-snapshot'),
    mappedRam: migrates('mapped-ram'),
    multifd: migrates('multifd'),
    fileMigration: schema.hasEnum(['socket', 'exec', 'file'], 5),
    screendumpPng: schema.hasArgument('screendump', 'format'),
    vdagent: schema.hasEnum(['socket', 'qemu-vdagent']),
    netdevStream: schema.hasEnum(['user', 'hubport', 'stream']),
    queryStats: schema.hasCommand('query-stats'),
    setAction: schema.hasCommand('set-action'),
    jsonDevices: schema.hasFeature('device_add', 'json-cli'),
    // `BlockdevQcow2EncryptionFormat`; the formats that can be made by themselves are many more.
    luks: schema.hasEnum(['aes', 'luks'], 3),
    memfd: schema.hasEnum(['memory-backend-ram', 'memory-backend-memfd']),
    eglHeadless: schema.hasEnum(['none', 'egl-headless']),
    tpmEmulator: schema.hasCommand('query-tpm') && schema.hasEnum(['passthrough', 'emulator']),
  }
}

/** QEMU's schema, as far as it is asked. */
class Schema {
  readonly #byName: Map<string, SchemaInfo>

  constructor(private readonly entries: readonly SchemaInfo[]) {
    this.#byName = new Map(entries.map((entry) => [entry.name, entry]))
  }

  hasCommand(name: string): boolean {
    return this.#byName.get(name)?.['meta-type'] === 'command'
  }

  hasFeature(command: string, feature: string): boolean {
    return this.#byName.get(command)?.features?.includes(feature) === true
  }

  hasArgument(command: string, argument: string): boolean {
    const type = this.#byName.get(this.#byName.get(command)?.['arg-type'] ?? '')
    return type?.members?.some((member) => member.name === argument) === true
  }

  /**
   * Whether an enumeration has all these values.
   * @param most values that it may have, to tell it from a larger one that has them too
   */
  hasEnum(values: readonly string[], most = Infinity): boolean {
    return this.entries.some((entry) => entry.values !== undefined && entry.values.length <= most && values.every((value) => entry.values?.includes(value) === true))
  }
}
