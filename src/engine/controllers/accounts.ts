/**
 * Service accounts: the account `default` and the cluster's authority that every namespace has, put back when deleted,
 * and tokens in Secrets for those who still ask for one that way.
 */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions } from './controller.ts';

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

export interface TokenOptions extends ControllerOptions {
  readonly caCertificate: string;
  /** Signs a token of an account that does not expire. */
  readonly issueToken: (account: { namespace: string; name: string; uid: string }) => Promise<string>;
}

const SECRETS = gr('secrets');
const TOKEN_TYPE = 'kubernetes.io/service-account-token';

/** Fills Secrets of type service-account-token, and deletes those of accounts that are gone. */
export function createTokenController(options: TokenOptions): Component {
  return controller(options, 'serviceaccount-token-controller', 'serviceaccount-token-controller', (work) => {
    const secrets = work.watch(SECRETS, ({ object }) => {
      if (object['type'] === TOKEN_TYPE) work.queue.add(keyOf(object));
    });
    const accounts = work.watch(ACCOUNTS, ({ type }) => {
      if (type === 'DELETED')
        for (const secret of secrets.list()) if (secret['type'] === TOKEN_TYPE) work.queue.add(keyOf(secret));
    });
    const encode = (text: string) => Buffer.from(text).toString('base64');
    return async (key) => {
      const { namespace, name } = splitKey(key);
      const secret = secrets.get(name, namespace);
      if (!secret || secret.metadata.deletionTimestamp) return;
      const owner = secret.metadata.annotations?.['kubernetes.io/service-account.name'] ?? '';
      const account = accounts.get(owner, namespace);
      if (!account) return work.client.delete(SECRETS, name, namespace);
      const uid = account.metadata.uid ?? '';
      if (secret['data']?.token) return;
      const token = await options.issueToken({ namespace, name: owner, uid });
      await work.client.patch(SECRETS, name, namespace, {
        metadata: { annotations: { 'kubernetes.io/service-account.uid': uid } },
        data: {
          token: encode(token),
          'ca.crt': encode(options.caCertificate),
          namespace: encode(namespace),
        },
      });
    };
  });
}
