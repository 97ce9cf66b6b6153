import type { JsonObject } from '../qmp/qmp-types'

/**
 * One `key=value` of QEMU's comma-separated option syntax. A comma in the value is doubled [qemu-option.c: get_opt_value]; nothing
 * else is special there, and no shell reads it.
 */
export function option(key: string, value: string | number | boolean): string {
  const text = typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)
  return `${key}=${text.replaceAll(',', ',,')}`
}

/** Options joined into one argument, the absent ones left out. */
export function options(...parts: (string | null | undefined | false)[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(',')
}

/** An argument in JSON, for the options that take it since QEMU 6.2 or before: `-blockdev`, `-device`, `-netdev`, `-object`. */
export function json(value: JsonObject): string {
  return JSON.stringify(value)
}
