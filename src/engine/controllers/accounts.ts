/** What every namespace has: the service account `default` and the cluster's authority as a ConfigMap; put back when deleted. */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, type ControllerOptions } from './controller.ts';

const ACCOUNTS = gr('serviceaccounts');
const CONFIGMAPS = gr('configmaps');
const ROOT_CA = 'kube-root-ca.crt';

export function createServiceAccountController(options: ControllerOptions): Component {
  return controller(options, 'serviceaccount-controller', 'serviceaccount-controller', (work) => {
    const namespaces = work.watch(gr('namespaces'), ({ object }) => work.queue.add(object.metadata.name));
    work.watch(ACCOUNTS, ({ type, object: { metadata } }) => {
      if (type === 'DELETED' && metadata.name === 'default') work.queue.add(metadata.namespace ?? '');
    });
    return async (namespace) => {
      const found = namespaces.get(namespace);
      if (!found || found.metadata.deletionTimestamp) return;
      if (await work.client.get(ACCOUNTS, 'default', namespace)) return;
      await work.client.create<KubeObject>(ACCOUNTS, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default', namespace },
      });
    };
  });
}

export interface RootCaOptions extends ControllerOptions {
  /** PEM of the authority that signs the API server's certificate. */
  readonly caCertificate: string;
}

export function createRootCaPublisher(options: RootCaOptions): Component {
  const name = 'root-ca-certificate-publisher-controller';
  return controller(options, name, name, (work) => {
    const namespaces = work.watch(gr('namespaces'), ({ object }) => work.queue.add(object.metadata.name));
    work.watch(CONFIGMAPS, ({ type, object: { metadata } }) => {
      if (type !== 'ADDED' && metadata.name === ROOT_CA) work.queue.add(metadata.namespace ?? '');
    });
    const data = { 'ca.crt': options.caCertificate };
    return async (namespace) => {
      const found = namespaces.get(namespace);
      if (!found || found.metadata.deletionTimestamp) return;
      const map = await work.client.get(CONFIGMAPS, ROOT_CA, namespace);
      if (map?.['data']?.['ca.crt'] === options.caCertificate) return;
      if (map) await work.client.patch(CONFIGMAPS, ROOT_CA, namespace, { data });
      else
        await work.client.create<KubeObject>(CONFIGMAPS, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: {
            name: ROOT_CA,
            namespace,
            annotations: {
              'kubernetes.io/description':
                'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
            },
          },
          data,
        });
    };
  });
}
