/** A new flag: a form that writes the resource, which is shown so that it can go into git instead. */

import { html, nothing } from "../vendor/lit/index.js";
import { Element } from "../elements/element.js";
import { commandBox, refusal } from "../elements/notices.js";
import { toast } from "../elements/toast.js";
import { post } from "../shell/api.js";
import { flagPath, navigate } from "../shell/router.js";

/** Variants that a kind of flag starts with. @type {Record<string, Record<string, unknown>>} */
const STARTS = {
  boolean: { on: true, off: false },
  string: { control: "a", treatment: "b" },
  number: { low: 10, high: 100 },
  object: { none: {}, some: { text: "hello" } },
};

/** A text as a YAML scalar; JSON strings are YAML. @param {unknown} value */
const scalar = (value) =>
  typeof value === "string" &&
  /^[a-z][\w./-]*$/i.test(value) &&
  !/^(true|false|yes|no|on|off|null|y|n)$/i.test(value)
    ? value
    : JSON.stringify(value);

class NewFlag extends Element {
  static properties = { given: { state: true }, error: { state: true }, busy: { state: true } };

  constructor() {
    super();
    this.given = { key: "", kind: "boolean", owner: "", description: "", expires: "", reason: "" };
    /** @type {unknown} */
    this.error = null;
    this.busy = false;
  }

  /** The resource as YAML. */
  get yaml() {
    const { key, kind, owner, description, expires } = this.given;
    const variants = STARTS[kind] ?? {};
    const names = Object.keys(variants);
    return (
      [
        "apiVersion: mainstay/v1",
        "kind: Flag",
        "metadata:",
        `  name: ${scalar(key || "new-flag")}`,
        "spec:",
        description ? `  description: ${JSON.stringify(description)}` : "",
        owner ? `  owner: ${scalar(owner)}` : "",
        expires ? `  expires: ${expires}` : "",
        "  state: ENABLED",
        "  variants:",
        ...Object.entries(variants).map(([name, value]) => `    ${scalar(name)}: ${JSON.stringify(value)}`),
        `  defaultVariant: ${scalar(kind === "boolean" ? "off" : names[0])}`,
      ]
        .filter(Boolean)
        .join("\n") + "\n"
    );
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    this.busy = true;
    try {
      await post("resources/apply", {
        documents: [{ file: "console.yaml", text: this.yaml }],
        reason: this.given.reason,
      });
      toast(`${this.given.key} was made.`);
      navigate(flagPath(this.given.key));
    } catch (error) {
      this.error = error;
    }
    this.busy = false;
  }

  /** @param {keyof NewFlag["given"]} name @param {string} label @param {Record<string, unknown>} [more] */
  field(name, label, { type = "text", hint = "", required = false, placeholder = "" } = {}) {
    return html`<label class="field"
      >${label}<input
        name=${name}
        type=${type}
        .value=${this.given[name]}
        ?required=${required}
        placeholder=${placeholder}
        autocomplete="off"
        spellcheck="false"
        @input=${(/** @type {any} */ event) => {
          this.given = { ...this.given, [name]: event.target.value };
        }}
      />${hint ? html`<small>${hint}</small>` : nothing}</label
    >`;
  }

  render() {
    return html`<div class="halves">
      <form class="panel empty stack" @submit=${this.submit}>
        <div class="fields">
          ${this.field("key", "Key", { required: true, placeholder: "new-checkout", hint: "What code asks for." })}
          <label class="field"
            >Values<select
              name="kind"
              @change=${(/** @type {any} */ event) => {
                this.given = { ...this.given, kind: event.target.value };
              }}
            >
              ${Object.keys(STARTS).map((kind) => html`<option ?selected=${kind === this.given.kind}>${kind}</option>`)}</select
            ><small>Variants can be changed afterwards.</small></label
          >
          ${this.field("owner", "Owner", { placeholder: "team-web", hint: "Who takes it out again." })}
          ${this.field("expires", "Expires", { type: "date", hint: "After it, the flag counts as debt." })}
        </div>
        ${this.field("description", "Description", { placeholder: "What it decides" })}
        ${this.field("reason", "Reason", { required: true, placeholder: "Why now, for whoever reads the ledger" })}
        ${refusal(this.error)}
        <button class="primary" ?disabled=${this.busy}>Make the flag</button>
      </form>
      <section class="panel">
        <header><h2>The same as a resource</h2></header>
        <div class="body stack">
          <p class="second">Kept in git, it is applied with <code>mainstay apply -f flag.yaml</code>.</p>
          ${commandBox(this.yaml)}
        </div>
      </section>
    </div>`;
  }
}

customElements.define("ms-new-flag", NewFlag);
