/**
 * The number of bytes that a log ends with and a live stream begins with: the longest such overlap (the border of Knuth, Morris and Pratt).
 * Linear in the length of both.
 */
export function overlap(log: Uint8Array, live: Uint8Array): number {
  // Only the end of the log can overlap.
  const end = log.length > live.length ? log.subarray(log.length - live.length) : log
  const borders = new Uint32Array(live.length)
  for (let index = 1, matched = 0; index < live.length; index += 1) {
    while (matched > 0 && live[index] !== live[matched]) matched = borders[matched - 1] ?? 0
    if (live[index] === live[matched]) matched += 1
    borders[index] = matched
  }
  let matched = 0
  for (const byte of end) {
    while (matched > 0 && (matched === live.length || byte !== live[matched])) matched = borders[matched - 1] ?? 0
    if (byte === live[matched]) matched += 1
  }
  return matched
}

/** Whether the log ends with exactly these bytes. */
export function endsWith(log: Uint8Array, bytes: Uint8Array): boolean {
  return log.length >= bytes.length && Buffer.compare(log.subarray(log.length - bytes.length), bytes) === 0
}
