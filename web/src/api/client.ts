// SPDX-License-Identifier: MIT
// One way to ask the server. A failure becomes an ApiError with the server's code, which is what the page translates.

const KEY_SLOT = 'gm.apiKey';
const TIMEOUT_MS = 20_000;

export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly requestId: string | null,
    readonly detail: string | null = null,
  ) {
    super(code);
  }

  get needsKey(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

let apiKey: string | null = readKey();

function readKey(): string | null {
  try {
    return sessionStorage.getItem(KEY_SLOT);
  } catch {
    return null;
  }
}

export function hasApiKey(): boolean {
  return apiKey !== null;
}

export function setApiKey(key: string | null): void {
  apiKey = key;
  try {
    if (key === null) sessionStorage.removeItem(KEY_SLOT);
    else sessionStorage.setItem(KEY_SLOT, key);
  } catch {
    // Storage is off: the key then lives as long as the page.
  }
}

/** Under <base href>, so that every context path works. */
export function apiUrl(path: string): string {
  return new URL(`api/v1/${path}`, document.baseURI).href;
}

export function request(
  path: string,
  init: { accept: string; signal?: AbortSignal; lastId?: string | null },
): Promise<Response> {
  const headers: Record<string, string> = { Accept: init.accept };
  if (apiKey !== null) headers.Authorization = `Bearer ${apiKey}`;
  if (init.lastId !== null && init.lastId !== undefined) headers['Last-Event-ID'] = init.lastId;
  return fetch(apiUrl(path), { headers, cache: 'no-store', ...(init.signal ? { signal: init.signal } : {}) });
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const both = signal ? AbortSignal.any([signal, limit]) : limit;
  let response: Response;
  try {
    response = await request(path, { accept: 'application/json', signal: both });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(limit.aborted ? 'deadline_exceeded' : 'network', 0, null);
  }
  if (!response.ok) throw await problemOf(response);
  try {
    return (await response.json()) as T;
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError('bad_answer', response.status, response.headers.get('X-Request-Id'));
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  const id = response.headers.get('X-Request-Id');
  const fallback = response.status === 401 ? 'unauthenticated' : response.status === 403 ? 'forbidden' : 'other';
  try {
    const body = (await response.json()) as { code?: string; request_id?: string; detail?: string };
    return new ApiError(body.code ?? fallback, response.status, body.request_id ?? id, body.detail ?? null);
  } catch {
    return new ApiError(fallback, response.status, id);
  }
}

export function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError('bad_answer', 0, null, String(cause));
}
