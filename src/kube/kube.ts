export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: any;
  [field: string]: any;
}
export class Kube {}
