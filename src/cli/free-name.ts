/** A name of letters, digits, dots, dashes and underscores, at most 24 of them, from any other. */
export function nameOf(text: string, otherwise: string): string {
  const name = text.normalize('NFKD').replace(/[^A-Za-z0-9._-]+/gu, '-').replace(/^[-.]+|[-.]+$/gu, '').slice(0, 24)
  return name === '' ? otherwise : name
}

/** The name, or with the first number behind it that makes it free. @param from where numbers begin; with one, the name itself is not taken */
export function freeName(name: string, taken: readonly string[], from?: number): string {
  if (from === undefined && !taken.includes(name)) return name
  for (let number = from ?? 2; ; number += 1) if (!taken.includes(`${name}${String(number)}`)) return `${name}${String(number)}`
}
