export { GuestService } from './guest-service'
