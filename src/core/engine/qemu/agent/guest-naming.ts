import { RingsideError } from '@shared/errors'
import type { AgentLine } from './agent-line'
import { runTool } from './guest-run'

/** How long the guest may take for one of these. */
const toolMs = 10_000
/** More leftovers than that are no accident. */
const mostLeftovers = 64

type Words = [program: string, words: string[]]

/** The agent has no command to rename or to remove a file, nor to look into a folder, so a program of the guest does it. */
interface Naming {
  move(from: string, to: string, overwrite: boolean): Words
  remove(paths: readonly string[]): Words
  /** Tells unfinished copies to a path, each behind a NUL or on a line of its own. */
  leftovers(path: string): Words
}

const posixNaming: Naming = {
  move: (from, to, overwrite) => ['mv', [overwrite ? '-f' : '-n', '--', from, to]],
  remove: (paths) => ['rm', ['-f', '--', ...paths]],
  leftovers: (path) => ['sh', ['-c', 'for file in "$0".????????.part; do [ -f "$file" ] && printf "%s\\0" "$file"; done', path]],
}

const windowsNaming: Naming = {
  move: (from, to) => ['cmd.exe', ['/c', 'move', '/Y', from, to]],
  remove: (paths) => ['cmd.exe', ['/c', 'del', '/F', '/Q', ...paths]],
  leftovers: (path) => ['cmd.exe', ['/c', 'for', '%f', 'in', `("${path}.????????.part")`, 'do', '@echo', '%f']],
}

/** Throws `INVALID_INPUT` for a path that can't be given to the guest's programs. */
export function namingIn(path: string): Naming {
  if (path.startsWith('/')) return posixNaming
  // These mean something to cmd.exe, some of them between quotation marks too.
  if (!/["%&|<>^!\r\n]/u.test(path)) return windowsNaming
  throw new RingsideError('INVALID_INPUT', 'A file can’t be copied to a path with any of " % & | < > ^ ! in it.', { path, hint: 'Copy it to another name, and rename it in the guest.' })
}

/** @returns null when it went well, else what the guest said */
export async function runNaming(line: AgentLine, [program, words]: Words): Promise<string | null> {
  const { isWell, said } = await runTool(line, program, words, toolMs)
  return isWell ? null : said.trim().slice(0, 200)
}

/**
 * Removes unfinished copies to a path that a host left behind which was killed. What the guest tells is looked at name by name: nothing else is removed. Where the guest has nothing to
 * look with, they stay.
 * @param inUse those that are being written
 */
export async function removeLeftovers(line: AgentLine, path: string, inUse: ReadonlySet<string>): Promise<void> {
  const names = namingIn(path)
  const [program, words] = names.leftovers(path)
  const { said } = await runTool(line, program, words, toolMs).catch(() => ({ said: '' }))
  const found = said.split(/\0|\r?\n/u).filter((each) => each.startsWith(`${path}.`) && /^\.[0-9a-f]{8}\.part$/u.test(each.slice(path.length)) && !inUse.has(each))
  if (found.length > 0) await runNaming(line, names.remove(found.slice(0, mostLeftovers))).catch(() => undefined)
}

/** Who has a file and who may do what with it, by numbers. */
export interface FileRights {
  owner: string
  mode: string
}

/** As `stat` of Linux, and of the BSDs, tells them; null: it can't be told. */
export async function rightsOf(line: AgentLine, path: string): Promise<FileRights | null> {
  for (const words of [['-L', '-c', '%u:%g %a', '--', path], ['-L', '-f', '%u:%g %OMp%03OLp', '--', path]]) {
    const { isWell, said } = await runTool(line, 'stat', words, toolMs).catch(() => ({ isWell: false, said: '' }))
    const [, owner, mode] = isWell ? (/^(\d+:\d+) ([0-7]{1,5})\s*$/u.exec(said) ?? []) : []
    if (owner !== undefined && mode !== undefined) return { owner, mode }
  }
  return null
}

/** @returns whether the file has them now */
export async function giveRights(line: AgentLine, path: string, { owner, mode }: FileRights): Promise<boolean> {
  // In that order: a change of the owner takes some permissions away.
  for (const words of [['chown', owner], ['chmod', mode]] as const) {
    const failed = await runNaming(line, [words[0], [words[1], '--', path]]).catch(() => 'it did not run')
    if (failed !== null) return false
  }
  return true
}
