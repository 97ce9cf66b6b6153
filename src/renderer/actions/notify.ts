export { notify, notifyError, useNotices, type Notice } from '../ui/notices'
