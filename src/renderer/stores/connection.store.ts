import { defineStore } from 'pinia'
import { computed } from 'vue'
import { connection } from '../transport/connection'

/** How the window stands with the host. */
export const useConnectionStore = defineStore('connection', () => {
  const state = connection.state
  const isOpen = computed(() => state.value.type === 'open')
  return { state, isOpen, retryNow: () => { connection.retryNow() }, signIn: (token: string) => connection.signIn(token) }
})
