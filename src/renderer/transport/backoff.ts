/** Milliseconds to wait before attempt number `attempt` (0 = the first): 250 ms doubling to 8 s, spread by a quarter so that windows do not knock together. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const base = Math.min(250 * 2 ** Math.min(attempt, 10), 8_000)
  return Math.round(base * (0.75 + random() * 0.5))
}
