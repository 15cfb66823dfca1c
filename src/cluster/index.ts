/** Picks a backend by its name. */
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import { embeddedBackend } from './embedded/backend.ts';
import { kindBackend } from './kind/backend.ts';
import { BACKENDS, type Backend, type BackendName } from './port.ts';

/** Backends by name; one that is not built yet is not listed. */
const backends: Partial<Record<BackendName, Backend>> = { embedded: embeddedBackend, kind: kindBackend };

/**
 * The backend of that name.
 * @throws PodlabError `unknown-backend` with the valid choices
 */
export function backendOf(name: string): Backend {
  const found = BACKENDS.find((known) => known === name);
  const backend = found && backends[found];
  if (backend) return backend;
  const choices = Object.keys(backends).join(', ');
  throw new PodlabError({
    code: 'unknown-backend',
    fault: 'user',
    message: text(`There is no cluster backend "${name}".`, `没有名为“${name}”的集群后端。`),
    hint: text(`Choose one of: ${choices}`, `可选：${choices}`),
  });
}

/** Every backend, for `list` and `down --all`. */
export const allBackends = (): readonly Backend[] => Object.values(backends);
