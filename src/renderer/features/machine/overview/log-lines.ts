/** One line of a log as it is shown. */
export interface LogLine {
  /** Time of day with seconds, where the line tells one. */
  time: string
  text: string
  /** The line as it stands in the file. */
  raw: string
}

const words: Readonly<Record<string, string>> = { from: '', to: '→', how: '', accelerator: 'on', qemu: 'QEMU', workerPid: 'pid', qemuPid: 'QEMU pid' }

/** `worker.adoptionFailed` as words. */
function spoken(name: string): string {
  return name.replaceAll('.', ' ').replaceAll(/(?<=[a-z])[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`)
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value) ?? ''
}

/** Reads JSON lines (`at`, `event`, further facts) as sentences; other lines stay as they are. */
export function readLog(text: string): LogLine[] {
  return text.trimEnd().split('\n').filter((line) => line !== '').map((raw) => {
    const facts = parseLine(raw)
    if (!facts) return { time: '', text: raw, raw }
    const { at, event, ...rest } = facts
    const moment = new Date(typeof at === 'string' ? at : Number.NaN)
    const time = Number.isNaN(moment.getTime()) ? '' : moment.toLocaleTimeString(undefined, { hour12: false })
    const parts = Object.entries(rest).flatMap(([name, value]) => {
      // The event's own name says it already: `guest.paused` is of type `paused`.
      if (value === null || value === false || (name === 'type' && String(event).endsWith(valueText(value)))) return []
      const word = words[name] ?? spoken(name)
      return [word === '' ? valueText(value) : `${word} ${valueText(value)}`]
    })
    return { time, text: [spoken(String(event)), ...parts].join(' '), raw }
  })
}

function parseLine(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'event' in value ? (value) : null
  } catch {
    return null
  }
}
