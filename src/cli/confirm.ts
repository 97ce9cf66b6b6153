import { createInterface } from 'node:readline/promises'
import { usageError, type Run } from './cli'
import { isInteractive } from './terminal'

/**
 * Refuses to go on where nobody can answer a question.
 * @param what as in “deleting asks first”
 * @throws wrong usage
 */
export function requirePerson(run: Run, what: string): void {
  if (run.json || !isInteractive(run.terminal.stdin)) throw usageError(`error: ${what} asks first; say --yes where nobody can answer`)
}

/** Asks; anything but a yes is a no. */
export async function agrees(run: Run, question: string): Promise<boolean> {
  const lines = createInterface({ input: run.terminal.stdin, output: run.terminal.stderr })
  try {
    return /^y(es)?$/iu.test((await lines.question(question, { signal: run.signal })).trim())
  } finally {
    lines.close()
  }
}
