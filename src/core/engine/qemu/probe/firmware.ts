import { access, readdir, readFile, realpath } from 'node:fs/promises'
import { dirname, join, posix, resolve } from 'node:path'
import { z } from 'zod'
import type { FirmwareImage } from '@shared/model'

/** A firmware descriptor [docs/interop/firmware.json], as far as it matters for a PC with flash chips. */
const Descriptor = z.object({
  description: z.string(),
  'interface-types': z.array(z.string()),
  mapping: z.object({
    device: z.literal('flash'),
    executable: z.object({ filename: z.string(), format: z.enum(['raw', 'qcow2']) }),
    'nvram-template': z.object({ filename: z.string(), format: z.enum(['raw', 'qcow2']) }),
  }),
  targets: z.array(z.object({ architecture: z.string(), machines: z.array(z.string()) })),
  features: z.array(z.string()),
})

/** Builds that come without descriptors, by their usual places: code, variables. */
const wellKnown: readonly { code: string; vars: string; folders: readonly string[] }[] = [
  { code: 'OVMF_CODE_4M.fd', vars: 'OVMF_VARS_4M.fd', folders: ['/usr/share/OVMF', '/usr/share/edk2/x64'] },
  { code: 'OVMF_CODE.fd', vars: 'OVMF_VARS.fd', folders: ['/usr/share/OVMF', '/usr/share/edk2/ovmf', '/usr/share/edk2-ovmf/x64', '/usr/share/qemu', '/usr/share/ovmf/x64'] },
  { code: 'OVMF_CODE.4m.fd', vars: 'OVMF_VARS.4m.fd', folders: ['/usr/share/edk2/x64', '/usr/share/ovmf/x64'] },
  { code: 'ovmf-x86_64-code.bin', vars: 'ovmf-x86_64-vars.bin', folders: ['/usr/share/qemu'] },
  // QEMU's own builds, in its data folder; one store of variables serves 32 and 64 bits.
  { code: 'edk2-x86_64-code.fd', vars: 'edk2-i386-vars.fd', folders: [] },
]

/** Folders with descriptors, most particular first: a file in one hides those of the same name in later ones. */
function descriptorFolders(dataFolders: readonly string[]): string[] {
  return ['/etc/qemu/firmware', '/usr/share/qemu/firmware', '/usr/local/share/qemu/firmware', ...dataFolders.map((folder) => join(folder, 'firmware'))]
}

/** Where QEMU's own data lies, judging by where its program lies. */
export async function qemuDataFolders(systemPath: string): Promise<string[]> {
  const real = await realpath(systemPath).catch(() => systemPath)
  const folders = [real, systemPath].flatMap((path) => {
    const bin = dirname(path)
    return [resolve(bin, '..', 'share', 'qemu'), join(bin, 'share'), join(bin, 'share', 'qemu')]
  })
  return [...new Set(folders)]
}

/** UEFI builds for a q35 machine on this computer, best first, each with code and variables that are there. */
export async function findFirmware(systemPath: string): Promise<FirmwareImage[]> {
  const dataFolders = await qemuDataFolders(systemPath)
  const images = [...(await fromDescriptors(descriptorFolders(dataFolders))), ...fromWellKnown(dataFolders)]
  const there: FirmwareImage[] = []
  for (const image of images) {
    if (there.some((known) => known.codePath === image.codePath && known.varsTemplatePath === image.varsTemplatePath)) continue
    if ((await isReadable(image.codePath)) && (await isReadable(image.varsTemplatePath))) there.push(image)
  }
  return there
}

async function fromDescriptors(folders: readonly string[]): Promise<FirmwareImage[]> {
  const byName = new Map<string, string>()
  for (const folder of folders) {
    const names = await readdir(folder).catch(() => [])
    for (const name of names) if (name.endsWith('.json') && !byName.has(name)) byName.set(name, join(folder, name))
  }
  // Names start with a number that says which is best.
  const files = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path)
  const images = await Promise.all(files.map(async (file) => readDescriptor(await readFile(file, 'utf8').catch(() => ''))))
  return images.filter((image) => image !== null)
}

/** null for what is damaged, empty (a mask), or for other machines. */
export function readDescriptor(text: string): FirmwareImage | null {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    return null
  }
  const parsed = Descriptor.safeParse(content)
  if (!parsed.success) return null
  const { description, mapping, targets, features } = parsed.data
  const fits = targets.some((target) => target.architecture === 'x86_64' && target.machines.some((pattern) => posix.matchesGlob('pc-q35-7.2', pattern)))
  if (!fits || !parsed.data['interface-types'].includes('uefi')) return null
  // These need a confidential guest.
  if (features.includes('intel-tdx') || mapping['nvram-template'].filename === '') return null
  return {
    codePath: mapping.executable.filename,
    codeFormat: mapping.executable.format,
    varsTemplatePath: mapping['nvram-template'].filename,
    varsFormat: mapping['nvram-template'].format,
    secureBoot: features.includes('secure-boot'),
    enrolledKeys: features.includes('enrolled-keys'),
    requiresSmm: features.includes('requires-smm'),
    description,
  }
}

function fromWellKnown(dataFolders: readonly string[]): FirmwareImage[] {
  return wellKnown.flatMap(({ code, vars, folders }) => [...folders, ...dataFolders].map((folder) => ({
    codePath: join(folder, code), codeFormat: 'raw' as const, varsTemplatePath: join(folder, vars), varsFormat: 'raw' as const,
    secureBoot: false, enrolledKeys: false, requiresSmm: false, description: `UEFI (${code})`,
  })))
}

async function isReadable(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}
