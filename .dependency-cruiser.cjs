/**
 * Who may import whom: the table of layers in docs/architecture.md, as rules.
 *
 * `rooms`: other folders of src/ that a layer may import, beside itself. `node`: whether it may import Node's own modules.
 * `packages`: the npm packages it may import.
 */
const layers = {
  shared: { rooms: [], node: false, packages: ['zod', '@orpc/contract'] },
  core: { rooms: ['shared'], node: true, packages: ['zod', '@orpc/server', '@orpc/contract', 'env-paths', 'pidusage', 'pngjs', 'trash'] },
  worker: { rooms: ['core', 'shared'], node: true, packages: ['zod', 'ws', 'pngjs'] },
  server: { rooms: ['core', 'shared'], node: true, packages: ['zod', 'ws', '@orpc/server', '@orpc/client', '@orpc/contract', 'commander'] },
  cli: { rooms: ['core', 'shared', 'server'], node: true, packages: ['zod', 'ws', '@orpc/client', '@orpc/server', '@orpc/contract', 'commander', 'pngjs'] },
  main: { rooms: ['core', 'shared', 'server'], node: true, packages: ['zod', 'electron'] },
  preload: { rooms: ['shared'], node: false, packages: ['electron'] },
  renderer: {
    rooms: ['shared'], node: false,
    packages: ['zod', 'vue', 'vue-router', 'pinia', '@vueuse/core', '@nuxt/ui', 'uplot', '@novnc/novnc', '@xterm', '@orpc/client', '@orpc/contract', 'tailwindcss', '@iconify-json', '@codemirror', '@lezer/highlight'],
  },
}

/** Where programs begin; what none of them reaches is dead. */
const entryPoints = ['src/main/index\\.ts', 'src/worker/machine\\.ts', 'src/server/serve\\.ts', 'src/cli/index\\.ts', 'src/preload/index\\.ts', 'src/renderer/main\\.ts']

/** Specs and what only they use. */
const tests = '\\.(spec|fixture)\\.ts$|/testing/|/spec-[^/]+\\.ts$'
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

const layerRules = Object.entries(layers).flatMap(([layer, { rooms, node, packages }]) => [
  {
    name: `${layer}-rooms`,
    comment: `${layer} may import ${[layer, ...rooms].join(', ')} of src/, and nothing else of the project.`,
    severity: 'error',
    from: { path: `^src/${layer}/`, pathNot: tests },
    to: { path: '^(src|test|tools|bin|out)/', pathNot: `^src/(${[layer, ...rooms].join('|')})/` },
  },
  {
    name: `${layer}-packages`,
    comment: `${layer} may import ${packages.join(', ')}. A package that it needs beside is a decision: docs/decisions/001-dependencies.md.`,
    severity: 'error',
    from: { path: `^src/${layer}/`, pathNot: `${tests}|\\.d\\.ts$` },
    to: { path: 'node_modules/', pathNot: `node_modules/(${[...packages, '@types'].map(escaped).join('|')})/` },
  },
  ...(node ? [] : [{
    name: `${layer}-without-node`,
    comment: `${layer} runs where there is no Node.`,
    severity: 'error',
    from: { path: `^src/${layer}/`, pathNot: tests },
    to: { dependencyTypes: ['core'] },
  }]),
])

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'features-apart',
      comment: 'Features of the renderer never import each other; they meet in stores or ui.',
      severity: 'error',
      from: { path: '^src/renderer/features/([^/]+)/', pathNot: tests },
      to: { path: '^src/renderer/features/([^/]+)/', pathNot: '^src/renderer/features/$1/' },
    },
    { name: 'no-cycles', comment: 'Two modules that need each other are one module, or hide a third.', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', comment: 'What is imported has to be there.', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'declared',
      comment: 'A package that is only there because another one brought it may be gone tomorrow.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-dead-files',
      comment: 'No program reaches this file: use it or delete it.',
      severity: 'error',
      from: { path: `^(${entryPoints.join('|')})$` },
      to: { path: '^src/', pathNot: [tests, ...entryPoints, '\\.d\\.ts$', '^src/renderer/public/'], reachable: false },
    },
    {
      name: 'shipped',
      comment: 'What runs on the user’s computer outside the renderer’s bundle has to be in dependencies.',
      severity: 'error',
      from: { path: '^src/(core|worker|server|cli|main)/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/(electron|@types)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'], extensions: ['.ts', '.mjs', '.js', '.cjs', '.vue', '.json', '.d.ts'] },
  },
}
