import { z } from 'zod'

type RawIssue = z.core.$ZodRawIssue

/** What a schema finds wrong and has no words of its own for, as a person would say it; undefined: zod’s own words. */
export function inPlainWords(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'It is missing.' : typeWords[issue.expected]
    case 'invalid_value':
      return `It can be ${issue.values.map(String).join(', ')}.`
    case 'invalid_union': {
      const values = issue.discriminator === undefined ? undefined : (issue as { options?: readonly unknown[] }).options
      return values === undefined || values.length === 0 ? undefined : `It can be ${values.map(String).join(', ')}.`
    }
    case 'too_small':
      if (issue.origin === 'string') return Number(issue.minimum) <= 1 ? 'It can’t be empty.' : `It has at least ${String(issue.minimum)} characters.`
      if (issue.origin === 'array') return `There are at least ${String(issue.minimum)}.`
      return issue.inclusive === false ? `More than ${String(issue.minimum)} is needed.` : `The least is ${String(issue.minimum)}.`
    case 'too_big':
      if (issue.origin === 'string') return `It has at most ${String(issue.maximum)} characters.`
      if (issue.origin === 'array') return `There are at most ${String(issue.maximum)}.`
      return issue.inclusive === false ? `Less than ${String(issue.maximum)} is needed.` : Number(issue.maximum) >= Number.MAX_SAFE_INTEGER ? 'The number is too big.' : `The most is ${String(issue.maximum)}.`
    case 'unrecognized_keys':
      return `There is no ${issue.keys.map((key) => `“${key}”`).join(', ')} here.`
    default:
      return undefined
  }
}

const typeWords: Readonly<Record<string, string>> = {
  number: 'A number is needed.', int: 'A whole number is needed.', string: 'A text is needed.', boolean: 'It is true or false.', array: 'A list is needed.', object: 'It has settings of its own, as an object has.', null: 'It is null.',
}

z.config({ customError: inPlainWords })

/** Everything that a schema finds wrong, once for each place: a number that is too big for a computer is too big for its setting as well. */
export function schemaIssues(error: z.ZodError): z.core.$ZodIssue[] {
  const isBare = (issue: z.core.$ZodIssue): boolean => issue.code === 'too_big' && Number(issue.maximum) >= Number.MAX_SAFE_INTEGER
  const at = ({ path }: z.core.$ZodIssue): string => path.join('.')
  return error.issues.filter((issue) => !isBare(issue) || !error.issues.some((other) => other !== issue && at(other) === at(issue)))
}
