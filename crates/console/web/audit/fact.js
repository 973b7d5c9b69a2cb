/** One fact in full, and what verifying the chain found. Templates over values. */

import { html, nothing } from "../vendor/lit/index.js";
import { icon } from "../elements/element.js";
import { badge, commandBox, copy, refusal } from "../elements/notices.js";
import { time } from "../elements/time.js";
import { count, format, who } from "../shell/format.js";
import { navigate, subjectPath } from "../shell/router.js";

/** @import { Fact } from "../shell/words.js" */

/**
 * One fact in full.
 * @param {Fact} fact
 */
export function factPanel(fact) {
  const payload = JSON.stringify(fact.payload, null, 2);
  return html`<section class="panel detail" aria-label="Fact ${fact.seq}">
    <header>
      <h2>Fact ${fact.seq}</h2>
      <span class="end"
        ><button
          type="button"
          class="small plain"
          aria-label="Close"
          @click=${() => navigate(`/audit${location.search}`)}
        >
          ${icon("close")}
        </button></span
      >
    </header>
    <div class="body stack">
      <dl class="facts">
        <dt>What</dt>
        <dd>${fact.kind.replaceAll("_", " ")} ${badge(fact.chapter)}</dd>
        <dt>About</dt>
        <dd>
          ${fact.subject ? html`<a href=${subjectPath(fact.subject)}>${fact.subject}</a> · <a href="/audit?subject=${encodeURIComponent(fact.subject)}">its facts</a>` : "–"}
        </dd>
        <dt>When</dt>
        <dd>${time(fact.time, "both")}</dd>
        <dt>Who</dt>
        <dd>
          ${who(fact.actor)}
          <span class="quiet">${fact.actor.kind}${fact.actor.role ? `, ${fact.actor.role}` : ""}</span>
        </dd>
        <dt>Why</dt>
        <dd>${fact.reason || html`<span class="quiet">no reason given</span>`}</dd>
        <dt>Change</dt>
        <dd>
          ${fact.change ? html`<a href="/audit?change=${fact.change}"><code>${fact.change}</code></a>` : html`<span class="quiet">none</span>`}
        </dd>
        <dt>Format</dt>
        <dd>version ${fact.version}</dd>
        <dt>Before it</dt>
        <dd><code>${fact.previous.slice(0, 24)}…</code></dd>
        <dt>Hash</dt>
        <dd>
          <code>${fact.hash.slice(0, 24)}…</code>
          <button type="button" class="link small" @click=${() => copy(fact.hash)}>copy</button>
        </dd>
      </dl>
      ${commandBox(payload)}
      <div class="spread">
        <button
          type="button"
          class="small"
          ?disabled=${fact.seq <= 1}
          @click=${() => navigate(`/audit/${fact.seq - 1}${location.search}`)}
        >
          ← Fact ${fact.seq - 1}
        </button>
        <button
          type="button"
          class="small"
          @click=${() => navigate(`/audit/${fact.seq + 1}${location.search}`)}
        >
          Fact ${fact.seq + 1} →
        </button>
      </div>
    </div>
  </section>`;
}

/**
 * What verifying the chain found.
 * @param {any} verdict null before, `busy` meanwhile, an error, or the answer
 */
export function verdictLine(verdict) {
  if (!verdict) return nothing;
  if (verdict === "busy")
    return html`<div class="note" role="status">Recomputing the hash of every fact…</div>`;
  if (verdict instanceof Error) return refusal(verdict);
  if (verdict.ok)
    return html`<div class="panel calm" role="status">
      <span class="ok">${icon("ok")}</span><strong>The chain is whole</strong
      ><span class="second"
        >${count(verdict.facts)} facts verified in ${format(verdict.seconds, "seconds")}</span
      >
    </div>`;
  const damage = [verdict.damage ?? []].flat();
  return html`<div class="refusal" role="alert">
    <strong>The ledger is damaged</strong>
    <ul>
      ${damage.slice(0, 20).map((/** @type {any} */ one) => html`<li>${one.seq ? `fact ${one.seq}` : JSON.stringify(one.place)}: ${one.what}</li>`)}
    </ul>
  </div>`;
}
