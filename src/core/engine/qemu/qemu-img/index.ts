export { renameBacking } from './encrypted-overlay'
export { createImageTool, type Backing, type CommitRequest, type ImageCheck, type ImageExtent, type ImageFile, type ImageKeys, type ImageMeasure, type OverlayRequest, type QemuImg, type RebaseRequest } from './qemu-img'
