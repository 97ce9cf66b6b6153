import { basename } from 'node:path'
import type { ContractClient } from '@server/local-client'
import { ErrorCode, RingsideError, isRingsideError } from '@shared/errors'
import type { LibraryProblem, MachineView } from '@shared/model'

/**
 * The machine that a person means: by its whole name (case ignored), its id, or any beginning of either that no other machine has.
 * @throws `NOT_FOUND`, which names near or all machines; `INVALID_INPUT` when several could be meant
 */
export function findMachine(machines: readonly MachineView[], wanted: string): MachineView {
  const key = wanted.trim().toLocaleLowerCase()
  const name = (machine: MachineView): string => machine.definition.name.toLocaleLowerCase()
  const exact = machines.find((machine) => name(machine) === key) ?? machines.find((machine) => machine.id === key)
  if (exact) return exact
  const near = key === '' ? [] : machines.filter((machine) => name(machine).startsWith(key) || machine.id.startsWith(key))
  const [only] = near
  if (only && near.length === 1) return only
  if (near.length > 1) {
    throw new RingsideError('INVALID_INPUT', `“${wanted}” could be ${list(near)}.`, { hint: 'Write more of the name, or use the id.', issues: [{ path: 'machine', message: `${String(near.length)} machines begin with it.`, received: wanted, severity: 'error' }] })
  }
  throw new RingsideError('NOT_FOUND', `There is no machine “${wanted}”.`, { hint: machines.length === 0 ? 'The library is empty: `ringside sample` makes a machine to try.' : `There is ${list(machines)}.` })
}

/**
 * As `findMachine`, among those that the host knows.
 * @throws also what keeps a machine from being opened, when that is the one whose folder has the name
 */
export async function machineOrItsProblem(client: ContractClient, wanted: string): Promise<MachineView> {
  try {
    return findMachine(await client.machine.list(), wanted)
  } catch (thrown) {
    const problem = isRingsideError(thrown, 'NOT_FOUND') ? findProblem(await problems(client), wanted) : null
    if (problem === null) throw thrown
    const code = ErrorCode.safeParse(problem.code)
    throw new RingsideError(code.success ? code.data : 'NOT_FOUND', `“${wanted}” can't be opened. ${problem.message}`, { path: problem.path, hint: problem.hint }, { cause: thrown })
  }
}

async function problems(client: ContractClient): Promise<readonly LibraryProblem[]> {
  for await (const event of await client.host.watch()) if (event.type === 'opened') return event.problems
  return []
}

/** Folders are named `<name, simplified>-<first digits of the id>`. */
function findProblem(all: readonly LibraryProblem[], wanted: string): LibraryProblem | null {
  const key = wanted.trim().toLowerCase().replace(/[^a-z0-9]+/gu, '-').replace(/^-+|-+$/gu, '')
  if (key === '') return null
  const near = all.filter(({ folder }) => {
    const name = basename(folder)
    return name.replace(/-[0-9a-f]{8}$/u, '') === key || name === key || name.endsWith(`-${key}`)
  })
  return near.length === 1 ? (near[0] ?? null) : null
}

function list(machines: readonly MachineView[]): string {
  const names = machines.slice(0, 8).map((machine) => `“${machine.definition.name}” (${machine.id.slice(0, 8)})`)
  return machines.length > names.length ? `${names.join(', ')} and ${String(machines.length - names.length)} more` : names.join(', ')
}
