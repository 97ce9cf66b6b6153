export { type ImageStep, imageSteps } from './context'
export { ImageService, isCancellable, jobKindOf } from './image-service'
export { titleOf } from './plan'
