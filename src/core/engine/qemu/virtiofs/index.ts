export { abilitiesOf, askVirtiofs, readVirtiofsSupport, type VirtiofsReport } from './ask-virtiofsd'
export { folderObstacle, virtiofsDevice, virtiofsObstacle } from './choose-driver'
export { adoptVirtiofsd, endLeftoverVirtiofsds, launchVirtiofsd, type VirtiofsDaemon } from './launch-virtiofsd'
export { shareObstacle } from './virtiofsd-argv'
