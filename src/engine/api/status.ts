/** Kubernetes Status errors, worded as apimachinery's api/errors package words them. */
import { ApiError } from '../client/types.ts';

/** One finding of validation (metav1.StatusCause). */
export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** `pods`, `deployments.apps`: how messages name a resource. */
export const qualified = (group: string, resource: string): string =>
  group ? `${resource}.${group}` : resource;

const fail = (code: number, reason: string, message: string, details?: object): ApiError =>
  new ApiError({ code, reason, message, ...(details ? { details } : {}) });

const about = (group: string, kind: string, name: string) => ({
  name,
  ...(group ? { group } : {}),
  kind,
});

export const notFound = (group: string, resource: string, name: string): ApiError =>
  fail(404, 'NotFound', `${qualified(group, resource)} "${name}" not found`, about(group, resource, name));

export const alreadyExists = (group: string, resource: string, name: string): ApiError =>
  fail(
    409,
    'AlreadyExists',
    `${qualified(group, resource)} "${name}" already exists`,
    about(group, resource, name),
  );

export const conflict = (group: string, resource: string, name: string, why: string): ApiError =>
  fail(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(group, resource)} "${name}": ${why}`,
    about(group, resource, name),
  );

/** The text of every optimistic-locking conflict. */
export const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

/** 422 with the causes that validation found. */
export function invalid(group: string, kind: string, name: string, causes: readonly Cause[]): ApiError {
  const list = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const text = list.length === 1 ? list[0] : `[${list.join(', ')}]`;
  return fail(422, 'Invalid', `${group ? `${kind}.${group}` : kind} "${name}" is invalid: ${text}`, {
    ...about(group, kind, name),
    causes,
  });
}

export const badRequest = (message: string): ApiError => fail(400, 'BadRequest', message);

export const forbidden = (group: string, resource: string, name: string, why: string): ApiError =>
  fail(
    403,
    'Forbidden',
    `${qualified(group, resource)}${name ? ` "${name}"` : ''} is forbidden: ${why}`,
    about(group, resource, name),
  );

export const methodNotAllowed = (resource: string, verb: string): ApiError =>
  fail(405, 'MethodNotAllowed', `${verb} is not supported on resources of kind "${resource}"`, {
    kind: resource,
  });

/** 410 for a watch or a continue token that is older than what the server remembers. */
export const expired = (message: string): ApiError => fail(410, 'Expired', message);

export const tooLarge = (message: string): ApiError => fail(413, 'RequestEntityTooLarge', message);

export const unsupportedMediaType = (message: string): ApiError => fail(415, 'UnsupportedMediaType', message);

export const notAcceptable = (message: string): ApiError => fail(406, 'NotAcceptable', message);

export const unauthorized = (): ApiError => fail(401, 'Unauthorized', 'Unauthorized');

export const tooManyRequests = (message: string, retryAfterSeconds: number, causes?: Cause[]): ApiError =>
  fail(429, 'TooManyRequests', message, {
    ...(causes ? { causes } : {}),
    ...(retryAfterSeconds ? { retryAfterSeconds } : {}),
  });

export const internal = (message: string): ApiError =>
  fail(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });

/** What a path that leads nowhere is answered with: no resource of that name in that group and version. */
export const noSuchPath = (): ApiError =>
  fail(404, 'NotFound', 'the server could not find the requested resource', {});

// field.Error of apimachinery's util/validation/field, one function for each type.

export const required = (field: string, detail = ''): Cause => ({
  reason: 'FieldValueRequired',
  message: detail ? `Required value: ${detail}` : 'Required value',
  field,
});

const shown = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value)
    : value === undefined || value === null
      ? 'null'
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value);

export const invalidValue = (field: string, value: unknown, detail: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${shown(value)}: ${detail}`,
  field,
});

export const unsupported = (field: string, value: unknown, valid: readonly string[]): Cause => ({
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${shown(value)}: supported values: ${valid
    .map((v) => JSON.stringify(v))
    .sort()
    .join(', ')}`,
  field,
});

export const duplicate = (field: string, value: unknown): Cause => ({
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${shown(value)}`,
  field,
});

export const forbiddenField = (field: string, detail: string): Cause => ({
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${detail}`,
  field,
});

export const tooLong = (field: string, most: number): Cause => ({
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${most} bytes`,
  field,
});

export const tooMany = (field: string, actual: number, most: number): Cause => ({
  reason: 'FieldValueTooMany',
  message: `Too many: ${actual}: must have at most ${most} items`,
  field,
});

/** An error as the Status object that goes over the wire. */
export function statusObject(error: ApiError): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', ...order(error.status) };
}

const order = (status: ApiError['status']) => ({
  message: status.message,
  reason: status.reason,
  ...(status.details ? { details: status.details } : {}),
  code: status.code,
});
