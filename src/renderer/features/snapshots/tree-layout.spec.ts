import { expect, test } from 'vitest'
import { layOut, nowId, onlyMatching, type TreeNode, type TreeRow } from './tree-layout'

const node = (id: string, parentId: string | null = null): TreeNode => ({ id, parentId, loose: id === nowId })
/** The tree in characters: a lane is a column, `|` and `:` pass by, `'` is where a branch turns off, `o` is the node. */
function drawn(rows: readonly TreeRow[]): string[] {
  return rows.map((row) => {
    const cells = Array.from({ length: row.lane + 1 }, (_, lane) => {
      const line = row.through.find((each) => each.lane === lane)
      return lane === row.lane ? 'o' : row.elbow && lane === row.lane - 1 ? "'" : line ? (line.dashed ? ':' : '|') : ' '
    })
    return `${cells.join('')} ${row.id}`
  })
}

test('a history without branches is one straight line', () => {
  const rows = layOut([node('a'), node('b', 'a'), node('c', 'b'), node(nowId, 'c')])
  expect(drawn(rows)).toEqual(['o a', 'o b', 'o c', 'o now'])
  expect(rows.map((row) => row.level)).toEqual([1, 2, 3, 4])
  expect(rows.every((row) => row.active && row.siblings === 1)).toBe(true)
  // The last piece is broken: what was written since is in no snapshot.
  expect(rows.map((row) => row.above?.dashed)).toEqual([undefined, false, false, true])
  expect(rows.map((row) => row.below?.dashed)).toEqual([false, false, true, undefined])
})

test('what leads to the present goes straight on, the rest turns off before it', () => {
  const rows = layOut([node('a'), node('b', 'a'), node('b1', 'b'), node('b2', 'b1'), node('c', 'a'), node('c1', 'c'), node('d', 'a'), node(nowId, 'b1')])
  expect(drawn(rows)).toEqual(['o a', "'o c", '|o c1', "'o d", 'o b', 'o b1', "'o b2", 'o now'])
  expect(rows.map((row) => [row.position, row.siblings])).toEqual([[1, 1], [1, 3], [1, 1], [2, 3], [3, 3], [1, 1], [1, 2], [2, 2]])
  expect(rows.filter((row) => row.active).map((row) => row.id)).toEqual(['a', 'b', 'b1', 'now'])
  // The line that passes a branch leads to the present, the branch itself does not.
  expect(rows[1]?.elbow).toEqual({ active: false, dashed: false })
  expect(rows[1]?.through).toEqual([{ lane: 0, active: true, dashed: false }])
  // Whole down to where b2 turns off, broken from there.
  expect(rows[5]?.below).toEqual({ active: true, dashed: false })
  expect(rows[6]?.through).toEqual([{ lane: 0, active: true, dashed: false }])
  expect(rows[7]?.above).toEqual({ active: true, dashed: true })
})

test('branches of branches each get a lane, and every line goes on through all rows between its ends', () => {
  const rows = layOut([node('a'), node('b', 'a'), node('b1', 'b'), node('b2', 'b'), node('b3', 'b2'), node('b4', 'b2'), node('c', 'a'), node(nowId, 'c')])
  expect(drawn(rows)).toEqual(['o a', "'o b", "|'o b1", '|o b2', "|'o b3", '|o b4', 'o c', 'o now'])
  // Whatever comes down into a row leaves the one above: lines join.
  for (const [index, row] of rows.entries()) {
    const before = rows[index - 1]
    if (row.above) expect(before && [before.lane, ...before.through.map((line) => line.lane)]).toContain(row.lane)
    for (const line of row.through) expect(before && [before.lane, ...before.through.map((each) => each.lane)]).toContain(line.lane)
    if (row.elbow) expect(row.through.map((line) => line.lane)).toContain(row.lane - 1)
  }
})

test('several roots stand below each other, the present’s last, and nothing ties them', () => {
  const rows = layOut([node('a'), node('b'), node('a1', 'a'), node(nowId, 'a1'), node('lost', 'gone')])
  expect(drawn(rows)).toEqual(['o b', 'o lost', 'o a', 'o a1', 'o now'])
  expect(rows.filter((row) => row.level === 1).every((row) => row.above === null && row.elbow === null && row.siblings === 3)).toBe(true)
})

test('what is folded away is counted, and the lines end there', () => {
  const nodes = [node('a'), node('b', 'a'), node('b1', 'b'), node('b2', 'b1'), node('c', 'a'), node(nowId, 'c')]
  const rows = layOut(nodes, new Set(['b']))
  expect(drawn(rows)).toEqual(['o a', "'o b", 'o c', 'o now'])
  expect(rows[1]).toMatchObject({ expanded: false, hidden: 2, below: null })
  expect(layOut(nodes)[1]).toMatchObject({ expanded: true, hidden: 0 })
  expect(rows[3]).toMatchObject({ expanded: null, hidden: 0 })
})

test('a thousand in a row, and a thousand branches of one, are laid out', () => {
  const line = Array.from({ length: 1000 }, (_, n) => node(`s${String(n)}`, n === 0 ? null : `s${String(n - 1)}`))
  expect(layOut([...line, node(nowId, 's999')]).map((row) => row.lane)).toEqual(Array.from({ length: 1001 }, () => 0))
  const fan = layOut([node('a'), ...Array.from({ length: 1000 }, (_, n) => node(`s${String(n)}`, 'a'))])
  expect(fan.filter((row) => row.lane === 1)).toHaveLength(999)
})

test('what matches is tied to the nearest above it that does, with a broken line where others lie between', () => {
  const nodes = [node('a'), node('b', 'a'), node('c', 'b'), node('d', 'c'), node('e', 'c'), node(nowId, 'd')]
  const left = onlyMatching(nodes, (id) => 'ade'.includes(id))
  expect(left).toEqual([{ id: 'a', parentId: null, loose: false }, { id: 'd', parentId: 'a', loose: true }, { id: 'e', parentId: 'a', loose: true }])
  expect(onlyMatching(nodes, (id) => id === 'b' || id === 'c')).toEqual([{ id: 'b', parentId: null, loose: true }, { id: 'c', parentId: 'b', loose: false }])
})
