/** Counts events in a sliding window. */
export interface RateLimit {
  /** Counts one; false when that is one too many. */
  take(key?: string): boolean
  /** Whether the next one would be too many; counts nothing. */
  isSpent(key?: string): boolean
}

/** Keys that are remembered at once: an attacker with many addresses must not fill the memory. */
const maxKeys = 1024

/**
 * A token bucket for each key: `limit` at once, then `limit` per `windowMs`.
 * @param now milliseconds of a clock that never goes back
 */
export function createRateLimit(limit: number, windowMs: number, now: () => number = () => performance.now()): RateLimit {
  const buckets = new Map<string, { left: number; at: number }>()
  const bucketFor = (key: string): { left: number; at: number } => {
    const at = now()
    const old = buckets.get(key)
    const left = old ? Math.min(limit, old.left + ((at - old.at) / windowMs) * limit) : limit
    const bucket = { left, at }
    buckets.delete(key)
    buckets.set(key, bucket)
    if (buckets.size > maxKeys) for (const oldest of buckets.keys()) { buckets.delete(oldest); break }
    return bucket
  }
  return {
    take(key = '') {
      const bucket = bucketFor(key)
      if (bucket.left < 1) return false
      bucket.left -= 1
      return true
    },
    isSpent: (key = '') => bucketFor(key).left < 1,
  }
}
