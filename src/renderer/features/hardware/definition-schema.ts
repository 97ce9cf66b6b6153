import { MachineHardware } from '@shared/model'
import type { z } from 'zod'

/** What the schema knows of a setting. */
export interface Known {
  /** Of an object: its settings. */
  readonly keys: readonly string[]
  /** What it may be, where that is a closed choice; `null` among them where it may be nothing. */
  readonly values: readonly (string | boolean | null)[]
}

interface Definition {
  readonly type: string
  readonly innerType?: z.core.$ZodType
  readonly element?: z.core.$ZodType
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>
  readonly options?: readonly z.core.$ZodType[]
  readonly entries?: Readonly<Record<string, string>>
  readonly values?: readonly (string | boolean | null)[]
}

const definitionOf = (schema: z.core.$ZodType): Definition => (schema as unknown as { def: Definition }).def

/** The forms that a value may have, what may be left out or be nothing aside. */
function formsOf(schema: z.core.$ZodType): Definition[] {
  const def = definitionOf(schema)
  if (def.innerType !== undefined) return [...formsOf(def.innerType), ...(def.type === 'nullable' ? [{ type: 'null' }] : [])]
  return def.options === undefined ? [def] : def.options.flatMap(formsOf)
}

/** What may stand at a path of the hardware, with numbers for places in lists. Pure. */
export function knownAt(path: readonly string[]): Known {
  let forms = formsOf(MachineHardware)
  for (const name of path) forms = forms.flatMap((form) => { const next = form.element ?? form.shape?.[name]; return next === undefined ? [] : formsOf(next) })
  return {
    keys: [...new Set(forms.flatMap(({ shape }) => Object.keys(shape ?? {})))],
    values: [...new Set(forms.flatMap(({ type, entries, values }) => (type === 'boolean' ? [true, false] : type === 'null' ? [null] : (values ?? Object.values(entries ?? {})))))],
  }
}
