export * from './capitalised'
export * from './when-it-comes'
