import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

export interface KernelModule {
  /** With underscores, as the kernel reports it. */
  name: string
  content: Uint8Array
}

/**
 * The named modules and all that they need, in the order in which they can be loaded. Names that the kernel has built in, or
 * doesn't have, are left out.
 * @param modulesFolder `lib/modules/<release>` of a kernel package
 */
export async function collectModules(modulesFolder: string, names: string[]): Promise<KernelModule[]> {
  const files = await indexModules(modulesFolder)
  const loaded = new Map<string, KernelModule>()
  const add = async (name: string): Promise<void> => {
    const file = files.get(name)
    if (file === undefined || loaded.has(name)) return
    const content = await readModule(file)
    for (const dependency of dependenciesOf(content)) await add(dependency)
    loaded.set(name, { name, content })
  }
  for (const name of names) await add(name)
  return [...loaded.values()]
}

async function indexModules(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true })
  const modules = entries.filter((entry) => /\.ko(?:\.xz)?$/.test(entry))
  return new Map(modules.map((entry) => [normalised(basename(entry).replace(/\.ko.*$/, '')), join(folder, entry)]))
}

/** Newer Debian kernels come with compressed modules; dpkg itself needs xz, so it is there. */
async function readModule(file: string): Promise<Uint8Array> {
  if (!file.endsWith('.xz')) return readFile(file)
  const { stdout } = await promisify(execFile)('xz', ['-dc', file], { encoding: 'buffer', maxBuffer: 2 ** 27 })
  return stdout
}

/** A module names what it needs in its .modinfo section, as `depends=a,b` between zero bytes. */
function dependenciesOf(content: Uint8Array): string[] {
  const match = /\0depends=([^\0]*)\0/.exec(Buffer.from(content).toString('latin1'))
  return (match?.[1] ?? '').split(',').filter(Boolean).map(normalised)
}

function normalised(name: string): string {
  return name.replaceAll('-', '_')
}
