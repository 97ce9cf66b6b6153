export interface RemedyPart { text: string; code: boolean }

/** A command within a sentence: from a program that remedies name up to a wide space, a bracket, a semicolon or the sentence's end. */
const command = /(?:\bsudo|\bbrew|\bdocker run|\bdism(?:\.exe)?|\bbcdedit|\bEnable-WindowsOptionalFeature)\s[^();\n]*?(?=\s{2,}|\s*[();]|\.(?:\s|$)|\s*$)/giu

/** Takes advice apart into words and commands, which stand in backticks or are recognised by the program that they begin with. */
export function splitRemedy(text: string): RemedyPart[] {
  if (text.includes('`')) return text.split('`').map((part, index) => ({ text: part, code: index % 2 === 1 })).filter((part) => part.text !== '')
  const parts: RemedyPart[] = []
  let from = 0
  for (const match of text.matchAll(command)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), code: false })
    parts.push({ text: match[0], code: true })
    from = match.index + match[0].length
  }
  if (from < text.length) parts.push({ text: text.slice(from), code: false })
  return parts
}
