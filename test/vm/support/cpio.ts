/** One entry of an archive. Names have no leading slash; folders come before what is in them. */
export type CpioEntry =
  | { type: 'folder'; name: string }
  | { type: 'file'; name: string; content: Uint8Array; executable?: boolean }
  | { type: 'link'; name: string; target: string }
  | { type: 'character'; name: string; major: number; minor: number }

const types = { folder: 0o040755, file: 0o100644, link: 0o120777, character: 0o020600 }

/** A cpio archive in the "newc" form that the kernel unpacks as its initial file system (Linux: driver-api/early-userspace/buffer-format). */
export function cpio(entries: CpioEntry[]): Buffer {
  const parts = entries.map((entry, index) => record(entry, index + 1))
  parts.push(header('TRAILER!!!', 0, 0, 0, [0, 0]))
  return Buffer.concat(parts)
}

function record(entry: CpioEntry, inode: number): Buffer {
  const content = contentOf(entry)
  const mode = types[entry.type] | (entry.type === 'file' && entry.executable === true ? 0o111 : 0)
  const device: [number, number] = entry.type === 'character' ? [entry.major, entry.minor] : [0, 0]
  return Buffer.concat([header(entry.name, inode, mode, content.length, device), content, padding(content.length)])
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.type === 'file') return Buffer.from(entry.content)
  return entry.type === 'link' ? Buffer.from(entry.target) : Buffer.alloc(0)
}

/** Magic, then thirteen numbers of eight hexadecimal digits, then the name with its zero byte, padded to four bytes. */
function header(name: string, inode: number, mode: number, size: number, device: [number, number]): Buffer {
  const nameBytes = Buffer.from(`${name}\0`)
  const numbers = [inode, mode, 0, 0, 1, 0, size, 0, 0, ...device, nameBytes.length, 0]
  const text = '070701' + numbers.map((number) => number.toString(16).padStart(8, '0')).join('')
  return Buffer.concat([Buffer.from(text), nameBytes, padding(text.length + nameBytes.length)])
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4)
}
