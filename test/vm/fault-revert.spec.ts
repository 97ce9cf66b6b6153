import { testKillsDuring } from './support/fault-kills'
import { reverts } from './support/fault-operations'

testKillsDuring(reverts)
