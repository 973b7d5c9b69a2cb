/**
 * Server-sent events with resume, and the word on whether they are fresh. A hidden page holds no connection: a
 * browser has six per server, and a wall of tabs must not starve the one in front.
 */

import { get } from "./api.js";

/** Silence after which what is shown is called stale; three heartbeats of the server and some. */
const STALE_AFTER_MS = 20_000;
const RETRY_MS = 2_000;
const RETRY_AT_MOST_MS = 15_000;

/** @type {Set<Watch>} */
const open = new Set();

class Watch {
  /**
   * @param {string} url
   * @param {Record<string, (data: any, id: string) => void>} handlers by event name
   */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.heard = Date.now();
    this.broken = false;
    this.last = "";
    this.failures = 0;
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  connect() {
    this.disconnect();
    if (document.hidden) return;
    // The browser resumes by itself after a lost connection; after a closed one, `after` says where we were.
    const joint = this.url.includes("?") ? "&" : "?";
    const source = new EventSource(
      this.last ? `${this.url}${joint}after=${encodeURIComponent(this.last)}` : this.url,
    );
    this.source = source;
    const alive = () => {
      this.heard = Date.now();
      this.broken = false;
      this.failures = 0;
      report();
    };
    source.onopen = alive;
    source.addEventListener("heartbeat", alive);
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (event) => {
        alive();
        if (event.lastEventId) this.last = event.lastEventId;
        handle(JSON.parse(event.data), event.lastEventId);
      });
    }
    source.onerror = () => {
      this.broken = true;
      report();
      if (source.readyState !== EventSource.CLOSED) return;
      // Refused rather than lost. If the session has ended, asking for it leads to the sign-in page.
      void get("session").catch(() => {});
      this.timer = window.setTimeout(
        () => this.connect(),
        Math.min(RETRY_MS * 2 ** this.failures, RETRY_AT_MOST_MS),
      );
      this.failures += 1;
    };
  }

  disconnect() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  get stale() {
    return this.broken || Date.now() - this.heard > STALE_AFTER_MS;
  }
}

/**
 * Listens to a stream until the returned function is called.
 * @param {string} url
 * @param {Record<string, (data: any, id: string) => void>} handlers by event name
 * @returns {() => void}
 */
export function watch(url, handlers) {
  const entry = new Watch(url, handlers);
  open.add(entry);
  entry.connect();
  report();
  return () => {
    entry.disconnect();
    open.delete(entry);
    report();
  };
}

/** How fresh the page is: `idle` when nothing is watched. */
export function freshness() {
  if (open.size === 0) return { state: "idle", since: 0 };
  const stale = [...open].filter((entry) => entry.stale);
  if (stale.length > 0) return { state: "stale", since: Math.min(...stale.map((entry) => entry.heard)) };
  return { state: [...open].every((entry) => entry.source?.readyState === 1) ? "live" : "waiting", since: 0 };
}

function report() {
  window.dispatchEvent(new CustomEvent("ms-live"));
}

document.addEventListener("visibilitychange", () => {
  for (const entry of open) {
    if (document.hidden) entry.disconnect();
    else {
      entry.heard = Date.now();
      entry.connect();
    }
  }
});
setInterval(report, 5_000);
