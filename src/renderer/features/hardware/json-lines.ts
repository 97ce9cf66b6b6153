/** Where a JSON text breaks off, and what is wrong there. */
export interface JsonFault { readonly line: number; readonly message: string }
export type JsonReading = { readonly value: unknown; readonly lines: ReadonlyMap<string, number> } | { readonly fault: JsonFault }

class Broken extends Error {
  constructor(readonly at: number, message: string) { super(message) }
}

/**
 * Reads a JSON text and remembers the line (from 1) on which each value stands, by its dotted path; the root’s path is empty. The texts of the browsers’ own faults
 * differ and most name no line, so faults are found here, in words.
 */
export function readJson(text: string): JsonReading {
  const lines = new Map<string, number>()
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length
  let at = 0
  const spaces = (): void => { while (/\s/u.test(text.charAt(at))) at += 1 }
  const expect = (sign: string, after: string): void => {
    spaces()
    if (text.charAt(at) !== sign) throw new Broken(at, `${after} comes “${sign}”${at < text.length ? `, not “${text.charAt(at)}”` : ', but the text ends'}.`)
    at += 1
  }
  function string(): string {
    const begin = at
    const match = /"(?:[^"\\\n]|\\.)*"/uy
    match.lastIndex = begin
    const found = match.exec(text)?.[0]
    if (found === undefined) throw new Broken(begin, 'The text in quotation marks does not end on this line.')
    at += found.length
    try {
      return JSON.parse(found) as string
    } catch {
      throw new Broken(begin, `${found} is no text that JSON knows; write a backslash twice.`)
    }
  }
  function list(path: string): unknown[] {
    const items: unknown[] = []
    at += 1
    spaces()
    if (text.charAt(at) === ']') { at += 1; return items }
    for (;;) {
      items.push(value(path === '' ? String(items.length) : `${path}.${String(items.length)}`))
      spaces()
      if (text.charAt(at) === ']') { at += 1; return items }
      expect(',', 'After an entry of a list')
    }
  }
  function object(path: string): Record<string, unknown> {
    const members: Record<string, unknown> = {}
    at += 1
    spaces()
    if (text.charAt(at) === '}') { at += 1; return members }
    for (;;) {
      spaces()
      if (text.charAt(at) !== '"') throw new Broken(at, text.charAt(at) === '}' ? 'After the last setting comes no comma.' : 'A setting begins with its name in quotation marks.')
      const from = at
      const key = string()
      if (Object.hasOwn(members, key)) throw new Broken(from, `“${key}” is there twice.`)
      expect(':', `After “${key}”`)
      Object.defineProperty(members, key, { value: value(path === '' ? key : `${path}.${key}`), enumerable: true, configurable: true, writable: true })
      spaces()
      if (text.charAt(at) === '}') { at += 1; return members }
      expect(',', `After “${key}” and its value`)
    }
  }
  function value(path: string): unknown {
    spaces()
    lines.set(path, lineAt(at))
    const sign = text.charAt(at)
    if (sign === '{') return object(path)
    if (sign === '[') return list(path)
    if (sign === '"') return string()
    const word = /[^\s,\]}:]*/uy
    word.lastIndex = at
    const found = word.exec(text)?.[0] ?? ''
    if (!/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/u.test(found)) {
      throw new Broken(at, found === '' ? (at < text.length ? `Here a value is missing before “${sign}”.` : 'The text ends where a value should be.') : `“${found.slice(0, 40)}” is no value; text stands in quotation marks.`)
    }
    at += found.length
    return JSON.parse(found) as unknown
  }
  try {
    const whole = value('')
    spaces()
    if (at < text.length) throw new Broken(at, 'After the end there is more.')
    return { value: whole, lines }
  } catch (thrown) {
    if (thrown instanceof Broken) return { fault: { line: lineAt(thrown.at), message: thrown.message } }
    throw thrown
  }
}

/** The line of a path, or of the nearest that it lies in. */
export function lineOf(lines: ReadonlyMap<string, number>, path: string): number {
  const keys = path.split('.')
  for (let length = keys.length; length > 0; length -= 1) {
    const line = lines.get(keys.slice(0, length).join('.'))
    if (line !== undefined) return line
  }
  return lines.get('') ?? 1
}
