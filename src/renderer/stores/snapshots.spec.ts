import { contractVersion } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import type { SnapshotTree } from '@shared/model'
import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, shallowRef } from 'vue'
import { replaceClient, type Client } from '../transport/client'
import { takeHostEvent } from './host-watch'
import { useHostStore } from './host.store'
import { useSnapshots, useSnapshotsStore } from './snapshots.store'
import { aMachine, aSnapshot, aTree } from './spec-data'

const one = aMachine(1).id
const other = aMachine(2).id
const tree = vi.fn<(input: { id: string }) => Promise<SnapshotTree>>()
let putBack: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useHostStore(), 'load').mockResolvedValue()
  tree.mockReset().mockImplementation(({ id }) => Promise.resolve(aTree(id === one ? 1 : 2, [aSnapshot(1)])))
  putBack = replaceClient({ snapshot: { tree } } as unknown as Client)
})
afterEach(() => {
  putBack()
  vi.restoreAllMocks()
})

test('a tree is loaded for the first who looks, and let go with the last', async () => {
  const store = useSnapshotsStore()
  const [first, second] = [store.use(one), store.use(one)]
  await flushPromises()
  expect(tree).toHaveBeenCalledTimes(1)
  expect(store.get(one).tree?.snapshots).toHaveLength(1)
  first()
  first()
  expect(store.get(one).tree).not.toBeNull()
  second()
  expect(store.get(one)).toEqual({ tree: null, error: null })
  takeHostEvent({ type: 'snapshotsChanged', id: one })
  expect(tree).toHaveBeenCalledTimes(1)
})

test('an event asks again about its machine alone; a new connection about all that are looked at', async () => {
  const store = useSnapshotsStore()
  store.use(one)
  store.use(other)
  await flushPromises()
  takeHostEvent({ type: 'snapshotsChanged', id: other })
  await flushPromises()
  expect(tree.mock.calls.map(([{ id }]) => id)).toEqual([one, other, other])
  takeHostEvent({ type: 'opened', contractVersion, machines: [], problems: [], jobs: [] })
  await flushPromises()
  expect(tree).toHaveBeenCalledTimes(5)
})

test('events that come faster than answers are one more question, and the last answer counts', async () => {
  const answers: ((tree: SnapshotTree) => void)[] = []
  tree.mockImplementation(() => new Promise((resolve) => { answers.push(resolve) }))
  const store = useSnapshotsStore()
  store.use(one)
  for (let n = 0; n < 3; n++) takeHostEvent({ type: 'snapshotsChanged', id: one })
  expect(tree).toHaveBeenCalledTimes(1)
  answers[0]?.(aTree(1, []))
  await flushPromises()
  expect(tree).toHaveBeenCalledTimes(2)
  answers[1]?.(aTree(1, [aSnapshot(1), aSnapshot(2, 1)]))
  await flushPromises()
  expect(store.get(one).tree?.snapshots).toHaveLength(2)
  expect(tree).toHaveBeenCalledTimes(2)
})

test('a look that fails is told and leaves what was known', async () => {
  const store = useSnapshotsStore()
  store.use(one)
  await flushPromises()
  tree.mockRejectedValueOnce(new RingsideError('FILE_UNREADABLE', 'The folder can’t be read.'))
  store.reload(one)
  await flushPromises()
  expect(store.get(one)).toMatchObject({ tree: { snapshots: [{}] }, error: { code: 'FILE_UNREADABLE' } })
  store.reload(one)
  await flushPromises()
  expect(store.get(one).error).toBeNull()
})

test('an answer that comes after all have left is dropped', async () => {
  let answer: (tree: SnapshotTree) => void = () => undefined
  tree.mockImplementationOnce(() => new Promise((resolve) => { answer = resolve }))
  const store = useSnapshotsStore()
  store.use(one)()
  const again = store.use(one)
  await flushPromises()
  answer(aTree(1, []))
  await flushPromises()
  expect(store.get(one).tree?.snapshots).toHaveLength(1)
  again()
})

test('who looks goes over to another machine', async () => {
  const id = shallowRef(one)
  const scope = effectScope()
  const view = scope.run(() => useSnapshots(id))
  await flushPromises()
  expect(view?.value.tree?.machineId).toBe(one)
  id.value = other
  await flushPromises()
  expect(view?.value.tree?.machineId).toBe(other)
  expect(useSnapshotsStore().get(one).tree).toBeNull()
  scope.stop()
  expect(useSnapshotsStore().get(other).tree).toBeNull()
})
