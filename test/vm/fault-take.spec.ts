import { testKillsDuring } from './support/fault-kills'
import { takes } from './support/fault-operations'

testKillsDuring(takes)
