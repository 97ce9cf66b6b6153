import type { Duplex } from 'node:stream'

/** A serial line with something like a shell behind it: echoes, edits a line, knows `help`, `count N` and `colours`. */
export function serveFakeShell(stream: Duplex, name: string): void {
  let line = ''
  let timer: NodeJS.Timeout | null = null
  const prompt = (): void => void stream.write(`\x1b[1;32mroot@${name}\x1b[0m:~# `)
  const run = (command: string): void => {
    const [verb, argument] = command.trim().split(/\s+/u)
    if (verb === 'help') stream.write('help, count N, colours, anything else is echoed\r\n')
    else if (verb === 'colours') stream.write(`${Array.from({ length: 8 }, (_, i) => `\x1b[4${String(i)}m  `).join('')}\x1b[0m\r\n`)
    else if (verb === 'count') return count(1, Number(argument ?? 10))
    else if (command.trim() !== '') stream.write(`you typed: ${command}\r\n`)
    prompt()
  }
  const count = (n: number, to: number): void => {
    stream.write(`${String(n)}\r\n`)
    if (n >= to) return prompt()
    timer = setTimeout(() => { count(n + 1, to) }, 20)
  }
  stream.write('\r\nFake guest on ttyS0\r\n\r\n')
  prompt()
  stream.on('data', (piece: Buffer) => {
    for (const character of piece.toString('utf8')) {
      if (character === '\r' || character === '\n') {
        stream.write('\r\n')
        const command = line
        line = ''
        run(command)
      } else if (character === '\x7f' || character === '\b') {
        if (line.length > 0) stream.write('\b \b')
        line = line.slice(0, -1)
      } else if (character === '\x03') {
        line = ''
        if (timer) clearTimeout(timer)
        stream.write('^C\r\n')
        prompt()
      } else if (character >= ' ') {
        line += character
        stream.write(character)
      }
    }
  })
  const end = (): void => {
    if (timer) clearTimeout(timer)
    stream.destroy()
  }
  stream.on('end', end).on('close', end).on('error', end)
}
