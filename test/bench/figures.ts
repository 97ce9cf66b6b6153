import { afterAll } from 'vitest'

/** Prints figures for people when all tests of the file have ended, one a line. */
export function figures(): (name: string, figure: string, goal?: string) => void {
  const lines: string[] = []
  afterAll(() => {
    process.stdout.write(`\n${lines.join('\n')}\n\n`)
  })
  return (name, figure, goal = '') => {
    lines.push(`${name.padEnd(58)} ${figure.padEnd(34)} ${goal}`.trimEnd())
  }
}

/** Milliseconds that something took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Milliseconds as people read them: small ones exactly, large ones as seconds. */
export function inWords(ms: number): string {
  return ms < 10_000 ? `${ms.toFixed(ms < 100 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`
}
