// Development in a browser: the page from Vite with hot reload, everything else from a running host.
//   npx vite -c vite.web.config.ts          RINGSIDE_HOST_URL says where the host listens
import { defineConfig, mergeConfig, type UserConfig } from 'vite'
import base from './electron.vite.config.ts'

const { renderer } = base as { renderer: UserConfig }
const target = process.env['RINGSIDE_HOST_URL'] ?? 'http://127.0.0.1:8470'

export default defineConfig(
  mergeConfig(renderer, {
    server: {
      host: '127.0.0.1',
      port: 5174,
      strictPort: true,
      proxy: { '/rpc': { target, ws: true }, '/console': { target, ws: true }, '/session': { target }, '/upload': { target } },
    },
    build: { outDir: '../../out/renderer', emptyOutDir: true },
  }),
)
