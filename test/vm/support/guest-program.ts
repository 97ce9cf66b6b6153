import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { cpio, type CpioEntry } from './cpio'
import { firstAvailablePackage, unpackedPackage } from './debian-packages'
import { packagesCache, type LinuxGuest } from './guests'

/**
 * The guest with a program out of Debian packages, and the libraries that it needs.
 * @param program where it is in the guest, such as `bin/ioping`
 * @param packages that of the program first; each under the names that it has in releases of Debian and Ubuntu
 * @param initrd the file to write
 */
export async function withProgram(guest: LinuxGuest, program: string, packages: readonly string[][], initrd: string): Promise<LinuxGuest> {
  const names = await Promise.all(packages.map(firstAvailablePackage))
  const unpacked = await Promise.all(names.map((name) => unpackedPackage(name, packagesCache)))
  const libraries = new Map<string, Buffer>()
  let content: Buffer | null = null
  for (const root of unpacked) {
    for (const name of await readdir(root, { recursive: true })) {
      const isProgram = /(?:^|\/)s?bin\/[^/]+$/u.test(name) && basename(name) === basename(program)
      if (!isProgram && !/^(?:usr\/)?lib(?:64)?\/.*\.so(?:\.[\d.]+)?$/u.test(name)) continue
      if (!(await stat(join(root, name))).isFile()) continue
      if (isProgram) content = await readFile(join(root, name))
      else if (!name.includes('/gconv/')) libraries.set(basename(name), await readFile(join(root, name)))
    }
  }
  if (content === null) throw new Error(`The package ${names[0] ?? ''} has no ${basename(program)} where it is looked for.`)
  const folders = ['usr', 'lib', 'lib/x86_64-linux-gnu', 'lib64', 'var', 'var/run', dirname(program)]
  const added = cpio([
    ...folders.map((name): CpioEntry => ({ type: 'folder', name })),
    { type: 'file', name: program, content, executable: true },
    ...needed(content, libraries).map(([name, library]): CpioEntry => ({ type: 'file', name: `lib/x86_64-linux-gnu/${name}`, content: library, executable: true })),
    { type: 'link', name: 'lib64/ld-linux-x86-64.so.2', target: '../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2' },
  ])
  await mkdir(dirname(initrd), { recursive: true })
  // The kernel unpacks one archive after the other.
  await writeFile(initrd, Buffer.concat([await readFile(guest.initrd), gzipSync(added, { level: 1 })]))
  return { ...guest, initrd }
}

/** The libraries that a program needs, and those need, by the names in their tables. */
function needed(program: Buffer, libraries: ReadonlyMap<string, Buffer>): [string, Buffer][] {
  const found = new Map<string, Buffer>()
  const queue = [program]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const [name, content] of libraries) {
      if (found.has(name) || !next.includes(`${name}\0`)) continue
      found.set(name, content)
      queue.push(content)
    }
  }
  return [...found]
}
