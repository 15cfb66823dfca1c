/** Hosts and routes in nginx's own words (nginx.org: ngx_http_core_module, ngx_http_split_clients_module). */
import { literal, quoted } from '../nginx/push.ts';
import type { Canary, Host, Route, Upstream } from './model.ts';

export interface NginxOptions {
  /** Ports that nginx listens on. */
  readonly http: number;
  readonly https: number;
  /** Where nginx keeps what it writes: process id, temporary files. */
  readonly runFolder: string;
  /** Certificate and key files of a Secret, `namespace/name`; undefined: there is none, the fallback answers. */
  certificate(secret: string): { readonly cert: string; readonly key: string } | undefined;
  readonly fallbackCertificate: { readonly cert: string; readonly key: string };
}

const SAFE_SIZE = /^\d+[kKmMgG]?$/;
const SAFE_SECONDS = /^\d+$/;
const SAFE_CIDRS = /^[\d./, ]+$/;
const SAFE_TOKEN = /^[A-Za-z0-9_-]+$/;

/** The whole configuration. */
export function nginxConfig(hosts: readonly Host[], options: NginxOptions): string {
  const routes = hosts.flatMap((host) => host.routes);
  const upstreams = new Map<string, Upstream>();
  for (const upstream of routes.flatMap((one) => [
    one.upstream,
    ...(one.canary ? [one.canary.upstream] : []),
  ]))
    if (upstream.servers.length > 0) upstreams.set(upstreamId(upstream), upstream);
  const canaries = routes.filter((one) => one.canary !== undefined);
  const all = hosts.some((host) => host.name === '')
    ? hosts
    : [{ name: '', routes: [], tls: undefined }, ...hosts];
  return [
    // A sandbox has one user: there is nobody else to become.
    `user root root;
worker_processes 1;
daemon off;
pid ${options.runFolder}/nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log /dev/stdout;
  server_tokens off;
  client_body_temp_path ${options.runFolder}/body;
  proxy_temp_path ${options.runFolder}/proxy;
  fastcgi_temp_path ${options.runFolder}/fastcgi;
  uwsgi_temp_path ${options.runFolder}/uwsgi;
  scgi_temp_path ${options.runFolder}/scgi;
  server_names_hash_bucket_size 128;
  map_hash_bucket_size 128;
  proxy_http_version 1.1;
  server {
    listen 10254;
    location /healthz { return 200; }
  }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }`,
    ...[...upstreams].map(([id, one]) => upstreamBlock(id, one)),
    ...canaries.map((route, index) => canaryMaps(route, index)),
    ...all.map((host) => serverBlock(host, canaries, options)),
    '}\n',
  ].join('\n');
}

const upstreamId = (upstream: Upstream): string =>
  `${upstream.name.replace(/[^A-Za-z0-9_-]/g, '_')}${upstream.stickyCookie ? '_sticky' : ''}`;

function upstreamBlock(id: string, upstream: Upstream): string {
  const cookie = upstream.stickyCookie;
  const sticky =
    cookie && SAFE_TOKEN.test(cookie) ? `    hash $sticky_${cookie.replace(/-/g, '_')} consistent;\n` : '';
  const map = sticky
    ? `  map $cookie_${cookie!.replace(/-/g, '_')} $sticky_${cookie!.replace(/-/g, '_')} { default $cookie_${cookie!.replace(/-/g, '_')}; '' $request_id; }\n`
    : '';
  return `${map}  upstream ${id} {\n${sticky}${upstream.servers.map((one) => `    server ${one} max_fails=0;`).join('\n')}\n    keepalive 32;\n  }`;
}

/** A variable that is `1` where the canary answers: header before cookie before weight (ingress-nginx: canary). */
function canaryMaps(route: Route, index: number): string {
  const canary = route.canary as Canary;
  const share = Math.max(0, Math.min(100, (canary.weight / canary.weightTotal) * 100));
  const byWeight =
    share <= 0 || share >= 100
      ? `  map $request_id $canary_weight_${index} { default ${share >= 100 ? 1 : 0}; }`
      : `  split_clients $request_id $canary_weight_${index} { ${share.toFixed(2)}% 1; * 0; }`;
  const cookie =
    canary.cookie && SAFE_TOKEN.test(canary.cookie)
      ? `$cookie_${canary.cookie.replace(/-/g, '_')}`
      : undefined;
  const byCookie = cookie
    ? `  map ${cookie} $canary_cookie_${index} { always 1; never 0; default $canary_weight_${index}; }`
    : `  map $request_id $canary_cookie_${index} { default $canary_weight_${index}; }`;
  const header =
    canary.header && SAFE_TOKEN.test(canary.header)
      ? `$http_${canary.header.toLowerCase().replace(/-/g, '_')}`
      : undefined;
  const values = canary.headerValue === undefined ? 'always 1; never 0;' : `${quoted(canary.headerValue)} 1;`;
  const byHeader = header
    ? `  map ${header} $canary_${index} { ${values} default $canary_cookie_${index}; }`
    : `  map $request_id $canary_${index} { default $canary_cookie_${index}; }`;
  return `${byWeight}\n${byCookie}\n${byHeader}`;
}

function serverBlock(host: Host, canaries: readonly Route[], options: NginxOptions): string {
  const fallback = host.name === '' ? ' default_server' : '';
  const pair = (host.tls && options.certificate(host.tls)) || options.fallbackCertificate;
  const names = host.name === '' ? '_' : quoted(host.name);
  const routes = [...host.routes].sort(bySpecificity);
  const root = routes.some((one) => one.path === '/' && one.type === 'Prefix');
  return `  server {
    server_name ${names};
    listen ${options.http}${fallback};
    listen ${options.https}${fallback} ssl http2;
    ssl_certificate ${pair.cert};
    ssl_certificate_key ${pair.key};
${routes.flatMap((route) => locations(route, host, canaries.indexOf(route))).join('\n')}
${root ? '' : '    location / { return 404; }'}
  }`;
}

/** Regular expressions are tried in order: the longest first, as ingress-nginx sorts them. */
const bySpecificity = (a: Route, b: Route): number =>
  b.path.length - a.path.length || (a.type === 'Exact' ? -1 : 1);

/**
 * Exact is the path alone. Prefix matches whole elements (Kubernetes: Ingress path types): `/foo` takes `/foo`, `/foo/`
 * and `/foo/bar`, not `/foobar`.
 */
function locations(route: Route, host: Host, canary: number): string[] {
  const body = locationBody(route, host, canary);
  const path = route.path;
  if (route.type === 'Regex') return [`    location ~* "^${path.replace(/["\r\n]/g, '')}" {\n${body}\n    }`];
  if (route.type === 'Exact') return [`    location = ${quoted(path)} {\n${body}\n    }`];
  if (path === '/') return [`    location / {\n${body}\n    }`];
  const bare = path.replace(/\/+$/, '');
  const exactTwin = host.routes.some((one) => one.type === 'Exact' && one.path === bare);
  return [
    `    location ${quoted(`${bare}/`)} {\n${body}\n    }`,
    ...(exactTwin ? [] : [`    location = ${quoted(bare)} {\n${body}\n    }`]),
  ];
}

function locationBody(route: Route, host: Host, canary: number): string {
  const own = route.annotations;
  const lines: string[] = [];
  const redirectsToTls =
    own['force-ssl-redirect'] === 'true' || (host.tls !== undefined && own['ssl-redirect'] !== 'false');
  if (redirectsToTls) lines.push('if ($scheme = http) { return 308 https://$host$request_uri; }');
  if (own['permanent-redirect'])
    lines.push(
      `return ${SAFE_SECONDS.test(own['permanent-redirect-code'] ?? '') ? own['permanent-redirect-code'] : 301} ${quoted(own['permanent-redirect'])};`,
    );
  if (own['temporal-redirect']) lines.push(`return 302 ${quoted(own['temporal-redirect'])};`);
  const allowed = own['whitelist-source-range'] ?? own['allowlist-source-range'];
  if (allowed && SAFE_CIDRS.test(allowed)) {
    for (const cidr of allowed.split(',')) lines.push(`allow ${cidr.trim()};`);
    lines.push('deny all;');
  }
  if (own['proxy-body-size'] && SAFE_SIZE.test(own['proxy-body-size']))
    lines.push(`client_max_body_size ${own['proxy-body-size']};`);
  for (const [key, directive] of [
    ['proxy-connect-timeout', 'proxy_connect_timeout'],
    ['proxy-read-timeout', 'proxy_read_timeout'],
    ['proxy-send-timeout', 'proxy_send_timeout'],
  ] as const)
    if (SAFE_SECONDS.test(own[key] ?? '')) lines.push(`${directive} ${own[key]}s;`);
  if (own['enable-cors'] === 'true') {
    lines.push(`add_header Access-Control-Allow-Origin ${quoted(own['cors-allow-origin'] ?? '*')} always;`);
    lines.push('add_header Access-Control-Allow-Methods "GET, PUT, POST, DELETE, PATCH, OPTIONS" always;');
    lines.push('if ($request_method = OPTIONS) { return 204; }');
  }
  const cookie = route.upstream.stickyCookie;
  if (cookie && SAFE_TOKEN.test(cookie))
    lines.push(`add_header Set-Cookie "${cookie}=$sticky_${cookie.replace(/-/g, '_')}; Path=/; HttpOnly";`);
  const target = own['rewrite-target'];
  if (target) {
    const pattern =
      route.type === 'Regex' ? `(?i)^${route.path.replace(/["\r\n]/g, '')}` : `^${literal(route.path)}`;
    lines.push(`rewrite "${pattern}" ${/^[\w$/.?=&-]+$/.test(target) ? target : quoted(target)} break;`);
  }
  lines.push(
    'proxy_set_header Host $http_host;',
    'proxy_set_header X-Real-IP $remote_addr;',
    'proxy_set_header X-Forwarded-For $remote_addr;',
    'proxy_set_header X-Forwarded-Host $http_host;',
    'proxy_set_header X-Forwarded-Port $server_port;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
    'proxy_set_header X-Scheme $scheme;',
    'proxy_set_header X-Request-ID $request_id;',
    'proxy_set_header Upgrade $http_upgrade;',
    'proxy_set_header Connection $connection_upgrade;',
  );
  const to = (upstream: Upstream) =>
    upstream.servers.length > 0
      ? `proxy_pass ${upstream.protocol}://${upstreamId(upstream)};`
      : 'return 503;';
  // In an `if`, only proxy_pass and return are safe (nginx.org: If is Evil), which is all that a canary needs.
  if (route.canary && canary >= 0) lines.push(`if ($canary_${canary}) { ${to(route.canary.upstream)} }`);
  lines.push(to(route.upstream));
  return lines.map((line) => `      ${line}`).join('\n');
}
