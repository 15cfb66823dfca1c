/** Content negotiation: which form of an answer the Accept header asks for. */

export interface MediaType {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export function mediaTypes(header: string | undefined): MediaType[] {
  if (!header) return [{ type: '*/*', parameters: {} }];
  const found: { media: MediaType; quality: number }[] = [];
  for (const part of header.split(',')) {
    const [type = '', ...words] = part.split(';').map((word) => word.trim());
    if (!type) continue;
    const parameters: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const word of words) {
      const at = word.indexOf('=');
      if (at > 0) parameters[word.slice(0, at).trim()] = word.slice(at + 1).trim();
    }
    const quality = Number(parameters['q'] ?? 1);
    found.push({
      media: { type: type.toLowerCase(), parameters },
      quality: Number.isNaN(quality) ? 1 : quality,
    });
  }
  return found.sort((a, b) => b.quality - a.quality).map(({ media }) => media);
}

/** The forms in which objects are shown. */
export type Form = 'object' | 'table' | 'partial';

const JSON_TYPES = new Set(['application/json', '*/*', 'application/*', 'text/*']);

/** The first form that we can give, or undefined (406). YAML is for people with curl. */
export function formOf(
  accept: string | undefined,
): { form: Form; yaml: boolean; version: string } | undefined {
  for (const { type, parameters } of mediaTypes(accept)) {
    if (JSON_TYPES.has(type)) {
      const { as, g, v } = parameters;
      if (as === undefined) return { form: 'object', yaml: false, version: 'v1' };
      if (g === 'meta.k8s.io' && (v === 'v1' || v === 'v1beta1')) {
        if (as === 'Table') return { form: 'table', yaml: false, version: v };
        if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
          return { form: 'partial', yaml: false, version: v };
      }
      continue;
    }
    if (type === 'application/yaml') return { form: 'object', yaml: true, version: 'v1' };
  }
  return undefined;
}
