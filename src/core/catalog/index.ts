export { loadCatalog, osEntry, sampleOsId } from './catalog'
export { foreignArchitecture, recogniseOs } from './recognise'
