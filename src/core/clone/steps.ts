/**
 * Where work on clones and templates can be cut off: everything before is on the drive, and nothing after has begun. In the order in which they come;
 * not every one comes every time.
 */
export const cloneSteps = [
  'clone:base-taken', 'clone:images-made', 'clone:memory-kept', 'clone:added', 'clone:base-settled',
  'template:saved', 'template:marked',
  'detach:layer-filled', 'detach:origin-changed',
] as const
export type CloneStep = (typeof cloneSteps)[number]
