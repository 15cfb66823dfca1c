/** The text of a kubeconfig with one cluster, user and context. */
import type { Identity } from './http/pki.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/**
 * @param name of the cluster, user and context
 * @param server `https://127.0.0.1:6443`
 * @param authority PEM
 */
export const kubeconfig = (name: string, server: string, authority: string, client: Identity): string =>
  `apiVersion: v1
kind: Config
clusters:
- name: ${name}
  cluster:
    certificate-authority-data: ${base64(authority)}
    server: ${server}
contexts:
- name: ${name}
  context:
    cluster: ${name}
    user: ${name}
current-context: ${name}
preferences: {}
users:
- name: ${name}
  user:
    client-certificate-data: ${base64(client.certificate)}
    client-key-data: ${base64(client.key)}
`;
