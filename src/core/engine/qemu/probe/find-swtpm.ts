import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { TpmSupport } from '@shared/model'
import { firstProgram, placesToSearch } from './find-qemu'

/** A healthy swtpm answers within some milliseconds. */
const patienceMs = 10_000

/** What `swtpm socket --print-capabilities` says [swtpm(8)]. Versions before 0.2 have no such option. */
const Capabilities = z.object({ type: z.literal('swtpm'), features: z.array(z.string()), version: z.string().default('') })

/** Where swtpm is: the programs of a system lie where its QEMU's do. null: nowhere. */
export function findSwtpm(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): Promise<string | null> {
  if (platform === 'win32') return Promise.resolve(null)
  const asked = environment['RINGSIDE_SWTPM']
  if (asked !== undefined && asked !== '') return firstProgram([{ path: asked, asked: 'environment' }], 'swtpm', platform)
  return firstProgram(placesToSearch({ setting: null, environment: { ...environment, RINGSIDE_QEMU: undefined }, platform }), 'swtpm', platform)
}

/** Finds what plays a TPM and asks it what it can. */
export async function readTpmSupport(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): Promise<TpmSupport> {
  if (platform === 'win32') return { program: null, obstacle: 'There is no program for Windows that plays a TPM (swtpm) yet.', remedy: null }
  const path = await findSwtpm(environment, platform)
  if (path === null) return { program: null, obstacle: 'The program that plays the TPM, swtpm, was not found on this computer.', remedy: swtpmAdvice(platform) }
  try {
    const { stdout } = await promisify(execFile)(path, ['socket', '--print-capabilities'], { timeout: patienceMs })
    return judge(path, readCapabilities(stdout), platform)
  } catch (error) {
    return { program: null, obstacle: `The program that plays the TPM does not work (${reasonOf(error)}): ${path}`, remedy: `Install it again. ${swtpmAdvice(platform)}` }
  }
}

/** Throws for an answer of something that is no swtpm. */
export function readCapabilities(answer: string): { version: string; versions: string[] } {
  const { features, version } = Capabilities.parse(JSON.parse(answer))
  return { version, versions: features.flatMap((feature) => /^tpm-(\d+\.\d+)$/u.exec(feature)?.[1] ?? []) }
}

function judge(path: string, { version, versions }: { version: string; versions: string[] }, platform: NodeJS.Platform): TpmSupport {
  // Those before 0.5 play both, and name neither.
  const program = { path, version, versions: versions.length === 0 ? ['2.0'] : versions }
  if (program.versions.includes('2.0')) return { program, obstacle: null, remedy: null }
  return { program: null, obstacle: `The program that plays the TPM was built without TPM 2.0: ${path}`, remedy: swtpmAdvice(platform) }
}

/** How to get swtpm on each system, with the exact commands. */
export function swtpmAdvice(platform: NodeJS.Platform): string {
  switch (platform) {
    case 'darwin':
      return 'Install swtpm: brew install swtpm    (or with MacPorts: sudo port install swtpm)'
    case 'linux':
      return 'Install swtpm: sudo apt install swtpm    (Fedora: sudo dnf install swtpm; Arch: sudo pacman -S swtpm; openSUSE: sudo zypper install swtpm)'
    default:
      return 'Install swtpm with the packages of your system.'
  }
}

function reasonOf(error: unknown): string {
  const { code, stderr } = error as { code?: unknown; stderr?: unknown }
  const words = typeof stderr === 'string' ? stderr.trim().split('\n').at(-1) : undefined
  return words !== undefined && words !== '' ? words.slice(0, 200) : typeof code === 'string' ? code : 'its answer makes no sense'
}
