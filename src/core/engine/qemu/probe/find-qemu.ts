import { access, constants, realpath, stat } from 'node:fs/promises'
import { posix, win32, type PlatformPath } from 'node:path'

export interface FoundQemu { systemPath: string; imgPath: string }

export interface SearchInput {
  /** From the settings: the program, or the folder that holds it. */
  setting: string | null
  environment: NodeJS.ProcessEnv
  platform: NodeJS.Platform
}

/** A place to look at, and whether the search ends there. */
export interface Place {
  /** A folder, or the program itself. */
  path: string
  /** Named by a person: when it has no QEMU, that is said, and nothing else is taken in its place. */
  asked: 'setting' | 'environment' | null
}

/** The places that packages of QEMU use on each system. */
const usualFolders: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['/usr/bin', '/usr/local/bin', '/usr/libexec', '/opt/qemu/bin', '/snap/bin', '/home/linuxbrew/.linuxbrew/bin', '/run/current-system/sw/bin'],
  darwin: ['/opt/homebrew/bin', '/usr/local/bin', '/opt/local/bin', '/nix/var/nix/profiles/default/bin', '/run/current-system/sw/bin'],
  win32: ['C:\\Program Files\\qemu', 'C:\\qemu', 'C:\\msys64\\ucrt64\\bin', 'C:\\msys64\\mingw64\\bin', 'C:\\msys64\\clang64\\bin', 'C:\\ProgramData\\chocolatey\\bin'],
}

/** Where to look, best first. Pure. */
export function placesToSearch({ setting, environment, platform }: SearchInput): Place[] {
  const path = pathOf(platform)
  const override = environment['RINGSIDE_QEMU']
  if (override !== undefined && override !== '') return [{ path: override, asked: 'environment' }]
  if (setting !== null && setting.trim() !== '') return [{ path: setting.trim(), asked: 'setting' }]
  const inPath = (variable(environment, 'PATH', platform) ?? '').split(path.delimiter).map((folder) => folder.replace(/^"|"$/gu, '')).filter((folder) => path.isAbsolute(folder))
  const perUser = platform === 'win32' ? scoop(environment) : []
  const folders = [...inPath, ...(usualFolders[platform] ?? []), ...perUser]
  return [...new Set(folders)].map((folder) => ({ path: folder, asked: null }))
}

/** The first place that has the emulator; its `qemu-img` is the one beside it, else the first anywhere. */
export async function findQemu(input: SearchInput): Promise<{ found: FoundQemu | null; missing: 'qemu-system-x86_64' | 'qemu-img' | null; searched: Place[] }> {
  const places = placesToSearch(input)
  const path = pathOf(input.platform)
  const system = await firstProgram(places, 'qemu-system-x86_64', input.platform)
  if (system === null) return { found: null, missing: 'qemu-system-x86_64', searched: places }
  const beside = { path: path.dirname(system), asked: null }
  const besideReal = { path: path.dirname(await realpath(system).catch(() => system)), asked: null }
  const elsewhere = placesToSearch({ ...input, setting: null, environment: { ...input.environment, RINGSIDE_QEMU: undefined } })
  const img = await firstProgram([beside, besideReal, ...elsewhere], 'qemu-img', input.platform)
  if (img === null) return { found: null, missing: 'qemu-img', searched: [beside, ...elsewhere] }
  return { found: { systemPath: system, imgPath: img }, missing: null, searched: places }
}

/** The path of a program in the first place that has it. `name` is what it is called, without an extension. */
export async function firstProgram(places: readonly Place[], name: string, platform: NodeJS.Platform): Promise<string | null> {
  const path = pathOf(platform)
  const file = platform === 'win32' ? `${name}.exe` : name
  for (const place of places) {
    if (await isProgram(path.join(place.path, file), platform)) return path.join(place.path, file)
    // A person may name the program itself, whatever it is called.
    if (place.asked !== null && name !== 'qemu-img' && (await isProgram(place.path, platform))) return path.resolve(place.path)
  }
  return null
}

async function isProgram(file: string, platform: NodeJS.Platform): Promise<boolean> {
  try {
    if (!(await stat(file)).isFile()) return false
    await access(file, platform === 'win32' ? constants.F_OK : constants.X_OK)
    return true
  } catch {
    return false
  }
}

function scoop(environment: NodeJS.ProcessEnv): string[] {
  const home = environment['USERPROFILE']
  return home === undefined ? [] : [win32.join(home, 'scoop', 'apps', 'qemu', 'current'), win32.join(home, 'scoop', 'shims')]
}

/** Windows writes the name as it likes: `Path`. */
function variable(environment: NodeJS.ProcessEnv, name: string, platform: NodeJS.Platform): string | undefined {
  if (platform !== 'win32') return environment[name]
  const key = Object.keys(environment).find((known) => known.toUpperCase() === name)
  return key === undefined ? undefined : environment[key]
}

function pathOf(platform: NodeJS.Platform): PlatformPath {
  return platform === 'win32' ? win32 : posix
}
