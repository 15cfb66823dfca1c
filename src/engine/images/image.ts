/** What an image is here: a base made of the system's own programs, some files on top, and how it starts. */

/** A file of an image: text (mode 0644), a program (0755), or a symbolic link. */
export type ImageFile = string | { readonly program: string } | { readonly link: string };

export interface Image {
  /** Repository names without registry, `library/` and tag: `nginx`, `e2e-test-images/agnhost`. */
  readonly names: readonly string[];
  /** What it is here, in a few words for a list. */
  readonly about: string;
  /** `debian`: all of the system's /usr, read-only below a writable layer; `busybox`: busybox's applets alone. */
  readonly base: 'debian' | 'busybox';
  readonly files?: () => Readonly<Record<string, ImageFile>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly workdir?: string;
  /** Signal that ends it politely; SIGTERM when not given (the OCI image's StopSignal). */
  readonly stopSignal?: NodeJS.Signals;
  /** Name of the part of the engine that does this program's work; it has no process of its own. */
  readonly component?: string;
}

/** An image name as a person writes it, without registry, `library/`, tag and digest. */
export function repository(name: string): string {
  let rest = name.split('@')[0] ?? name;
  const slash = rest.lastIndexOf('/');
  const colon = rest.lastIndexOf(':');
  if (colon > slash) rest = rest.slice(0, colon);
  const parts = rest.split('/');
  const first = parts[0] ?? '';
  if (parts.length > 1 && (first.includes('.') || first.includes(':') || first === 'localhost'))
    parts.shift();
  if (parts.length > 1 && parts[0] === 'library') parts.shift();
  return parts.join('/');
}

/** The name as the container runtime reports it: registry and tag written out (distribution reference rules). */
export function fullName(name: string): string {
  const [withoutDigest = name, digest] = name.split('@');
  const first = withoutDigest.split('/')[0] ?? '';
  const hasRegistry =
    withoutDigest.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  const path = hasRegistry
    ? withoutDigest
    : `docker.io/${withoutDigest.includes('/') ? '' : 'library/'}${withoutDigest}`;
  if (digest !== undefined) return `${path}@${digest}`;
  return path.lastIndexOf(':') > path.lastIndexOf('/') ? path : `${path}:latest`;
}
