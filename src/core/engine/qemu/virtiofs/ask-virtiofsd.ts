import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { VirtiofsSupport } from '@shared/model'
import { findVirtiofsd } from './find-virtiofsd'
import { launchVirtiofsd } from './launch-virtiofsd'
import { sandboxes, type Virtiofsd } from './virtiofsd-argv'

/** What sharing folders through virtiofs comes to on this computer. */
export type VirtiofsReport = { virtiofsd: Virtiofsd; obstacle: null } | { virtiofsd: null; obstacle: string }

const patienceMs = 5_000
const answers = new Map<string, Promise<VirtiofsReport>>()

/**
 * Finds virtiofsd, asks it what it can, and proves each by starting it on an empty folder, in the strongest prison that works here. Asked once for each file as it is. Never throws.
 * @param qemuPath the emulator: one may lie beside it
 */
export async function askVirtiofs(qemuPath: string, platform: NodeJS.Platform = process.platform): Promise<VirtiofsReport> {
  if (platform !== 'linux') return { virtiofsd: null, obstacle: 'Only on Linux.' }
  const paths = await findVirtiofsd(qemuPath)
  const key = (await Promise.all(paths.map(fingerprint))).join('\n')
  const known = answers.get(key) ?? proveFirst(paths)
  answers.set(key, known)
  return known
}

/** The same for people: with what can be done about it. */
export async function readVirtiofsSupport(qemuPath: string, platform: NodeJS.Platform): Promise<VirtiofsSupport> {
  const { virtiofsd, obstacle } = await askVirtiofs(qemuPath, platform)
  return { path: virtiofsd?.path ?? null, obstacle, remedy: obstacle === null || platform !== 'linux' ? null : virtiofsdAdvice }
}

const virtiofsdAdvice = 'Install virtiofsd: sudo apt install virtiofsd    (Debian 12: within qemu-system-common; Fedora: sudo dnf install virtiofsd; Arch: sudo pacman -S virtiofsd; openSUSE: sudo zypper install virtiofsd)'

async function fingerprint(path: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  return `${path} ${String(found?.size)} ${String(found?.mtimeMs)}`
}

async function proveFirst(paths: readonly string[]): Promise<VirtiofsReport> {
  let obstacle = 'virtiofsd was not found on this computer; it is often a package of that name.'
  for (const path of paths) {
    const report = await prove(path).catch((error: unknown): VirtiofsReport => ({ virtiofsd: null, obstacle: `${path} does not work: ${(error as Error).message}` }))
    if (report.virtiofsd !== null) return report
    obstacle = report.obstacle
  }
  return { virtiofsd: null, obstacle }
}

async function prove(path: string): Promise<VirtiofsReport> {
  const { stdout, stderr } = await promisify(execFile)(path, ['--help'], { timeout: patienceMs })
  const help = `${stdout}\n${stderr}`
  const abilities = abilitiesOf(help)
  if (abilities === null) return { virtiofsd: null, obstacle: `${path} does not answer like a virtiofsd that Ringside knows.` }
  let words = ''
  for (const sandbox of sandboxes) {
    const virtiofsd = { path, sandbox, ...abilities }
    const failure = await failureOf(virtiofsd)
    if (failure === null) return { virtiofsd, obstacle: null }
    words ||= failure
  }
  return { virtiofsd: null, obstacle: `${path} can’t shut itself in here, which it has to so that a guest sees nothing but its folder (${words}).${abilities.dialect === 'c' ? ' This old one works for root only; the package virtiofsd 1.13 or later works for everybody.' : ''}` }
}

/** What it can, by its own help; null: it is another program. */
export function abilitiesOf(help: string): Pick<Virtiofsd, 'dialect' | 'readOnly' | 'translatesIds'> | null {
  if (help.includes('--shared-dir')) return { dialect: 'rust', readOnly: /--readonly\b/u.test(help), translatesIds: help.includes('--translate-uid') }
  return /-o source=PATH/u.test(help) ? { dialect: 'c', readOnly: false, translatesIds: false } : null
}

/** The last line of what it said when it did not come up; null: it did. */
async function failureOf(virtiofsd: Virtiofsd): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'rs-fs-'))
  try {
    await mkdir(join(folder, 'shared'))
    const daemon = await launchVirtiofsd(virtiofsd, { folder: join(folder, 'shared'), socket: join(folder, 'socket'), readOnly: virtiofsd.readOnly }, join(folder, 'log'))
    await daemon.kill()
    return null
  } catch (error) {
    return (error as Error).message
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
