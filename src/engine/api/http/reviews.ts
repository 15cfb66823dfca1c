/** Kinds that are questions: they are answered, not stored. And bindings, which act on another object. */
import { isObject, type JsonObject } from '../json.ts';
import { timestamp } from '../names.ts';
import type { Served } from '../resources/catalog.ts';
import { apiVersionOf } from '../resources/resource.ts';
import { badRequest } from '../status.ts';
import { send, sendObject } from './answer.ts';
import { readObject } from './body.ts';
import type { Context } from './context.ts';
import type { Exchange, ResourcePath, User } from './request.ts';
import { shapeOf } from './resources.ts';
import { listText, objectText } from './shape.ts';
import { bindPod } from './subresources.ts';
import { notFound } from '../status.ts';
import type { KubeObject } from '../../client/types.ts';

/** Everybody who is known may do everything: the engine keeps RBAC objects and does not enforce them. */
const ALLOWED = { allowed: true, reason: 'this cluster does not restrict authenticated users' };

const userInfo = (user: User): object => ({
  username: user.name,
  ...(user.uid ? { uid: user.uid } : {}),
  groups: user.groups,
});

const ANSWERS: Readonly<Record<string, (exchange: Exchange, spec: JsonObject, context: Context) => object>> =
  {
    SelfSubjectAccessReview: () => ALLOWED,
    SubjectAccessReview: () => ALLOWED,
    LocalSubjectAccessReview: () => ALLOWED,
    SelfSubjectRulesReview: () => ({
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      incomplete: false,
    }),
    SelfSubjectReview: (exchange) => ({ userInfo: userInfo(exchange.user) }),
    TokenReview: (_exchange, spec, context) => {
      const user = context.tokens.verify(String(spec['token'] ?? ''));
      return user
        ? { authenticated: true, user: userInfo(user), audiences: user.claims['aud'] }
        : { authenticated: false, user: {}, error: 'invalid bearer token' };
    },
  };

/** Answers a request for one of these kinds; undefined when the resource is an ordinary one. */
export function specialOf(
  served: Served,
): ((context: Context, exchange: Exchange, served: Served, path: ResourcePath) => Promise<void>) | undefined {
  const { kind } = served.resource;
  if (Object.hasOwn(ANSWERS, kind)) return review;
  if (kind === 'Binding')
    return (context, exchange, _served, path) => bindPod(context, exchange, path.namespace ?? '', undefined);
  if (kind === 'ComponentStatus') return componentStatus;
  return undefined;
}

async function review(context: Context, exchange: Exchange, served: Served): Promise<void> {
  const body = (await readObject(exchange.request, context.registry.catalog)) ?? {};
  const { kind } = served.resource;
  const answer = ANSWERS[kind];
  if (!answer) throw badRequest(`no such review: ${kind}`);
  const spec: JsonObject = isObject(body['spec']) ? body['spec'] : {};
  sendObject(exchange, 201, {
    kind,
    apiVersion: apiVersionOf(served.group, served.version),
    metadata: { creationTimestamp: timestamp() },
    ...(kind === 'SelfSubjectReview' ? {} : { spec }),
    status: answer(exchange, spec, context),
  });
}

const COMPONENTS: readonly KubeObject[] = ['controller-manager', 'scheduler', 'etcd-0'].map((name) => ({
  apiVersion: 'v1',
  kind: 'ComponentStatus',
  metadata: { name },
  conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }],
}));

async function componentStatus(
  _context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  exchange.warnings.push('v1 ComponentStatus is deprecated in v1.19+');
  const shape = shapeOf(exchange);
  if (path.name === undefined) return send(exchange, 200, listText(served, COMPONENTS, {}, shape));
  const one = COMPONENTS.find((component) => component.metadata.name === path.name);
  if (!one) throw notFound('', 'componentstatuses', path.name);
  send(exchange, 200, objectText(served, one, shape));
}
