import type { JsonObject, QmpClient, QmpEvent } from '../qmp'
import { QmpCommandError } from '../qmp'

type Answer = unknown

/** A monitor whose answers are made up, for what no real QEMU at hand does. Commands that nothing was said of answer with an empty object. */
export class FakeQmp {
  readonly sent: { command: string; parameters: JsonObject | undefined }[] = []
  isClosed = false

  constructor(private readonly answers: Record<string, (parameters: JsonObject) => Answer> = {}) {}

  get client(): QmpClient {
    return this as unknown as QmpClient
  }

  commands(): string[] {
    return this.sent.map(({ command }) => command)
  }

  execute(command: string, parameters?: JsonObject): Promise<Answer> {
    this.sent.push({ command, parameters })
    return Promise.resolve().then(() => this.answers[command]?.(parameters ?? {}) ?? {})
  }

  executeWithin(_timeoutMs: number | null, command: string, parameters?: JsonObject): Promise<Answer> {
    return this.execute(command, parameters)
  }
}

/** Has QEMU refuse a command. */
export function refuse(command: string, description: string): never {
  throw new QmpCommandError(command, 'GenericError', description)
}

export function event(name: string, milliseconds: number): QmpEvent {
  return { event: name, data: {}, timestamp: { seconds: Math.floor(milliseconds / 1000), microseconds: (milliseconds % 1000) * 1000 } }
}
