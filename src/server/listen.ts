import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RingsideError } from '@shared/errors'

/**
 * Binds the server.
 * @param port 0 picks a free one
 * @throws `PORT_IN_USE`; `INVALID_INPUT` for an address that is none of this computer's, or a port that this user may not have
 */
export async function listenOn(server: Server, host: string, port: number): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => { reject(inWords(cause, host, port)) }
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve()
    })
  })
  return server.address() as AddressInfo
}

function inWords(cause: NodeJS.ErrnoException, host: string, port: number): RingsideError {
  const where = `${host}:${String(port)}`
  switch (cause.code) {
    case 'EADDRINUSE':
      return new RingsideError('PORT_IN_USE', `Port ${String(port)} of ${host} is taken by another program.`, {
        hint: 'Choose another with --port, or --port 0 for a free one; or end the program that has it.',
      }, { cause })
    case 'EACCES':
      return new RingsideError('INVALID_INPUT', `This user may not listen on ${where}.`, { hint: 'Ports below 1024 are for administrators: choose a higher one with --port.' }, { cause })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new RingsideError('INVALID_INPUT', `${host} is no address of this computer.`, { hint: 'Give --host an address of this computer, or 0.0.0.0 for all of them.' }, { cause })
    default:
      return new RingsideError('INTERNAL', `The server cannot listen on ${where}: ${cause.message}.`, {}, { cause })
  }
}

/** The address as a browser on this computer opens it. */
export function pageUrl(address: AddressInfo): string {
  const everywhere = address.address === '0.0.0.0' || address.address === '::'
  const name = everywhere ? '127.0.0.1' : address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${name}:${String(address.port)}/`
}
