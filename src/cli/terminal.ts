import type { ReadStream, WriteStream } from 'node:tty'

/** Where a command reads and writes: the process's own streams, or those of a test. */
export interface Terminal {
  stdin: NodeJS.ReadStream | (NodeJS.ReadableStream & Partial<ReadStream>)
  stdout: NodeJS.WritableStream & Partial<WriteStream>
  stderr: NodeJS.WritableStream & Partial<WriteStream>
}

export const processTerminal: Terminal = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr }

/** Whether a person watches. */
export function isInteractive(stream: { isTTY?: boolean | undefined }): boolean {
  return stream.isTTY === true
}
