/** The images that a node can "pull": names that manifests use, and the real program or stand-in behind each. */
import { readFileSync } from 'node:fs';
import { CERTGEN_FILES, CONTROLLER_FILES } from '../ingress/index.ts';
import { sourceFile } from '../source.ts';
import { type Image, repository } from './image.ts';
import { NGINX_FILES } from './nginx.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const agnhost = () => ({ '/agnhost': { program: readFileSync(sourceFile('images/agnhost.pl'), 'utf8') } });

/** An image whose program is a part of the engine. */
const part = (component: string, names: readonly string[], about: string): Image => ({
  names,
  about,
  base: 'busybox',
  entrypoint: [`/${component}`],
  component,
});

export const CATALOGUE: readonly Image[] = [
  {
    names: ['nginx', 'nginxinc/nginx-unprivileged'],
    about: "the system's nginx",
    base: 'debian',
    files: () => NGINX_FILES,
    env: { PATH, NGINX_VERSION: '1.22.1' },
    entrypoint: ['/docker-entrypoint.sh'],
    cmd: ['nginx', '-g', 'daemon off;'],
    stopSignal: 'SIGQUIT',
  },
  {
    names: ['busybox', 'e2e-test-images/busybox'],
    about: "the system's busybox",
    base: 'busybox',
    env: { PATH },
    cmd: ['sh'],
  },
  {
    names: ['alpine'],
    about: "busybox's tools, as in Alpine; no apk",
    base: 'busybox',
    env: { PATH },
    cmd: ['/bin/sh'],
  },
  {
    names: ['e2e-test-images/agnhost', 'agnhost', 'gcr.io/kubernetes-e2e-test-images/agnhost'],
    about: 'netexec, connect, serve-hostname, pause and more of agnhost, compatible',
    base: 'debian',
    files: agnhost,
    env: { PATH },
    entrypoint: ['/agnhost'],
    cmd: ['pause'],
  },
  {
    names: ['nicolaka/netshoot', 'netshoot', 'e2e-test-images/jessie-dnsutils', 'tutum/dnsutils'],
    about: "the system's network tools",
    base: 'debian',
    env: { PATH },
    cmd: ['bash'],
  },
  {
    names: ['curlimages/curl', 'curl', 'radial/busyboxplus', 'appropriate/curl'],
    about: "the system's curl",
    base: 'debian',
    files: () => ({
      '/entrypoint.sh': {
        program: '#!/bin/sh\ncase "$1" in -*|http*|"") exec curl "$@";; esac\nexec "$@"\n',
      },
    }),
    env: { PATH },
    entrypoint: ['/entrypoint.sh'],
    cmd: ['curl'],
  },
  {
    names: ['debian', 'ubuntu', 'bash', 'perl', 'buildpack-deps'],
    about: "the system's own programs",
    base: 'debian',
    env: { PATH },
    cmd: ['bash'],
  },
  {
    names: ['pause', 'k8s.gcr.io/pause'],
    about: 'waits for ever',
    base: 'debian',
    files: agnhost,
    env: { PATH },
    entrypoint: ['/agnhost', 'pause'],
  },
  part('kube-apiserver', ['kube-apiserver'], 'part of the engine'),
  part('etcd', ['etcd'], 'part of the engine'),
  part('kube-controller-manager', ['kube-controller-manager'], 'part of the engine'),
  part('kube-scheduler', ['kube-scheduler'], 'part of the engine'),
  part('kube-proxy', ['kube-proxy'], 'part of the engine'),
  part('coredns', ['coredns/coredns', 'coredns'], 'part of the engine'),
  part('flanneld', ['flannel/flannel', 'flannel-io/flannel'], 'part of the engine'),
  part('calico-node', ['calico/node'], 'part of the engine'),
  part('calico-kube-controllers', ['calico/kube-controllers'], 'part of the engine'),
  {
    names: ['ingress-nginx/controller', 'podlab/gateway'],
    about: "the system's nginx, configured by the engine's controllers",
    base: 'debian',
    files: () => CONTROLLER_FILES,
    env: { PATH },
    entrypoint: ['/usr/bin/dumb-init', '--'],
    cmd: ['/nginx-ingress-controller'],
  },
  {
    names: ['ingress-nginx/kube-webhook-certgen'],
    about: "makes the webhook's certificate",
    base: 'debian',
    files: () => CERTGEN_FILES,
    env: { PATH },
    entrypoint: ['/kube-webhook-certgen'],
  },
];

/** The image of that name, whatever its registry and tag. */
export function findImage(name: string): Image | undefined {
  const wanted = repository(name);
  return CATALOGUE.find((image) => image.names.includes(wanted));
}

/** What a node says of an image that it does not have: the list of those that it has. */
export function unknownImage(name: string): string {
  const known = CATALOGUE.filter((image) => image.component === undefined).flatMap((image) => image.names);
  return (
    `failed to pull and unpack image "${name}": this cluster has no registry; ` +
    `its images are: ${known.join(', ')} (any tag). Others need a cluster with a registry (--cluster kind)`
  );
}
