/** ingress-nginx for the engine: the controller, and the files of its images. */
export { IngressController, type IngressInit } from './controller.ts';
export { CERTGEN_FILES, CONTROLLER_FILES } from './image.ts';
