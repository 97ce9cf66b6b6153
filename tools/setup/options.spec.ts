import { expect, test } from 'vitest'
import { startOptions } from './options.mjs'

test('without options the window opens', () => {
  expect(startOptions([])).toEqual({ serve: false, help: false, serverArguments: [] })
})

test.each([[['--port', '8080']], [['--port=8080']], [['-p', '8080']], [['--host=0.0.0.0']]])('%j asks for the browser', (argv) => {
  expect(startOptions(argv)).toEqual({ serve: true, help: false, serverArguments: argv })
})

test('behind --serve everything goes on to the server', () => {
  expect(startOptions(['--serve', '--allow-host', 'lab', '--no-open'])).toEqual({ serve: true, help: false, serverArguments: ['--allow-host', 'lab', '--no-open'] })
})

test('an option that nobody knows is refused, with those that there are', () => {
  expect(() => startOptions(['--window'])).toThrow(/does not know "--window".\n\nnpm start/)
  expect(startOptions(['--help', '--window']).help).toBe(true)
})
