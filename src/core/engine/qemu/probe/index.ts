export { createProbe, type ProbeOptions } from './probe'
export { featureNames, type FeatureName } from './features'
