/**
 * Attached routes in nginx's own words. Which route takes a request is decided by maps: one variable a condition, one
 * an entry (all its conditions), and one that names the first entry that holds, in Gateway API's order of precedence.
 */
import { createHash } from 'node:crypto';
import { literal, quoted } from '../nginx/push.ts';
import { backendFault, type Attachment } from './attach.ts';
import type { BackendRef, Filter, HeaderChange, Match, PathChange, Route, Rule, World } from './types.ts';

export interface NginxFiles {
  readonly runFolder: string;
  /** Certificate of a listener, by its first certificateRef; undefined: there is none and the listener is left out. */
  certificate(
    attachment: Pick<Attachment, 'gateway' | 'listener'>,
  ): { cert: string; key: string } | undefined;
}

interface Entry {
  readonly match: Match;
  readonly route: Route;
  readonly rule: Rule;
  readonly order: number;
}

const SAFE_NAME = /^[A-Za-z0-9_-]+$/;
const headerVariable = (name: string) => `$http_${name.toLowerCase().replace(/-/g, '_')}`;

/** The whole configuration for one Gateway. */
export function gatewayConfig(attachments: readonly Attachment[], world: World, files: NginxFiles): string {
  const maps = new Maps();
  const servers = serversOf(attachments, files).map((server) => serverBlock(server, world, maps));
  return `user root root;
worker_processes 1;
daemon off;
pid ${files.runFolder}/nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log /dev/stdout;
  server_tokens off;
  client_body_temp_path ${files.runFolder}/body;
  proxy_temp_path ${files.runFolder}/proxy;
  fastcgi_temp_path ${files.runFolder}/fastcgi;
  uwsgi_temp_path ${files.runFolder}/uwsgi;
  scgi_temp_path ${files.runFolder}/scgi;
  server_names_hash_bucket_size 256;
  map_hash_bucket_size 256;
  variables_hash_max_size 4096;
  proxy_http_version 1.1;
  underscores_in_headers on;
  server {
    listen 10254;
    location /healthz { return 200; }
  }
  server { listen unix:${files.runFolder}/500.sock; return 500; }
  server { listen unix:${files.runFolder}/503.sock; return 503; }
  map "$scheme:$server_port" $listener_port { http:80 ''; https:443 ''; default :$server_port; }
  upstream answer_500 { server unix:${files.runFolder}/500.sock; }
  upstream answer_503 { server unix:${files.runFolder}/503.sock; }
${maps.text()}
${servers.join('\n')}
}
`;
}

/** Declarations of the http block that servers ask for; the same one is made once. */
class Maps {
  readonly #made = new Map<string, string>();
  readonly #lines: string[] = [];

  /** Declares a variable by a text with `@` in the place of its name. */
  variable(declaration: string): string {
    let name = this.#made.get(declaration);
    if (!name) {
      name = `$v${this.#made.size}`;
      this.#made.set(declaration, name);
      this.#lines.push(`  ${declaration.replace('@', name)}`);
    }
    return name;
  }

  upstream(servers: readonly string[]): string {
    const name = `up_${createHash('sha256').update(servers.join()).digest('hex').slice(0, 16)}`;
    if (!this.#made.has(name)) {
      this.#made.set(name, name);
      this.#lines.push(
        `  upstream ${name} { ${servers.map((one) => `server ${one} max_fails=0;`).join(' ')} keepalive 16; }`,
      );
    }
    return name;
  }

  text = (): string => this.#lines.join('\n');
}

interface Server {
  readonly port: number;
  readonly hostname: string;
  readonly tls: { cert: string; key: string } | undefined;
  readonly attachments: Attachment[];
}

/** One nginx server for each port and host name. */
function serversOf(attachments: readonly Attachment[], files: NginxFiles): Server[] {
  const servers = new Map<string, Server>();
  for (const one of attachments) {
    const tls = one.listener.protocol === 'HTTPS' ? files.certificate(one) : undefined;
    if (one.listener.protocol === 'HTTPS' && !tls) continue;
    for (const hostname of one.hostnames) {
      const key = `${one.listener.port} ${hostname}`;
      const server = servers.get(key) ?? { port: one.listener.port, hostname, tls, attachments: [] };
      servers.set(key, server);
      server.attachments.push(one);
    }
  }
  // A request whose host is nobody's gets 404, as the specification asks.
  for (const { listener, gateway } of attachments) {
    const tls = listener.protocol === 'HTTPS' ? files.certificate({ listener, gateway }) : undefined;
    const key = `${listener.port} `;
    if (!servers.has(key) && (listener.protocol !== 'HTTPS' || tls))
      servers.set(key, { port: listener.port, hostname: '', tls, attachments: [] });
  }
  return [...servers.values()];
}

/** Exact path, longest prefix, method, most headers, most query parameters; then the oldest route, then its rules' order. */
function precedence(a: Entry, b: Entry): number {
  const rank = (match: Match) => {
    const path = match.path ?? { type: 'PathPrefix', value: '/' };
    const kind = path.type === 'Exact' ? 2 : path.type === 'RegularExpression' ? 0 : 1;
    return [
      kind,
      path.value?.length ?? 1,
      match.method ? 1 : 0,
      match.headers?.length ?? 0,
      match.queryParams?.length ?? 0,
    ];
  };
  const [left, right] = [rank(a.match), rank(b.match)];
  for (const [index, value] of left.entries()) if (value !== right[index]) return right[index]! - value;
  const age = ({ route }: Entry) =>
    `${route.metadata.creationTimestamp ?? ''} ${route.metadata.namespace}/${route.metadata.name}`;
  return age(a) === age(b) ? a.order - b.order : age(a) < age(b) ? -1 : 1;
}

/** `$asked` keeps the path, because a map with a regular expression takes the captures of a rewrite for its own. */
function serverBlock(server: Server, world: World, maps: Maps): string {
  const entries = server.attachments
    .flatMap(({ route }) =>
      (route.spec?.rules ?? []).flatMap((rule, index) =>
        (rule.matches?.length ? rule.matches : [{}]).map((match): Entry => ({
          match,
          route,
          rule,
          order: index,
        })),
      ),
    )
    .sort(precedence);
  const holds = entries.map((entry) => entryVariable(entry.match, maps));
  const choice = maps.variable(
    `map "${holds.join('')}" @ { default 0; ${holds.map((_, index) => `"~^${'0'.repeat(index)}1" ${index + 1};`).join(' ')} }`,
  );
  const fallback = server.hostname === '' ? ' default_server' : '';
  const ssl = server.tls ? ' ssl http2' : '';
  const locations = entries.map(
    ({ match, route, rule }, index) => `    location ^~ /.r/${index + 1}/ {
      internal;
${actionOf(match, route, rule, index + 1, world, maps)
  .map((line) => `      ${line}`)
  .join('\n')}
    }`,
  );
  return `  server {
    server_name ${server.hostname === '' ? '_' : quoted(server.hostname)};
    listen ${server.port}${fallback}${ssl};
${server.tls ? `    ssl_certificate ${server.tls.cert};\n    ssl_certificate_key ${server.tls.key};\n` : ''}    location / { set $asked $uri; rewrite ^ /.r/${entries.length > 0 ? choice : '0'}$asked last; }
    location ^~ /.r/0/ { internal; return 404; }
${locations.join('\n')}
  }`;
}

/** `1` where all conditions of a match hold. */
function entryVariable(match: Match, maps: Maps): string {
  const path = match.path ?? { type: 'PathPrefix', value: '/' };
  const value = path.value ?? '/';
  const pattern =
    path.type === 'Exact'
      ? `^${literal(value)}$`
      : path.type === 'RegularExpression'
        ? `^${value.replace(/["\r\n]/g, '')}`
        : value === '/'
          ? '^/'
          : `^${literal(value.replace(/\/+$/, ''))}(/|$)`;
  const conditions = [maps.variable(`map $uri @ { default 0; "~${pattern}" 1; }`)];
  if (match.method)
    conditions.push(maps.variable(`map $request_method @ { default 0; ${quoted(match.method)} 1; }`));
  const equals = (source: string, type: string | undefined, wanted: string) =>
    maps.variable(
      `map ${source} @ { default 0; ${type === 'RegularExpression' ? `"~${wanted.replace(/["\r\n]/g, '')}"` : `"~^${literal(wanted)}$"`} 1; }`,
    );
  for (const header of match.headers ?? [])
    if (SAFE_NAME.test(header.name))
      conditions.push(equals(headerVariable(header.name), header.type, header.value));
  for (const parameter of match.queryParams ?? [])
    if (SAFE_NAME.test(parameter.name))
      conditions.push(equals(`$arg_${parameter.name}`, parameter.type, parameter.value));
  if (conditions.length === 1) return conditions[0]!;
  return maps.variable(`map "${conditions.join('')}" @ { default 0; ${'1'.repeat(conditions.length)} 1; }`);
}

/** What is done with a request of an entry. */
function actionOf(match: Match, route: Route, rule: Rule, index: number, world: World, maps: Maps): string[] {
  const filters = rule.filters ?? [];
  const lines = [`rewrite ^/\\.r/${index}(/.*)$ $1;`];
  for (const filter of filters)
    if (filter.responseHeaderModifier) lines.push(...responseHeaders(filter.responseHeaderModifier));
  const redirect = filters.find((one) => one.requestRedirect)?.requestRedirect;
  if (redirect) return [...lines.slice(1), redirection(redirect, match, index)];
  const rewrite = filters.find((one) => one.urlRewrite)?.urlRewrite;
  if (rewrite?.path) lines.push(...rewritten(rewrite.path, match));
  for (const filter of filters)
    if (filter.requestHeaderModifier) lines.push(...requestHeaders(filter.requestHeaderModifier));
  lines.push('break;'); // From here on nothing rewrites.
  lines.push(`proxy_set_header Host ${rewrite?.hostname ? quoted(rewrite.hostname) : '$http_host'};`);
  lines.push(
    'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
    'proxy_set_header Connection "";',
  );
  lines.push(`proxy_pass http://${backends(rule.backendRefs ?? [], route, world, maps)};`);
  return lines;
}

function requestHeaders(change: HeaderChange): string[] {
  const safe = (one: { name: string }) => SAFE_NAME.test(one.name);
  return [
    ...(change.set ?? []).filter(safe).map((one) => `proxy_set_header ${one.name} ${quoted(one.value)};`),
    ...(change.add ?? []).filter(safe).map((one) => {
      const old = headerVariable(one.name);
      return `set $added "${one.value.replace(/[\\"$\r\n]/g, '')}"; if (${old} != "") { set $added "${old},${one.value.replace(/[\\"$\r\n]/g, '')}"; } proxy_set_header ${one.name} $added;`;
    }),
    ...(change.remove ?? [])
      .filter((name) => SAFE_NAME.test(name))
      .map((name) => `proxy_set_header ${name} "";`),
  ];
}

function responseHeaders(change: HeaderChange): string[] {
  const safe = (one: { name: string }) => SAFE_NAME.test(one.name);
  return [
    ...(change.set ?? [])
      .filter(safe)
      .flatMap((one) => [
        `proxy_hide_header ${one.name};`,
        `add_header ${one.name} ${quoted(one.value)} always;`,
      ]),
    ...(change.add ?? []).filter(safe).map((one) => `add_header ${one.name} ${quoted(one.value)} always;`),
    ...(change.remove ?? [])
      .filter((name) => SAFE_NAME.test(name))
      .map((name) => `proxy_hide_header ${name};`),
  ];
}

function redirection(redirect: NonNullable<Filter['requestRedirect']>, match: Match, index: number): string {
  const { scheme = '$scheme', hostname = '$host', statusCode = 302, path } = redirect;
  const usual = redirect.scheme === 'https' ? 443 : redirect.scheme === 'http' ? 80 : undefined;
  const port = redirect.port === usual ? '' : redirect.port === undefined ? '' : `:${redirect.port}`;
  const shown = redirect.port === undefined && usual === undefined ? '$listener_port' : port;
  const to = `${scheme}://${hostname}${shown}`;
  if (path?.type === 'ReplaceFullPath')
    return `return ${statusCode} "${to}${plain(path.replaceFullPath ?? '/')}";`;
  if (path?.type === 'ReplacePrefixMatch') {
    const [pattern, target] = prefixChange(path, match);
    return `if ($uri ~ "^/\\.r/${index}${pattern}") { return ${statusCode} "${to}${target}"; }`;
  }
  return `if ($uri ~ "^/\\.r/${index}(/.*)$") { return ${statusCode} "${to}$1$is_args$args"; }`;
}

function rewritten(path: PathChange, match: Match): string[] {
  if (path.type === 'ReplaceFullPath') return [`rewrite ^ "${plain(path.replaceFullPath ?? '/')}";`];
  const [pattern, target] = prefixChange(path, match);
  return [`rewrite "^${pattern}" "${target}";`];
}

/** What matches the prefix and the rest, and what is put in its place (HTTPPathModifier: ReplacePrefixMatch). */
function prefixChange(path: PathChange, match: Match): [string, string] {
  const prefix = literal((match.path?.value ?? '/').replace(/\/+$/, ''));
  const target = plain((path.replacePrefixMatch ?? '/').replace(/\/+$/, ''));
  return target === '' ? [`${prefix}/?(.*)$`, '/$1'] : [`${prefix}(/.*)?$`, `${target}$1`];
}

/** A path without what means something to nginx inside quotes. */
const plain = (path: string): string => path.replace(/[$"\\\r\n]/g, '');

/** The upstream, or a variable that names one by weight. A backend that cannot be used answers 500 for its share. */
function backends(refs: readonly BackendRef[], route: Route, world: World, maps: Maps): string {
  const shares = refs
    .map((ref) => ({
      weight: ref.weight ?? 1,
      name: backendFault(ref, route, world) ? 'answer_500' : upstreamOf(ref, route, world, maps),
    }))
    .filter((one) => one.weight > 0);
  const total = shares.reduce((sum, one) => sum + one.weight, 0);
  if (shares.length === 0) return 'answer_500';
  if (shares.length === 1) return shares[0]!.name;
  const parts = shares.map((one, index) =>
    index === shares.length - 1
      ? `* ${one.name};`
      : `${((one.weight / total) * 100).toFixed(2)}% ${one.name};`,
  );
  return maps.variable(`split_clients $request_id @ { ${parts.join(' ')} }`);
}

function upstreamOf(ref: BackendRef, route: Route, world: World, maps: Maps): string {
  const namespace = ref.namespace ?? route.metadata.namespace;
  const service = world.services.find(
    (one) => one.metadata.namespace === namespace && one.metadata.name === ref.name,
  );
  const port = service?.spec?.ports?.find((one: { port: number }) => one.port === ref.port);
  const servers = world.slices
    .filter(
      (one) =>
        one.metadata.namespace === namespace &&
        one.metadata.labels?.['kubernetes.io/service-name'] === ref.name,
    )
    .flatMap((slice) => {
      const number = slice['ports']?.find(
        (one: { name?: string }) => (one.name ?? '') === (port?.name ?? ''),
      )?.port;
      const ready = (slice['endpoints'] ?? []).filter(
        (one: { conditions?: { ready?: boolean } }) => one.conditions?.ready !== false,
      );
      return number === undefined
        ? []
        : ready.map((one: { addresses: string[] }) => `${one.addresses[0]}:${number}`);
    });
  return servers.length > 0 ? maps.upstream([...new Set<string>(servers)].sort()) : 'answer_503';
}
