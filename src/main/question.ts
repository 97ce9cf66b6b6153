/** A message box. `cancelId` is what closing it means. */
export interface Question {
  message: string
  detail: string
  buttons: readonly string[]
  defaultId: number
  cancelId: number
  checkbox?: string
}
export type Ask = (question: Question) => Promise<{ button: number; checked: boolean }>
