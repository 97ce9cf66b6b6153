/** Characters that a terminal obeys instead of showing them, or that turn text around (UAX #9, 2.1 and 2.2). */
const unfit = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu

/** Text of a guest as it may be shown: on one line, nothing in it that is obeyed, and no longer than so many characters. */
export function cleanText(text: string, maxLength: number): string {
  // Cut first: what a guest sends may be long.
  const characters = [...text.slice(0, maxLength * 2).replace(unfit, ' ').trim()]
  return characters.length > maxLength ? `${characters.slice(0, maxLength - 1).join('')}…` : characters.join('')
}
