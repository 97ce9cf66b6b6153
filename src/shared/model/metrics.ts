import { z } from 'zod'

/**
 * One reading of one machine. null means that the figure can't be had (never zero in its place).
 * Rates are averages since the previous reading.
 */
export const MetricsSample = z.object({
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** Processor use of the guest's virtual processors, 0..1 of all of them together. */
  cpuFraction: z.number().nullable(),
  /** Processor use of the whole QEMU process in cores (1 = one host core). */
  hostCpuCores: z.number().nullable(),
  /** Memory that the guest says it uses, bytes (balloon statistics). */
  guestMemoryUsedBytes: z.number().nullable(),
  /** Memory that the guest has now, bytes (balloon). */
  guestMemoryBytes: z.number().nullable(),
  /** Resident memory of the QEMU process, bytes. */
  hostMemoryBytes: z.number().nullable(),
  diskReadBytesPerSecond: z.number().nullable(),
  diskWriteBytesPerSecond: z.number().nullable(),
  networkReceiveBytesPerSecond: z.number().nullable(),
  networkTransmitBytesPerSecond: z.number().nullable(),
})
export type MetricsSample = z.infer<typeof MetricsSample>
