import type { Backups, Clones, Encryption, Hardware, HostServices, Images, JobReporter, MachineManager, Snapshots } from '@core/app/services'

/** The services of a host that tests call, in this process or in another one. */
export const calledServices = ['machines', 'snapshots', 'clones', 'images', 'hardware', 'encryption', 'backups'] as const
export type CalledService = (typeof calledServices)[number]

/** Calls that are given a reporter, as the last argument. */
const reported = new Set(['save', 'take', 'revert', 'delete', 'cleanUp', 'convertDisks', 'clone', 'makeTemplate', 'detach', 'work', 'addDisk', 'removeDisk', 'create', 'verify', 'restore'])

type Call<Method> = Method extends (...args: [...infer Given, JobReporter]) => Promise<infer Result>
  ? (...args: Given) => Promise<Result>
  : Method extends (...args: infer Given) => infer Result
    ? (...args: Given) => Promise<Awaited<Result>>
    : never

/** A service as tests call it: without reporters, and every answer is awaited. */
type Called<Service> = { [Name in keyof Service]: Call<Service[Name]> }

export interface HostCalls {
  readonly machines: Called<Omit<MachineManager, 'onChange' | 'watchMetrics' | 'watchThumbnails' | 'attachConsole'>>
  readonly snapshots: Called<Omit<Snapshots, 'onChange'>>
  readonly clones: Called<Clones>
  readonly images: Called<Images>
  readonly hardware: Called<Hardware>
  readonly encryption: Called<Encryption>
  readonly backups: Called<Backups>
}

/** @param call does what is asked for, wherever the host is */
export function hostCalls(call: (service: CalledService, method: string, args: unknown[]) => Promise<unknown>): HostCalls {
  const service = (name: CalledService): object =>
    new Proxy({}, { get: (_, method) => (...args: unknown[]) => call(name, String(method), args) })
  return Object.fromEntries(calledServices.map((name) => [name, service(name)])) as unknown as HostCalls
}

/** Carries a call out. */
export async function callService(services: HostServices, name: CalledService, method: string, args: unknown[]): Promise<unknown> {
  const service = services[name] as unknown as Record<string, (...args: unknown[]) => unknown>
  const reporter: JobReporter = { signal: new AbortController().signal, report: () => undefined }
  return await service[method]?.(...args, ...(reported.has(method) ? [reporter] : []))
}
