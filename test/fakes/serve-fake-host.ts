import { createHostServer } from '@server/host-server'
import { createFakeHost } from './fake-host'

/** Serves the fake host as `ringside serve` serves a real one. Entry of `tools/fake-host.mjs`. */
export async function serveFakeHost(options: { port: number; webRoot: string | null; uploadFolder: string }): Promise<{ url: string; token: string; newToken(): string; close(): Promise<void> }> {
  const host = createFakeHost()
  const server = createHostServer({
    host, log: (error, procedure) => { console.error(procedure, error) }, webRoot: options.webRoot, guard: 'session', bindAddress: '127.0.0.1', uploadFolder: options.uploadFolder,
  })
  await new Promise<void>((resolve, reject) => {
    server.http.once('error', reject).listen(options.port, '127.0.0.1', resolve)
  })
  const address = server.http.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  return {
    url: `http://127.0.0.1:${String(port)}/`,
    token: server.sessions.issueToken(),
    newToken: () => server.sessions.issueToken(),
    async close() {
      await server.close()
      await host.close()
    },
  }
}
