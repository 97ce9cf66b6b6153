import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { cpio, type CpioEntry } from './cpio'
import { firstAvailablePackage, unpackedPackage } from './debian-packages'
import { linuxGuest, packagesCache, type LinuxGuest } from './guests'

/** What the agent needs, each under the names that it has in releases of Debian and Ubuntu. */
const packages = [
  ['qemu-guest-agent'], ['libc6'], ['libglib2.0-0t64', 'libglib2.0-0'], ['libpcre2-8-0', 'libpcre3'], ['libnuma1'], ['libudev1'], ['liburing2', 'liburing1'], ['libcap2'], ['libatomic1'], ['libgcc-s1'],
]

/** Debian's qemu-guest-agent, to be run in the Linux guest of the tests by the line of shell in `startAgent`. */
export async function agentGuest(folder: string): Promise<LinuxGuest> {
  const guest = await linuxGuest()
  const names = await Promise.all(packages.map(firstAvailablePackage))
  const unpacked = await Promise.all(names.map((name) => unpackedPackage(name, packagesCache)))
  const libraries = new Map<string, Buffer>()
  let agent: Buffer | null = null
  for (const root of unpacked) {
    for (const name of await readdir(root, { recursive: true })) {
      const file = name.split('/').at(-1) ?? ''
      const isProgram = /(?:^|\/)s?bin\/qemu-ga$/u.test(name)
      if (!isProgram && !/^(?:usr\/)?lib(?:64)?\/.*\.so(?:\.[\d.]+)?$/u.test(name)) continue
      if (!(await stat(join(root, name))).isFile()) continue
      const content = await readFile(join(root, name))
      if (isProgram) agent = content
      else if (!name.includes('/gconv/')) libraries.set(file, content)
    }
  }
  if (agent === null) throw new Error(`The package ${names[0] ?? ''} has no qemu-ga where it is looked for.`)
  const folders = ['usr', 'usr/sbin', 'lib', 'lib/x86_64-linux-gnu', 'lib64', 'var', 'var/run']
  const added = cpio([
    ...folders.map((name): CpioEntry => ({ type: 'folder', name })),
    { type: 'file', name: 'usr/sbin/qemu-ga', content: agent, executable: true },
    ...needed(agent, libraries).map(([name, content]): CpioEntry => ({ type: 'file', name: `lib/x86_64-linux-gnu/${name}`, content, executable: true })),
    { type: 'link', name: 'lib64/ld-linux-x86-64.so.2', target: '../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2' },
  ])
  const initrd = join(folder, 'agent-initrd')
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

/** For the guest's shell: the channel is found by its name, as udev would. */
export const startAgent =
  'port=$(grep -l org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name) && port=${port%/name} && { /usr/sbin/qemu-ga -m virtio-serial -p /dev/${port##*/} -t /run >/run/qemu-ga.log 2>&1 & }'
