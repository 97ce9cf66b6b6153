/** Where in a JSON text somebody is writing. */
export interface TextPlace {
  /** `key`: the name of a setting; `value`: a value. */
  readonly kind: 'key' | 'value'
  /** Of a key: the object that it is in. Of a value: its own. Places in lists are numbers. */
  readonly path: readonly string[]
  /** What is there already, from its quotation mark on. */
  readonly from: number
  readonly to: number
  /** Names, or texts of a list, that are there beside it. */
  readonly beside: readonly string[]
}

interface Level {
  readonly isList: boolean
  readonly path: readonly string[]
  readonly seen: string[]
  index: number
  key: string | null
  isAfterColon: boolean
  hasValue: boolean
}

const word = /[^\s,:[\]{}"]+/uy
const quoted = /"(?:[^"\\\n]|\\.)*("|(?=\n)|$)/uy

/** What may be written at a place of a text that need not be whole; null: nothing. Pure. */
export function placeAt(text: string, position: number): TextPlace | null {
  const levels: Level[] = []
  let at = 0
  let current: { from: number; to: number } | null = null
  while (at < position) {
    const sign = text.charAt(at)
    const level = levels.at(-1)
    if (sign === '"' || !/[\s,:[\]{}]/u.test(sign)) {
      const pattern = sign === '"' ? quoted : word
      pattern.lastIndex = at
      const found = pattern.exec(text)?.[0] ?? sign
      const end = at + found.length
      const isClosed = sign === '"' && found.length > 1 && found.endsWith('"')
      if (position < end || (position === end && !isClosed)) {
        current = { from: at, to: end }
        break
      }
      if (level !== undefined) note(level, found)
      at = end
      continue
    }
    if (sign === '{' || sign === '[') {
      levels.push({ isList: sign === '[', path: level === undefined ? [] : pathOf(level), seen: [], index: 0, key: null, isAfterColon: false, hasValue: false })
    } else if (sign === '}' || sign === ']') {
      levels.pop()
      const outer = levels.at(-1)
      if (outer !== undefined) outer.hasValue = true
    } else if (level !== undefined && sign === ':') level.isAfterColon = true
    else if (level !== undefined && sign === ',') Object.assign(level, { index: level.index + 1, key: null, isAfterColon: false, hasValue: false })
    at += 1
  }
  const level = levels.at(-1)
  if (level === undefined || level.hasValue || (!level.isList && !level.isAfterColon && level.key !== null)) return null
  const range = current ?? { from: position, to: position }
  const isKey = !level.isList && !level.isAfterColon
  return { kind: isKey ? 'key' : 'value', path: isKey ? level.path : pathOf(level), ...range, beside: isKey || level.isList ? [...level.seen, ...after(text, range.to, level.isList)] : [] }
}

function pathOf({ isList, path, index, key }: Level): string[] {
  return [...path, isList ? String(index) : (key ?? '')]
}

function note(level: Level, found: string): void {
  const text = plain(found)
  if (level.isList) {
    level.seen.push(text)
    level.hasValue = true
  } else if (level.isAfterColon) level.hasValue = true
  else {
    level.key = text
    level.seen.push(text)
  }
}

function plain(found: string): string {
  return found.replaceAll(/^"|"$/gu, '')
}

/** What follows in the same object or list. */
function after(text: string, from: number, isList: boolean): string[] {
  const found: string[] = []
  let depth = 0
  for (let at = from; at < text.length;) {
    const sign = text.charAt(at)
    if (sign === '"') {
      quoted.lastIndex = at
      const whole = quoted.exec(text)?.[0] ?? sign
      at += whole.length
      if (depth === 0 && (isList || /^\s*:/u.test(text.slice(at, at + 40)))) found.push(plain(whole))
      continue
    }
    if (sign === '{' || sign === '[') depth += 1
    if ((sign === '}' || sign === ']') && --depth < 0) break
    at += 1
  }
  return found
}

/** The path of the setting that a place belongs to: what is under it, else the one that begins its line. Empty: none. */
export function settingAt(text: string, position: number): readonly string[] {
  const place = placeAt(text, position)
  const own = place === null ? [] : named(text, place)
  if (own.length > 0) return own
  const begin = text.lastIndexOf('\n', position - 1) + 1
  const quote = /^\s*"/u.exec(text.slice(begin))?.[0]
  if (quote === undefined) return place?.path ?? []
  const key = placeAt(text, begin + quote.length)
  return key === null ? [] : named(text, key)
}

function named(text: string, { kind, path, from, to }: TextPlace): readonly string[] {
  if (kind === 'value') return path
  return to > from ? [...path, plain(text.slice(from, to))] : []
}
