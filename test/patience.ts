import { vi } from 'vitest'

/** A wait ends with what it waits for; how long it may take depends on who else uses the computer. One second is too little. Milliseconds. */
const patienceMs = 20_000

const { waitFor } = vi
vi.waitFor = (callback, options) => waitFor(callback, typeof options === 'number' ? options : { timeout: patienceMs, ...options })
