import { Firmware, type MachineHardware } from '@shared/model'
import { usageError } from './cli'

/**
 * Hardware with values put in by their paths, as `memoryMiB=4096`, `processors.cores=4`, `disks.disk0.bus=sata` or `sound={"model":"ac97"}`. A device is named by its id or its number.
 * What the value may be is the host's to say; only a path that leads nowhere is wrong usage.
 */
export function withValues(hardware: MachineHardware, changes: readonly string[]): unknown {
  const edited = structuredClone(hardware) as unknown
  const values = changes.map((change) => {
    const at = change.indexOf('=')
    if (at < 1) throw usageError(`error: ${change} is no change: write it as PATH=VALUE, such as memoryMiB=4096`)
    return { path: change.slice(0, at), value: valueOf(change.slice(at + 1)) }
  })
  // What else a firmware has depends on its kind.
  for (const { path, value } of values) if (path === 'firmware.type' && value !== hardware.firmware.type) put(edited, 'firmware', firmwareOf(value))
  for (const { path, value } of values) put(edited, path, value)
  return edited
}

function firmwareOf(type: unknown): unknown {
  const parsed = Firmware.safeParse({ type })
  return parsed.success ? parsed.data : { type }
}

function put(root: unknown, path: string, value: unknown): void {
  const keys = path.split('.')
  const last = keys.pop() ?? ''
  let node = root
  for (const [index, key] of keys.entries()) {
    node = within(node, key, path)
    const part = keys.slice(0, index + 1).join('.')
    if (node === null) throw usageError(`error: ${part} is not there yet: give it as a whole, such as ${part}='{"${keys[index + 1] ?? last}":…}'`)
  }
  if (Array.isArray(node)) {
    const index = indexOf(node, last)
    // One more at the end.
    if (index === null && last !== String(node.length)) throw nowhere(path)
    node[index ?? node.length] = value
    return
  }
  // A part of a choice that is not made yet, such as `boot.kernel.kernel`, is given as a whole. `__proto__` is nobody's own.
  if (path === 'firmware.secureBoot' && typeof node === 'object' && node !== null && !Object.hasOwn(node, last)) throw usageError(`error: only UEFI has ${path}; set firmware.type=uefi with it`)
  if (typeof node !== 'object' || node === null || !Object.hasOwn(node, last)) throw nowhere(path)
  ;(node as Record<string, unknown>)[last] = value
}

function within(node: unknown, key: string, path: string): unknown {
  if (Array.isArray(node)) {
    const index = indexOf(node, key)
    if (index !== null) return node[index]
  } else if (typeof node === 'object' && node !== null && Object.hasOwn(node, key)) return (node as Record<string, unknown>)[key]
  throw nowhere(path)
}

function indexOf(list: readonly unknown[], key: string): number | null {
  const named = list.findIndex((item) => typeof item === 'object' && item !== null && 'id' in item && item.id === key)
  if (named >= 0) return named
  return /^\d{1,3}$/u.test(key) && Number(key) < list.length ? Number(key) : null
}

function nowhere(path: string): Error {
  return usageError(`error: this hardware has no ${path}; "ringside hardware show --json" tells what there is`)
}

/** JSON where it is some, otherwise the text itself. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
