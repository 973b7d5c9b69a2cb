/** Which page an address shows. The address is the state: pages read their query from it and write it back. */

/**
 * @typedef {object} Route
 * @property {RegExp} path with named groups, which the page gets as `params`
 * @property {string} tag the page's element
 * @property {string} title
 * @property {() => Promise<unknown>} load
 * @property {boolean} [ranged] whether the time range applies
 * @property {boolean} [stays] whether the page stays when only its `params` change
 */

/** @type {Route[]} */
const ROUTES = [
  {
    path: /^\/$/,
    tag: "ms-overview",
    title: "Overview",
    load: () => import("../overview/page.js"),
    ranged: true,
  },
  {
    path: /^\/explore$/,
    tag: "ms-explore",
    title: "Explore",
    load: () => import("../explore/page.js"),
    ranged: true,
  },
  { path: /^\/flags$/, tag: "ms-flags", title: "Flags", load: () => import("../flags/page.js") },
  {
    path: /^\/flags\/(?<key>.+)$/,
    tag: "ms-flag",
    title: "Flag",
    load: () => import("../flags/flag.js"),
    ranged: true,
  },
  {
    path: /^\/audit(\/(?<seq>\d+))?$/,
    tag: "ms-audit",
    title: "Audit",
    load: () => import("../audit/page.js"),
    stays: true,
  },
  {
    path: /^\/access(\/(?<view>tokens|users|sessions))?$/,
    tag: "ms-access",
    title: "Access",
    load: () => import("../access/page.js"),
    stays: true,
  },
  {
    path: /^\/resources(\/(?<kind>[^/]+))?(\/(?<name>.+))?$/,
    tag: "ms-resources",
    title: "Resources",
    load: () => import("../resources/page.js"),
    stays: true,
  },
];

/** @type {Route} */
const NOWHERE = { path: /./, tag: "ms-nowhere", title: "Not found", load: () => import("./nowhere.js") };

/** The query of the address. */
export const query = () => new URLSearchParams(location.search);

/**
 * The page of an address, and what its path says.
 * @param {string} path
 * @returns {{ route: Route, params: Record<string, string> }}
 */
export function match(path) {
  for (const route of ROUTES) {
    const found = route.path.exec(path);
    if (!found) continue;
    const params = Object.entries(found.groups ?? {}).filter(([, value]) => value !== undefined);
    return {
      route,
      params: Object.fromEntries(params.map(([name, value]) => [name, decodeURIComponent(value)])),
    };
  }
  return { route: NOWHERE, params: {} };
}

/**
 * Goes to an address of the console.
 * @param {string} url
 * @param {{ replace?: boolean }} [how]
 */
export function navigate(url, how = {}) {
  if (how.replace) history.replaceState(null, "", url);
  else if (url !== location.pathname + location.search) history.pushState(null, "", url);
  window.dispatchEvent(new CustomEvent("ms-route"));
}

/**
 * Changes parts of the query; empty values are taken out.
 * @param {Record<string, string | undefined | null>} changes
 * @param {{ replace?: boolean }} [how]
 */
export function setQuery(changes, how = {}) {
  const search = query();
  for (const [name, value] of Object.entries(changes)) {
    if (value) search.set(name, value);
    else search.delete(name);
  }
  const text = search.toString();
  navigate(location.pathname + (text ? `?${text}` : ""), how);
}

/** The address of one flag. @param {string} key */
export const flagPath = (key) => `/flags/${encodeURIComponent(key)}`;

/**
 * Where a fact's subject, such as `Flag/new-checkout`, is shown.
 * @param {string} subject
 */
export function subjectPath(subject) {
  const slash = subject.indexOf("/");
  const [kind, name] = [subject.slice(0, slash), subject.slice(slash + 1)];
  if (slash < 1) return `/audit?subject=${encodeURIComponent(subject)}`;
  if (kind === "Flag") return flagPath(name);
  if (["User", "Token", "Session", "Link"].includes(kind)) return `/access`;
  return `/resources/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
}
