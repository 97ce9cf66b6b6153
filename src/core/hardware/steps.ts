/** Where a change of hardware can be cut off, in the order in which it is made. */
export const hardwareSteps = [
  'hardware:disk-begun', 'hardware:disk-made', 'hardware:disk-named', 'hardware:remembered', 'hardware:definition-changed', 'hardware:places-given', 'hardware:live-change-made', 'hardware:run-noted', 'hardware:saved-noted',
] as const
export type HardwareStep = (typeof hardwareSteps)[number]
