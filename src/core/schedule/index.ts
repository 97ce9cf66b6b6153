export { isDue, newestOfEach } from './periods'
export { PolicySchedule, type ScheduleFailure, type ScheduleOptions } from './policy-schedule'
