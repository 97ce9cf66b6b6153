/** A line of a command line: an option with its values. */
export interface ArgvLine {
  readonly kind: 'same' | 'added' | 'removed'
  readonly words: readonly string[]
}

/** An option with what belongs to it; the program first. */
export function optionsOf(argv: readonly string[]): string[][] {
  const options: string[][] = []
  for (const [index, word] of argv.entries()) {
    if (index === 0 || word.startsWith('-')) options.push([word])
    else options.at(-1)?.push(word)
  }
  return options
}

/** How two command lines differ, option by option, in the order of the later one: the longest common run of options stays, the rest came or went. Pure. */
export function argvDifference(before: readonly string[], after: readonly string[]): ArgvLine[] {
  const [old, young] = [optionsOf(before), optionsOf(after)]
  const isSame = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean => a !== undefined && b !== undefined && a.length === b.length && a.every((word, index) => word === b[index])
  const common = Array.from({ length: old.length + 1 }, () => new Array<number>(young.length + 1).fill(0))
  const at = (row: number, column: number): number => common[row]?.[column] ?? 0
  for (let row = old.length - 1; row >= 0; row -= 1) {
    for (let column = young.length - 1; column >= 0; column -= 1) {
      const cells = common[row]
      if (cells) cells[column] = isSame(old[row], young[column]) ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
    }
  }
  const lines: ArgvLine[] = []
  for (let row = 0, column = 0; row < old.length || column < young.length;) {
    const [gone, come] = [old[row], young[column]]
    if (isSame(gone, come)) {
      lines.push({ kind: 'same', words: come ?? [] })
      row += 1
      column += 1
    } else if (gone !== undefined && (come === undefined || at(row + 1, column) >= at(row, column + 1))) {
      lines.push({ kind: 'removed', words: gone })
      row += 1
    } else {
      lines.push({ kind: 'added', words: come ?? [] })
      column += 1
    }
  }
  return lines
}
