/** Where things are in the guest's memory. All of it is below 640 KiB and clear of the BIOS's data and of the boot sector. */
export const memory = {
  /** One sector or one answer of the BIOS. */
  scratch: 0x0600,
  bootSector: 0x7c00,
  program: 0x8000,
  /** Rows of the background on their way from the disk to the screen. */
  rows: 0x10000,
  /** Fonts and palettes of the screen size in use. */
  assets: 0x20000,
  assetsEnd: 0x90000,
} as const

export const sectorBytes = 512

/** Where things are on the disk, in sectors. */
export const disk = {
  record: 1,
  program: 2,
  programSectors: 32,
  assets: 34,
} as const

/** As much as one read of the BIOS fetches; a whole number of rows of every screen width in use. */
export const readSectors = 60

/** What the machine keeps on its disk: two words of magic, then format, boots, a spare word, and a checksum. */
export const record = {
  magic: 'RINGSIDE',
  format: 1,
  formatOffset: 8,
  bootsOffset: 12,
  checksumOffset: 20,
  /** The sum of this many 32-bit words is zero, modulo 2^32. */
  words: 6,
} as const
