/** The image of probe pods: agnhost, with sh, ip, curl, dig and ping beside it. */
export const PROBE_IMAGE = 'registry.k8s.io/e2e-test-images/agnhost:2.47';
