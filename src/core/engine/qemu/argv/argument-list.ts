import type { JsonObject } from '../qmp/qmp-types'
import { json } from './options'

/** Collects arguments in order, and the device drivers that they name. */
export class ArgumentList {
  readonly argv: string[] = []
  readonly notes: string[] = []
  readonly drivers = new Set<string>()
  readonly #objects = new Set<string>()

  add(...argument: string[]): void {
    this.argv.push(...argument)
  }

  note(sentence: string): void {
    this.notes.push(sentence)
  }

  device(properties: JsonObject & { driver: string }): void {
    this.drivers.add(properties.driver)
    this.add('-device', json(properties))
  }

  hasObject(id: string): boolean {
    return this.#objects.has(id)
  }

  object(properties: JsonObject & { 'qom-type': string; id: string }): void {
    this.#objects.add(properties.id)
    this.add('-object', json(properties))
  }

  blockdev(node: JsonObject & { driver: string; 'node-name': string }): void {
    this.add('-blockdev', json(node))
  }

  chardev(parts: string): void {
    this.add('-chardev', parts)
  }
}
