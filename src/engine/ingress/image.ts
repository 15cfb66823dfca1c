/** The files of the ingress-nginx images, so that upstream's own manifest applies unchanged. */
import { nginxConfig } from './nginx.ts';

/** Where the controller's pods keep what is written for them. */
export const FOLDER = '/etc/nginx';
const RUN = '/tmp/nginx';
export const FALLBACK = { cert: `${FOLDER}/fallback.pem`, key: `${FOLDER}/fallback.key` };

/** Options of every configuration that is written into a controller pod. */
export const OPTIONS = { http: 80, https: 443, runFolder: RUN, fallbackCertificate: FALLBACK } as const;

const CONTROLLER = `#!/bin/sh
# ingress-nginx's controller: real nginx; its configuration is written by the engine's controller (src/engine/ingress).
mkdir -p ${RUN}
[ -s ${FALLBACK.cert} ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \\
  -subj '/O=Acme Co/CN=Kubernetes Ingress Controller Fake Certificate' -keyout ${FALLBACK.key} -out ${FALLBACK.cert} 2>/dev/null
exec nginx -c ${FOLDER}/nginx.conf
`;

const WAIT = `#!/bin/sh
nginx -c ${FOLDER}/nginx.conf -s quit
while [ -s ${RUN}/nginx.pid ]; do sleep 0.1; done
`;

/** upstream's certgen makes the webhook's certificate; the pod waits for its Secret. */
const CERTGEN = `#!/bin/sh
for word in "$@"; do case "$word" in
  --namespace=*) namespace=\${word#*=};;
  --secret-name=*) secret=\${word#*=};;
  --host=*) hosts=\${word#*=};;
esac; done
[ "$1" = create ] || exit 0
folder=$(mktemp -d)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/O=nil" \\
  -addext "subjectAltName=$(echo "DNS:$hosts" | sed 's/,/,DNS:/g')" -keyout $folder/key -out $folder/cert 2>/dev/null || exit 1
account=/var/run/secrets/kubernetes.io/serviceaccount
encode() { base64 -w0 < "$1"; }
exec curl --silent --show-error --output /dev/null --cacert $account/ca.crt -H "Authorization: Bearer $(cat $account/token)" \\
  -H 'Content-Type: application/json' "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$namespace/secrets" \\
  --data "{\\"apiVersion\\":\\"v1\\",\\"kind\\":\\"Secret\\",\\"metadata\\":{\\"name\\":\\"$secret\\"},\\"data\\":{\\"ca\\":\\"$(encode $folder/cert)\\",\\"cert\\":\\"$(encode $folder/cert)\\",\\"key\\":\\"$(encode $folder/key)\\"}}"
`;

type Files = Readonly<Record<string, string | { readonly program: string } | { readonly link: string }>>;

export const CONTROLLER_FILES: Files = {
  '/nginx-ingress-controller': { program: CONTROLLER },
  '/wait-shutdown': { program: WAIT },
  '/usr/bin/dumb-init': { program: '#!/bin/sh\n[ "$1" = -- ] && shift\nexec "$@"\n' },
  [`${FOLDER}/nginx.conf`]: nginxConfig([], { ...OPTIONS, certificate: () => undefined }),
};

export const CERTGEN_FILES: Files = { '/kube-webhook-certgen': { program: CERTGEN } };
