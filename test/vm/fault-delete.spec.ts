import { testKillsDuring } from './support/fault-kills'
import { deletions } from './support/fault-operations'

testKillsDuring(deletions)
