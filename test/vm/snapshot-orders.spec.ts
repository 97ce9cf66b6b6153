import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildPrograms, type BuiltPrograms } from './support/build-worker'
import { copyMachine } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { inParallel } from './support/parallel'
import { addMachines } from './support/real-host'
import { KnownFiles, backingOf, readManifest, strayFiles } from './support/sound-machine'
import { qemuImg, qemuIo } from './support/storage-host'
import { TemporaryFolder, temporaryLibrary } from './support/temporary-folder'

/*
 * A tree of six snapshots with branches, deleted in each of its 720 orders. Two orders that come to the same layers go on alike, so that each
 * deletion from each state that there is tries them all.
 */

const name = 'Tree'
/** Snapshots by the one that they go on from, in the order in which they are taken. The present goes on from the last. */
const parents: Readonly<Record<string, string | null>> = { A: null, B: 'A', C: 'B', D: 'B', E: 'D', F: 'A' }
const letters = Object.keys(parents)
const width = 3

let programs: BuiltPrograms
let kept: TemporaryFolder

beforeAll(async () => {
  programs = await buildPrograms()
  kept = await TemporaryFolder.make('ringside-orders-')
})

afterAll(async () => {
  await kept[Symbol.asyncDispose]()
  await programs[Symbol.asyncDispose]()
})

interface Grown {
  id: string
  folder: string
  /** Letters by the id of their snapshot. */
  letterOf: Map<string, string>
  /** Digest of what each snapshot holds, by its letter, and of what the present holds. */
  contents: Map<string, string>
  present: string
}

interface WithDisks {
  disks: { image: { path: string } }[]
}

const known = new KnownFiles()
const topOf = (folder: string, { disks }: WithDisks): string => join(folder, disks[0]?.image.path ?? '')
const contentOf = (folder: string, definition: WithDisks): Promise<string> => known.content(topOf(folder, definition))

/** Makes the tree: each position writes what no other does, beside, over and across what lies below. */
async function grow(): Promise<Grown> {
  await using library = await temporaryLibrary()
  const [id = ''] = await addMachines(library, [{
    name,
    definition: { disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'sata' }] },
    prepare: async ({ disksFolder }) => void (await qemuImg('create', '-q', '-f', 'qcow2', join(disksFolder, 'disk0.qcow2'), '4M')),
  }])
  await using open = await OpenLibrary.open(programs, library)
  const { machines, snapshots } = open.calls
  const { folder } = await machines.get(id)
  let writes = 0
  const write = async (): Promise<void> => {
    const { definition } = await machines.get(id)
    const pattern = String(++writes)
    const at = (offset: number, length: string): string => `write -q -P ${pattern} ${String(offset)} ${length}`
    await qemuIo(topOf(folder, definition), [at(0, '4k'), at(writes * 0x20000, '64k'), at(0x200000 + writes * 0x3000, '20k')])
  }
  const idOf = new Map<string, string>()
  let position: string | null = null
  for (const letter of letters) {
    const parent = parents[letter] ?? null
    if (parent !== position) await snapshots.revert(id, { snapshotId: idOf.get(parent ?? '') ?? '', memory: false, keepPresent: null, start: false })
    await write()
    idOf.set(letter, (await snapshots.take(id, { name: letter, description: '', memory: false, quiesce: false })).id)
    position = letter
  }
  await write()
  const copy = kept.in('grown')
  await cp(folder, copy, { recursive: true })
  const contents = new Map<string, string>()
  for (const [letter, snapshot] of idOf) contents.set(letter, await contentOf(folder, (await readManifest(folder, snapshot)).definition))
  const present = await contentOf(folder, (await machines.get(id)).definition)
  expect(new Set([...contents.values(), present]).size).toBe(letters.length + 1)
  return { id, folder: copy, letterOf: new Map([...idOf].map(([letter, snapshot]) => [snapshot, letter])), contents, present }
}

/** How many layers there have to be when these are left: theirs, the present's, and those of deleted ones that more than one of them still reads from. */
function dueLayers(left: ReadonlySet<string>): number {
  const present = letters.at(-1) ?? ''
  const branches = (letter: string): number =>
    letters.filter((child) => parents[child] === letter && isRead(child)).length + (letter === present ? 1 : 0)
  const isRead = (letter: string): boolean => left.has(letter) || branches(letter) > 0
  return left.size + 1 + letters.filter((letter) => !left.has(letter) && branches(letter) > 1).length
}

interface State {
  folder: string
  id: string
  name: string
  left: ReadonlySet<string>
}

/** What the layers are called and which reads from which: orders that come to the same go on alike. */
async function shapeOf({ folder, left }: Pick<State, 'folder' | 'left'>): Promise<string> {
  const files = (await readdir(join(folder, 'disks'))).toSorted()
  const layers = await Promise.all(files.map(async (file) => `${file}<${(await backingOf(join(folder, 'disks', file))) ?? ''}`))
  const definition = JSON.parse(await readFile(join(folder, 'machine.json'), 'utf8')) as WithDisks
  return [[...left].sort().join(''), ...layers, topOf('', definition)].join(' ')
}

test('a tree of six, deleted in every order: what is left holds what it held, and no layer too many is kept', async () => {
  const grown = await grow()
  let states: State[] = [{ folder: grown.folder, id: grown.id, name, left: new Set(letters) }]
  let deletions = 0
  while (states.some(({ left }) => left.size > 0)) {
    await using library = await temporaryLibrary()
    const tries: { id: string; letter: string; left: ReadonlySet<string> }[] = []
    for (const state of states) {
      for (const letter of state.left) {
        const left = new Set([...state.left].filter((other) => other !== letter))
        tries.push({ id: await copyMachine(library, state.folder, state, `${String(tries.length)}: without ${letter}`), letter, left })
      }
    }
    const next = new Map<string, State>()
    await using open = await OpenLibrary.open(programs, library)
    const snapshotOf = (letter: string): string => [...grown.letterOf].find(([, other]) => other === letter)?.[0] ?? ''
    await inParallel(width, tries, async ({ id, letter, left }) => {
      const { machines, snapshots } = open.calls
      await snapshots.delete(id, snapshotOf(letter), { children: false })
      const { folder, definition } = await machines.get(id)
      const tree = await snapshots.tree(id)
      expect(tree.problems).toEqual([])
      expect(tree.snapshots.map((snapshot) => grown.letterOf.get(snapshot.id)).toSorted()).toEqual([...left].toSorted())
      for (const snapshot of tree.snapshots) {
        const own = grown.letterOf.get(snapshot.id) ?? ''
        const { definition: then } = await readManifest(folder, snapshot.id)
        expect({ [own]: await contentOf(folder, then) }).toEqual({ [own]: grown.contents.get(own) })
      }
      expect(await contentOf(folder, definition)).toBe(grown.present)
      const files = await readdir(join(folder, 'disks'))
      for (const file of files) expect({ [file]: await known.fault(join(folder, 'disks', file)) }).toEqual({ [file]: null })
      expect(await strayFiles(folder, [definition])).toEqual([])
      expect({ left: [...left], layers: files.length }).toEqual({ left: [...left], layers: dueLayers(left) })
      const aside = kept.in(id)
      await cp(folder, aside, { recursive: true })
      next.set(await shapeOf({ folder: aside, left }), { folder: aside, id, name: definition.name, left })
      deletions++
    })
    states = [...next.values()]
  }
  expect(deletions).toBeGreaterThanOrEqual(6 * 2 ** 5)
})
