import { testKillsDuring } from './support/fault-kills'
import { clonings } from './support/fault-operations'

testKillsDuring(clonings)
