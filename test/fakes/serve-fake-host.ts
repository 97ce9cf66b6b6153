import { createHostServer } from '@server/host-server'
import { fakeBackupData } from './fake-backup-data'
import { fakeIds, fakeProblems } from './fake-data'
import { createFakeHost } from './fake-host'

/** Serves the fake host as `ringside serve` serves a real one. Entry of `tools/fake-host.mjs`. `encrypted`: two of its machines have encrypted disks. */
export async function serveFakeHost(options: { port: number; webRoot: string | null; uploadFolder: string; encrypted?: boolean }): Promise<{ url: string; token: string; newToken(): string; close(): Promise<void> }> {
  const { running, stopped } = fakeIds
  const skipped = { folder: '/home/ada/.local/share/Ringside/library/windows-11', path: '/home/ada/.local/share/Ringside/library/windows-11', code: 'AUTOMATIC_SNAPSHOT_SKIPPED', message: 'An automatic snapshot of “windows-11” was skipped: its disks are encrypted, and it is locked.', hint: 'It is taken within a minute of its being unlocked.', machineId: stopped } as const
  const host = createFakeHost(options.encrypted === true ? { encrypted: [running, stopped], problems: [...fakeProblems, skipped], backups: fakeBackupData() } : { backups: fakeBackupData() })
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
