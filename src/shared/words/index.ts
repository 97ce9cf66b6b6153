export * from './capitalised'
