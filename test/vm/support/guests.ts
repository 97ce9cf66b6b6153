import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dependencyOf, firstAvailablePackage, unpackedPackage } from './debian-packages'
import { buildInitrd, guestModules, guestModulesOnDemand } from './initrd'
import { collectModules } from './kernel-modules'

/** A Linux guest by direct kernel boot: absolute paths of files that tests may use in place but must not write. */
export interface LinuxGuest {
  kernel: string
  initrd: string
  commandLine: string
}

export interface Guests {
  linux: LinuxGuest
  /** GRUB's rescue CD: ends at a `grub>` prompt on the screen. */
  grubIso: string
  /** Memtest86+: fills the screen and starts testing. */
  memtestIso: string
}

const here = dirname(fileURLToPath(import.meta.url))
const cache = join(here, '../../../node_modules/.cache/ringside-guests')

/** Where packages lie unpacked. */
export const packagesCache = join(cache, 'packages')

/** Both consoles get the kernel's messages; the shell is on the serial one. */
const commandLine = 'console=tty0 console=ttyS0,115200 loglevel=5 mitigations=off panic=-1'

let guests: Promise<Guests> | undefined

/**
 * The guests of the tests, out of Debian packages that are downloaded and unpacked into a cache folder, not installed. The first
 * call on a machine takes some seconds and a network; every later one only looks whether the files are there.
 * @throws with what is missing where there is no apt or no mirror
 */
export function prepareGuests(): Promise<Guests> {
  guests ??= prepare().catch((error: unknown) => {
    guests = undefined
    throw error
  })
  return guests
}

export async function linuxGuest(): Promise<LinuxGuest> {
  return (await prepareGuests()).linux
}

export async function grubIso(): Promise<string> {
  return (await prepareGuests()).grubIso
}

export async function memtestIso(): Promise<string> {
  return (await prepareGuests()).memtestIso
}

/** UEFI firmware with its empty variables, as Debian's ovmf package lays them out. */
export async function ovmf(): Promise<{ code: string; variables: string }> {
  const folder = join(await unpackedPackage('ovmf', packagesCache), 'usr/share/OVMF')
  return { code: join(folder, 'OVMF_CODE_4M.fd'), variables: join(folder, 'OVMF_VARS_4M.fd') }
}

async function prepare(): Promise<Guests> {
  const manifest = join(cache, `guests-${await recipeHash()}.json`)
  const known = await readManifest(manifest)
  if (known) return known
  const made = await make()
  await writeWhole(manifest, JSON.stringify(made, null, 2))
  return made
}

async function make(): Promise<Guests> {
  const kernelPackage = await dependencyOf(
    await firstAvailablePackage(['linux-image-cloud-amd64', 'linux-image-virtual']),
    /^linux-image-\d/,
  )
  const [kernelFolder, busybox, grub, memtest] = await Promise.all([
    unpackedPackage(kernelPackage, packagesCache),
    unpackedPackage('busybox-static', packagesCache),
    unpackedPackage('grub-rescue-pc', packagesCache),
    unpackedPackage('memtest86+', packagesCache),
  ])
  const release = kernelPackage.replace('linux-image-', '')
  return {
    linux: {
      kernel: await present(join(kernelFolder, 'boot', `vmlinuz-${release}`)),
      initrd: await makeInitrd(
        release,
        await modulesFolder(kernelFolder, release),
        await firstPresent(busybox, ['bin/busybox', 'usr/bin/busybox']),
      ),
      commandLine,
    },
    grubIso: await present(join(grub, 'usr/lib/grub-rescue/grub-rescue-cdrom.iso')),
    memtestIso: await firstPresent(memtest, ['usr/lib/memtest86+/memtest86+x64.iso', 'boot/memtest86+.iso']),
  }
}

async function makeInitrd(release: string, modules: string, busybox: string): Promise<string> {
  const image = buildInitrd(await readFile(busybox), await collectModules(modules, guestModules), await collectModules(modules, guestModulesOnDemand))
  const name = join(cache, 'initrd', `${release}-${hash(image)}.cpio.gz`)
  await mkdir(dirname(name), { recursive: true })
  await writeWhole(name, image)
  return name
}

/** Also when several test files come to it at the same time. */
async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const partial = `${path}.${String(process.pid)}.partial`
  await writeFile(partial, content)
  await rename(partial, path)
}

async function modulesFolder(kernelFolder: string, release: string): Promise<string> {
  return firstPresent(kernelFolder, [`lib/modules/${release}`, `usr/lib/modules/${release}`])
}

/** Changes when the code that makes the guests does, so that a stale cache is never used. */
async function recipeHash(): Promise<string> {
  const sources = (await readdir(here))
    .filter((name) => ['cpio.ts', 'guests.ts', 'initrd.ts', 'kernel-modules.ts'].includes(name))
    .toSorted()
  return hash(Buffer.concat(await Promise.all(sources.map((name) => readFile(join(here, name))))))
}

async function readManifest(path: string): Promise<Guests | null> {
  try {
    const known = JSON.parse(await readFile(path, 'utf8')) as Guests
    await Promise.all([known.linux.kernel, known.linux.initrd, known.grubIso, known.memtestIso].map(present))
    return known
  } catch {
    await mkdir(cache, { recursive: true })
    return null
  }
}

async function firstPresent(folder: string, candidates: string[]): Promise<string> {
  for (const candidate of candidates) {
    const path = join(folder, candidate)
    if (await present(path).catch(() => null)) return path
  }
  throw new Error(
    `The package in ${folder} has none of ${candidates.join(', ')}: this release lays it out in a way that the tests don't know.`,
  )
}

async function present(path: string): Promise<string> {
  await access(path)
  return path
}

function hash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 12)
}
