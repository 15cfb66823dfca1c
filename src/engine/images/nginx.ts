/** The files of the nginx image, laid out as in the official one. */
import type { ImageFile } from './image.ts';

const CONF = `user  nginx;
worker_processes  1;
error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;
events {
    worker_connections  1024;
}
http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;
    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';
    access_log  /var/log/nginx/access.log  main;
    sendfile        on;
    keepalive_timeout  65;
    client_body_temp_path /var/cache/nginx/client_temp;
    proxy_temp_path /var/cache/nginx/proxy_temp;
    fastcgi_temp_path /var/cache/nginx/fastcgi_temp;
    uwsgi_temp_path /var/cache/nginx/uwsgi_temp;
    scgi_temp_path /var/cache/nginx/scgi_temp;
    include /etc/nginx/conf.d/*.conf;
}
`;

const DEFAULT = `server {
    listen       80;
    server_name  localhost;
    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }
    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
`;

const MIME = `types {
    text/html html htm shtml;
    text/css css;
    text/xml xml;
    text/plain txt;
    application/javascript js;
    application/json json;
    image/gif gif;
    image/jpeg jpeg jpg;
    image/png png;
    image/svg+xml svg svgz;
    image/x-icon ico;
}
`;

const page = (title: string, body: string) => `<!DOCTYPE html>
<html>
<head>
<title>${title}</title>
</head>
<body>
<h1>${title}</h1>
${body}
</body>
</html>
`;

export const NGINX_FILES: Readonly<Record<string, ImageFile>> = {
  '/docker-entrypoint.sh': { program: '#!/bin/sh\nset -e\nexec "$@"\n' },
  '/etc/nginx/nginx.conf': CONF,
  '/etc/nginx/mime.types': MIME,
  '/etc/nginx/conf.d/default.conf': DEFAULT,
  '/var/log/nginx/access.log': { link: '/dev/stdout' },
  '/var/log/nginx/error.log': { link: '/dev/stderr' },
  '/var/cache/nginx/.keep': '',
  '/var/lib/nginx/.keep': '',
  '/usr/share/nginx/html/index.html': page(
    'Welcome to nginx!',
    '<p>If you see this page, the nginx web server is successfully installed and working.</p>',
  ),
  '/usr/share/nginx/html/50x.html': page('An error occurred.', '<p>Please try again later.</p>'),
};
