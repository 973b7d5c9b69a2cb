/** Calls of Mainstay's own API. Every refusal comes back as the API gave it. */

/** @import { Problem, Page } from "./words.js" */

const ROOT = "/api/mainstay/v1/";

/** Why a call was refused. */
export class Refusal extends Error {
  /**
   * @param {number} status HTTP status; 0 when the server could not be reached
   * @param {{ kind?: string, message?: string, problems?: Problem[], retryAfter?: string }} body
   */
  constructor(status, body) {
    super(body.message ?? `The server answered ${status}.`);
    this.status = status;
    this.kind = body.kind ?? "unavailable";
    /** @type {Problem[]} */
    this.problems = body.problems ?? [];
    this.retryAfter = body.retryAfter;
  }
}

/** @typedef {Record<string, string | number | boolean | string[] | undefined | null>} Query */

/**
 * The address of a call.
 * @param {string} path below the API's root
 * @param {Query} [query] absent and empty values are left out
 */
export function address(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const item of value) search.append(name, item);
    else if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return ROOT + path + (text ? `?${text}` : "");
}

/**
 * @param {string} method
 * @param {string} url
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
async function send(method, url, body, signal) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, {
      method,
      signal,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, { kind: "unavailable", message: "Mainstay does not answer. Is it running?" });
  }
  if (response.ok) return response;
  if (response.status === 401) {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  const answer = await response.json().catch(() => ({}));
  throw refusalOf(response.status, answer);
}

/**
 * @param {number} status
 * @param {any} answer
 */
function refusalOf(status, answer) {
  if (answer.error && typeof answer.error === "object") return new Refusal(status, answer.error);
  // Prometheus' shape: the place is in bytes of the query.
  if (typeof answer.error === "string") {
    const refusal = new QueryRefusal(status, { kind: answer.errorType, message: answer.error });
    refusal.position = answer.position;
    refusal.hint = answer.hint;
    return refusal;
  }
  return new Refusal(status, {});
}

/** Why a query was refused, and where in it. */
export class QueryRefusal extends Refusal {
  /** @type {{ start: number, end: number } | undefined} bytes of the query's UTF-8 */
  position = undefined;
  /** @type {string | undefined} */
  hint = undefined;
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(path, query, signal) {
  const response = await send("GET", address(path, query), undefined, signal);
  return response.json();
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @returns {Promise<string>}
 */
export async function getText(path, query) {
  return (await send("GET", address(path, query))).text();
}

/**
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function post(path, body = {}) {
  const response = await send("POST", address(path), body);
  return response.status === 204 ? {} : response.json().catch(() => ({}));
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @returns {Promise<any>}
 */
export async function remove(path, query) {
  const response = await send("DELETE", address(path, query));
  return response.status === 204 ? {} : response.json().catch(() => ({}));
}

/**
 * Every item of a list, page after page, up to `most`.
 * @template T
 * @param {string} path
 * @param {Query} [query]
 * @param {number} [most]
 * @returns {Promise<T[]>}
 */
export async function all(path, query = {}, most = 5000) {
  /** @type {T[]} */
  const items = [];
  /** @type {string | undefined} */
  let page;
  do {
    /** @type {Page<T>} */
    const answer = await get(path, { limit: 500, ...query, page });
    items.push(...answer.items);
    page = answer.nextPage;
  } while (page && items.length < most);
  return items;
}
