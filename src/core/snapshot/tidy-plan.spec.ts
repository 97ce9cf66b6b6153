import { describe, expect, test } from 'vitest'
import { LayerGraph } from './layer-graph'
import { type Namer, Names } from './names'
import { graphOf, layerOf, machineFolder } from './snapshot.fixture'
import { findMerges, forecastTidy } from './tidy-plan'

const own = (name: string): string => `disks/${name}.qcow2`
const plain = (path: string): string => path.slice(machineFolder.length + '/disks/'.length, -'.qcow2'.length)

function named(...names: string[]): Names {
  const all = new Names()
  const namer: Namer = { kind: 'present' }
  for (const name of names) all.add(own(name), namer)
  return all
}

function merges(graph: LayerGraph, names: Names): string[] {
  return findMerges(graph, names).map(({ upper, lowers }) => [upper, ...lowers].map(({ path }) => plain(path)).join(' < '))
}

function forecast(graph: LayerGraph, names: Names, ...doomed: string[]): { removed: string[]; merges: string[]; kept: string[] } {
  const found = forecastTidy(graph, names, new Set(doomed.map(own)))
  return {
    removed: found.removed.map(({ path }) => plain(path)), merges: found.merges.map(({ upper, lowers }) => [upper, ...lowers].map(({ path }) => plain(path)).join(' < ')),
    kept: found.kept.map(({ path }) => plain(path)),
  }
}

describe('hidden layers are merged with the one that reads from them', () => {
  test('a run of them at once, down to the next that is named', () => {
    expect(merges(graphOf(['now', 'h1', 'h2', 'a', 'h3']), named('now', 'a'))).toEqual(['now < h1 < h2', 'a < h3'])
  })

  test('one that several read from stays, and what lies below it goes into it', () => {
    expect(merges(graphOf(['now', 'h', 'g'], ['b', 'h']), named('now', 'b'))).toEqual(['h < g'])
  })

  test('not with what nobody uses: that may be removed any time', () => {
    expect(merges(graphOf(['orphan', 'h']), named())).toEqual([])
    // The orphan reads from it as well as the machine.
    expect(merges(graphOf(['now', 'h'], ['orphan', 'h']), named('now'))).toEqual([])
  })

  test('not what is damaged, of another format or in another machine’s folder', () => {
    const upper = layerOf('now', 'h')
    for (const changes of [{ fault: 'is damaged' }, { format: 'other' as const }, { own: null }]) {
      expect(merges(new LayerGraph([upper, layerOf('h', null, changes)]), named('now'))).toEqual([])
    }
    expect(merges(new LayerGraph([layerOf('now', 'h', { fault: 'is damaged' }), layerOf('h', null)]), named('now'))).toEqual([])
  })

  test('not what is missing a file further down, or is based on itself', () => {
    expect(merges(new LayerGraph([layerOf('now', 'h'), layerOf('h', 'gone')]), named('now'))).toEqual([])
    expect(merges(new LayerGraph([layerOf('now', 'a'), layerOf('a', 'b'), layerOf('b', 'a')]), named('now'))).toEqual([])
  })
})

describe('what a deletion leads to', () => {
  test('at the end of a branch its layer goes, with the hidden ones that only it read from', () => {
    expect(forecast(graphOf(['leaf', 'h', 'a'], ['now', 'a']), named('now', 'a'), 'leaf')).toEqual({ removed: ['leaf', 'h'], merges: [], kept: [] })
  })

  test('in the middle its layer goes into the one above', () => {
    expect(forecast(graphOf(['now', 'b', 'a']), named('now', 'a'), 'b')).toEqual({ removed: [], merges: ['now < b'], kept: [] })
  })

  test('at a fork it stays, until one branch is left', () => {
    const graph = graphOf(['b', 'a'], ['now', 'a'])
    expect(forecast(graph, named('now', 'b'), 'a')).toEqual({ removed: [], merges: [], kept: ['a'] })
    expect(forecast(graph, named('now'), 'b')).toEqual({ removed: ['b'], merges: ['now < a'], kept: [] })
  })

  test('a whole branch goes with everything in it', () => {
    expect(forecast(graphOf(['c', 'b', 'a'], ['d', 'b'], ['now', 'a']), named('now', 'a'), 'b', 'c', 'd').removed.toSorted()).toEqual(['b', 'c', 'd'])
  })

  test('what somebody else names or reads from is not removed', () => {
    const names = named('now')
    names.add(own('a'), { kind: 'clone', folder: '/library/clone' })
    names.add(own('b'), { kind: 'unclear', path: '/snapshot.json' })
    expect(forecast(graphOf(['a'], ['b'], ['now', 'c']), names, 'a', 'b', 'c').removed).toEqual([])
    expect(forecast(graphOf(['orphan', 'a'], ['now']), named('now'), 'a')).toEqual({ removed: [], merges: [], kept: ['a'] })
  })

  test('nothing goes that was not asked for, though nobody uses it', () => {
    expect(forecast(graphOf(['a', 'b'], ['orphan'], ['now']), named('now'), 'a').removed).toEqual(['a', 'b'])
  })
})
