import ui from '@nuxt/ui/vue-plugin'
import { createPinia } from 'pinia'
import { createApp, type Component } from 'vue'
import { connection } from '../transport/connection'
import { tokenOf } from '../transport/session'
import App from './App.vue'
import './main.css'
import { createAppRouter } from './router'

// The one-time token rides in the fragment, which the router would take for a route: it is read and removed first.
connection.start()
// A fresh link opened in this very tab changes no more than the fragment, so the page would stay. Before the router listens.
addEventListener('popstate', (event) => {
  if (tokenOf(location.hash) === null) return
  event.stopImmediatePropagation()
  location.reload()
})

const app = createApp(App as Component)
app.use(createPinia())
app.use(createAppRouter())
app.use(ui)
app.mount('#app')
