// @ts-check
import { spawn } from 'node:child_process'
import { root } from './project.mjs'

/**
 * @typedef {object} Outcome
 * @property {number} code exit code; 128 + n after signal n, 127 when the program could not be started
 * @property {string} output standard output and standard error, in the order of arrival; empty when they were inherited
 * @property {boolean} timedOut
 */

/**
 * Runs a program to its end. Never throws: a program that can't be started has code 127 and its reason as output.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, timeoutMs?: number, show?: boolean, cwd?: string }} [options] `show` passes the terminal on
 * @returns {Promise<Outcome>}
 */
export function run(command, args, { env = process.env, timeoutMs = 0, show = false, cwd = root } = {}) {
  return new Promise((done) => {
    let output = ''
    let timedOut = false
    const child = spawn(command, args, { cwd, env, stdio: show ? 'inherit' : ['ignore', 'pipe', 'pipe'], windowsHide: true })
    const timer = timeoutMs > 0 ? setTimeout(() => { timedOut = true; endGently(child) }, timeoutMs) : undefined
    const take = (/** @type {Buffer} */ chunk) => { output += chunk.toString() }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.on('error', (error) => { clearTimeout(timer); done({ code: 127, output: output + error.message, timedOut }) })
    child.on('close', (code, signal) => { clearTimeout(timer); done({ code: code ?? exitCodeOfSignal(signal), output, timedOut }) })
  })
}

/**
 * Ends a program that may have children of its own to end first, and makes sure of it.
 * @param {import('node:child_process').ChildProcess} child
 */
function endGently(child) {
  child.kill('SIGTERM')
  const timer = setTimeout(() => { child.kill('SIGKILL') }, 10_000)
  child.once('exit', () => { clearTimeout(timer) })
}

/**
 * Hands the terminal to a program and stays beside it until it ends.
 *
 * Ctrl-C in a terminal reaches every process in the foreground, so it is not passed on a second time; a signal that only this process
 * got is.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<number>} its exit code
 */
export function handOver(command, args, { env = process.env, cwd = root } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' })
    const forward = (/** @type {NodeJS.Signals} */ signal) => {
      if (signal === 'SIGINT' && process.stdin.isTTY) return
      child.kill(signal)
    }
    /** @type {NodeJS.Signals[]} */
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of signals) process.on(signal, forward)
    const end = (/** @type {number} */ code) => {
      for (const signal of signals) process.off(signal, forward)
      done(code)
    }
    child.on('error', (error) => { console.error(`${command} could not be started: ${error.message}`); end(127) })
    child.on('exit', (code, signal) => { end(code ?? exitCodeOfSignal(signal)) })
  })
}

/**
 * @param {NodeJS.Signals | null} signal
 * @returns {number} as a shell reports it
 */
function exitCodeOfSignal(signal) {
  const numbers = /** @type {Record<string, number>} */ ({ SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 })
  return 128 + (signal === null ? 0 : (numbers[signal] ?? 0))
}

/**
 * @param {string} text
 * @param {number} count
 * @returns {string} the last lines that hold something
 */
export function lastLines(text, count) {
  return text.trimEnd().split(/\r?\n/).slice(-count).join('\n')
}
