/** What all handlers of the server share. */
import type { KubeletPort } from '../kubelet-port.ts';
import type { Registry } from '../registry.ts';
import type { Tokens } from './tokens.ts';

export interface Context {
  readonly registry: Registry;
  readonly kubelet: KubeletPort | undefined;
  readonly tokens: Tokens;
  readonly onError: (error: unknown) => void;
}
