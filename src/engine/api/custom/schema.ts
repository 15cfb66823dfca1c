/** Structural schemas of custom resources (apiextensions v1): pruning, defaults, validation. */
import { copy, equal, has, isObject, type Json, type JsonObject } from '../json.ts';
import { invalidValue, required, tooLong, tooMany, unsupported, type Cause } from '../status.ts';
import { badFormat } from './format.ts';
import { matches } from './pattern.ts';

const preserves = (schema: JsonObject): boolean => schema['x-kubernetes-preserve-unknown-fields'] === true;

const propertiesOf = (schema: JsonObject): JsonObject =>
  isObject(schema['properties']) ? schema['properties'] : {};

/**
 * Takes away fields that the schema does not have, in place.
 * @param root whether the value is a whole object, whose apiVersion, kind and metadata are always there
 * @returns the paths of what was taken away
 */
export function prune(value: Json, schema: JsonObject | undefined, path = '', root = true): string[] {
  if (!isObject(schema)) return [];
  if (Array.isArray(value))
    return value.flatMap((item, i) => prune(item, schema['items'], `${path}[${i}]`, false));
  if (!isObject(value)) return [];
  const embedded = root || schema['x-kubernetes-embedded-resource'] === true;
  const properties = propertiesOf(schema);
  const rest: unknown = schema['additionalProperties'];
  const gone: string[] = [];
  for (const key of Object.keys(value)) {
    const at = path ? `${path}.${key}` : key;
    if (embedded && ['apiVersion', 'kind', 'metadata'].includes(key)) continue;
    if (has(properties, key)) gone.push(...prune(value[key], properties[key], at, false));
    else if (isObject(rest)) gone.push(...prune(value[key], rest, at, false));
    else if (rest !== true && !preserves(schema)) {
      delete value[key];
      gone.push(at);
    }
  }
  return gone;
}

/** Fills in `default`s, in place; nulls of fields that may not be null are dropped first. */
export function applyDefaults(value: Json, schema: JsonObject | undefined): void {
  if (!isObject(schema)) return;
  if (Array.isArray(value)) {
    for (const item of value) applyDefaults(item, schema['items']);
    return;
  }
  if (!isObject(value)) return;
  const properties = propertiesOf(schema);
  for (const key of Object.keys(properties)) {
    const inner: JsonObject = properties[key];
    if (!isObject(inner)) continue;
    if (has(value, key) && value[key] === null && !inner['nullable'] && inner['default'] !== undefined)
      delete value[key];
    if (!has(value, key) && inner['default'] !== undefined) value[key] = copy(inner['default']);
    if (has(value, key)) applyDefaults(value[key], inner);
  }
  if (isObject(schema['additionalProperties']))
    for (const key of Object.keys(value))
      if (!has(properties, key)) applyDefaults(value[key], schema['additionalProperties']);
}

const typeOf = (value: Json): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'array'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'integer'
          : 'number'
        : typeof value;

const isType = (value: Json, type: string): boolean =>
  typeOf(value) === type || (type === 'number' && typeOf(value) === 'integer');

/** Findings in a value, worded as kube-openapi's validator words them. */
export function schemaCauses(value: Json, schema: JsonObject | undefined, path: string): Cause[] {
  if (!isObject(schema)) return [];
  if (value === null && schema['nullable'] === true) return [];
  const causes: Cause[] = [];
  const type: unknown = schema['type'];
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (!isType(value, 'integer') && !isType(value, 'string'))
      return [wrongType(path, value, 'integer,string')];
  } else if (typeof type === 'string' && type !== '' && !isType(value, type))
    return [wrongType(path, value, type)];
  if (Array.isArray(schema['enum']) && !schema['enum'].some((one) => equal(one, value)))
    causes.push(
      unsupported(
        path,
        value,
        schema['enum'].map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
      ),
    );
  if (typeof value === 'string') causes.push(...stringCauses(value, schema, path));
  if (typeof value === 'number') causes.push(...numberCauses(value, schema, path));
  if (Array.isArray(value)) causes.push(...listCauses(value, schema, path));
  if (isObject(value)) causes.push(...objectCauses(value, schema, path));
  causes.push(...combinedCauses(value, schema, path));
  return causes;
}

const wrongType = (path: string, value: Json, type: string): Cause => ({
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${JSON.stringify(typeOf(value))}: ${path} in body must be of type ${type}: ${JSON.stringify(typeOf(value))}`,
  field: path,
});

function stringCauses(value: string, schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const { minLength, maxLength, pattern, format } = schema;
  const length = [...value].length;
  if (length > (maxLength ?? Infinity)) causes.push(tooLong(path, maxLength));
  if (length < (minLength ?? 0))
    causes.push(invalidValue(path, value, `${path} in body should be at least ${minLength} chars long`));
  if (typeof pattern === 'string' && !matches(pattern, value))
    causes.push(invalidValue(path, value, `${path} in body should match '${pattern}'`));
  if (typeof format === 'string' && badFormat(format, value))
    causes.push(
      invalidValue(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`),
    );
  return causes;
}

function numberCauses(value: number, schema: JsonObject, path: string): Cause[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const causes: Cause[] = [];
  const say = (what: string) => causes.push(invalidValue(path, value, `${path} in body should be ${what}`));
  if (typeof maximum === 'number' && (exclusiveMaximum === true ? value >= maximum : value > maximum))
    say(`less than ${exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
  if (typeof minimum === 'number' && (exclusiveMinimum === true ? value <= minimum : value < minimum))
    say(`greater than ${exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
  if (typeof multipleOf === 'number' && multipleOf > 0 && value % multipleOf !== 0)
    say(`a multiple of ${multipleOf}`);
  return causes;
}

function listCauses(value: readonly Json[], schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const { minItems, maxItems, uniqueItems } = schema;
  if (value.length > (maxItems ?? Infinity)) causes.push(tooMany(path, value.length, maxItems));
  if (value.length < (minItems ?? 0))
    causes.push(invalidValue(path, value.length, `${path} in body should have at least ${minItems} items`));
  if (uniqueItems === true || schema['x-kubernetes-list-type'] === 'set') {
    const seen = new Set<string>();
    for (const [i, item] of value.entries()) {
      const text = JSON.stringify(item);
      if (seen.has(text))
        causes.push({
          reason: 'FieldValueDuplicate',
          message: `Duplicate value: ${text}`,
          field: `${path}[${i}]`,
        });
      seen.add(text);
    }
  }
  if (schema['x-kubernetes-list-type'] === 'map' && Array.isArray(schema['x-kubernetes-list-map-keys'])) {
    const seen = new Set<string>();
    for (const [i, item] of value.entries()) {
      const key: Record<string, unknown> = {};
      for (const name of schema['x-kubernetes-list-map-keys'] as string[])
        if (isObject(item) && has(item, name)) key[name] = item[name];
      const text = JSON.stringify(key);
      if (seen.has(text))
        causes.push({
          reason: 'FieldValueDuplicate',
          message: `Duplicate value: ${text}`,
          field: `${path}[${i}]`,
        });
      seen.add(text);
    }
  }
  for (const [i, item] of value.entries())
    causes.push(...schemaCauses(item, schema['items'], `${path}[${i}]`));
  return causes;
}

function objectCauses(value: JsonObject, schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const under = (key: string) => (path ? `${path}.${key}` : key);
  for (const name of (schema['required'] as string[] | undefined) ?? [])
    if (!has(value, name)) causes.push(required(under(name)));
  const properties = propertiesOf(schema);
  const rest: unknown = schema['additionalProperties'];
  const { minProperties, maxProperties } = schema;
  const size = Object.keys(value).length;
  if (size > (maxProperties ?? Infinity)) causes.push(tooMany(path, size, maxProperties));
  if (size < (minProperties ?? 0))
    causes.push(invalidValue(path, size, `${path} in body should have at least ${minProperties} properties`));
  for (const key of Object.keys(value))
    if (has(properties, key)) causes.push(...schemaCauses(value[key], properties[key], under(key)));
    else if (isObject(rest)) causes.push(...schemaCauses(value[key], rest, under(key)));
  return causes;
}

function combinedCauses(value: Json, schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const ok = (inner: JsonObject) => schemaCauses(value, inner, path).length === 0;
  for (const inner of (schema['allOf'] as JsonObject[] | undefined) ?? [])
    causes.push(...schemaCauses(value, inner, path));
  const { anyOf, oneOf, not } = schema;
  if (Array.isArray(anyOf) && !anyOf.some(ok))
    causes.push(invalidValue(path, '', `${JSON.stringify(path)} must validate at least one schema (anyOf)`));
  if (Array.isArray(oneOf)) {
    const valid = oneOf.filter(ok).length;
    if (valid !== 1)
      causes.push(
        invalidValue(
          path,
          '',
          `${JSON.stringify(path)} must validate one and only one schema (oneOf). Found ${valid === 0 ? 'none' : valid} valid`,
        ),
      );
  }
  if (isObject(not) && ok(not))
    causes.push(invalidValue(path, '', `${JSON.stringify(path)} must not validate the schema (not)`));
  return causes;
}
