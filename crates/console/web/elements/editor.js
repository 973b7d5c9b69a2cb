/**
 * A text editor for queries and JSON. It has a shadow root, unlike the other elements: CodeMirror's styles then go
 * into constructed sheets, which the security policy allows, instead of a style tag, which it does not.
 */

import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  acceptCompletion,
} from "../vendor/@codemirror/autocomplete/dist/index.js";
import { defaultKeymap, history, historyKeymap } from "../vendor/@codemirror/commands/dist/index.js";
import { json, jsonParseLinter } from "../vendor/@codemirror/lang-json/dist/index.js";
import {
  HighlightStyle,
  bracketMatching,
  indentOnInput,
  syntaxHighlighting,
} from "../vendor/@codemirror/language/dist/index.js";
import { linter, setDiagnostics } from "../vendor/@codemirror/lint/dist/index.js";
import { EditorState } from "../vendor/@codemirror/state/dist/index.js";
import { EditorView, keymap, placeholder } from "../vendor/@codemirror/view/dist/index.js";
import { tags } from "../vendor/@lezer/highlight/dist/index.js";

/** @import { Extension } from "../vendor/@codemirror/state/dist/index.js" */
/** @import { Diagnostic } from "../vendor/@codemirror/lint/dist/index.js" */

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--code-word)" },
  { tag: [tags.function(tags.variableName), tags.function(tags.keyword)], color: "var(--code-call)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-text)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.labelName, tags.propertyName], color: "var(--code-name)" },
  { tag: tags.comment, color: "var(--ink-3)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const LOOKS = EditorView.theme({
  "&": {
    color: "var(--ink)",
    backgroundColor: "var(--surface)",
    border: "1px solid var(--line-strong)",
    borderRadius: "var(--round)",
    fontSize: "0.8125rem",
  },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", maxHeight: "60vh" },
  ".cm-content": { padding: "0.4rem 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 0.6rem" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection": {
    backgroundColor: "var(--accent-soft) !important",
  },
  ".cm-matchingBracket": {
    backgroundColor: "var(--accent-soft) !important",
    outline: "1px solid var(--line-strong)",
  },
  ".cm-placeholder": { color: "var(--ink-3)" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--ink)",
    border: "1px solid var(--line)",
    borderRadius: "var(--round)",
    boxShadow: "var(--shadow-high)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "18rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "0.2rem 0.6rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    backgroundColor: "var(--accent-soft) !important",
    color: "var(--ink) !important",
  },
  ".cm-completionDetail": { color: "var(--ink-3)", fontStyle: "normal", marginLeft: "1rem" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionInfo": { padding: "0.4rem 0.6rem", maxWidth: "24rem", fontFamily: "var(--sans)" },
  ".cm-diagnostic": { padding: "0.35rem 0.6rem", fontFamily: "var(--sans)" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--bad) 1.5px",
    textUnderlineOffset: "3px",
  },
});

const parseJson = jsonParseLinter();
/** An empty field is not wrong yet. @param {EditorView} view */
const lintJson = (view) => (view.state.doc.length === 0 ? [] : parseJson(view));

/** What a query field completes and highlights with; loaded when it is needed. */
const languages = {
  json: async () => [json(), linter(lintJson, { delay: 300 })],
  promql: async () => (await import("../explore/promql.js")).promql(),
  plain: async () => [],
};

class Editor extends HTMLElement {
  constructor() {
    super();
    /** @type {EditorView | null} */
    this.view = null;
    /** @type {keyof typeof languages} */
    this.language = "plain";
    this.label = "Editor";
    this.hint = "";
    /** Whether Enter runs instead of beginning a line. */
    this.runs = false;
    this.text = "";
    /** @type {Diagnostic[]} */
    this.diagnostics = [];
  }

  /** The text. */
  get value() {
    return this.view?.state.doc.toString() ?? this.text;
  }

  set value(text) {
    this.text = text;
    const { view } = this;
    if (!view || view.state.doc.toString() === text) return;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
  }

  connectedCallback() {
    if (this.view) return;
    void this.open();
  }

  disconnectedCallback() {
    this.text = this.value;
    this.view?.destroy();
    this.view = null;
  }

  async open() {
    const language = /** @type {Extension[]} */ (await languages[this.language]());
    if (!this.isConnected || this.view) return;
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open", delegatesFocus: true });
    const run = () => {
      this.dispatchEvent(new CustomEvent("ms-run", { bubbles: true, detail: this.value }));
      return true;
    };
    const newLine = (/** @type {EditorView} */ view) => {
      view.dispatch(view.state.replaceSelection("\n"), { scrollIntoView: true });
      return true;
    };
    this.view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: this.text,
        extensions: [
          language,
          history(),
          bracketMatching(),
          closeBrackets(),
          indentOnInput(),
          autocompletion({ icons: false }),
          syntaxHighlighting(COLOURS),
          LOOKS,
          EditorView.lineWrapping,
          placeholder(this.hint),
          EditorView.contentAttributes.of({ "aria-label": this.label }),
          keymap.of([
            // Without a completion, Tab leaves the field: the keyboard must never be caught in it.
            { key: "Tab", run: acceptCompletion },
            { key: "Mod-Enter", run },
            ...(this.runs ? [{ key: "Shift-Enter", run: newLine }] : []),
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...(this.runs ? [{ key: "Enter", run }] : []),
            ...defaultKeymap,
            ...historyKeymap,
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged)
              this.dispatchEvent(new CustomEvent("ms-input", { bubbles: true, detail: this.value }));
          }),
        ],
      }),
    });
    this.mark(this.diagnostics);
    if (this.hasAttribute("autofocus")) this.view.focus();
  }

  focus() {
    this.view?.focus();
  }

  /**
   * Marks places as wrong; none clears.
   * @param {Diagnostic[]} diagnostics
   */
  mark(diagnostics) {
    const { view } = this;
    this.diagnostics = diagnostics;
    if (!view) return;
    const end = view.state.doc.length;
    const within = diagnostics.map((one) => ({
      ...one,
      from: Math.min(one.from, end),
      to: Math.min(Math.max(one.to, one.from), end),
    }));
    view.dispatch(setDiagnostics(view.state, within));
  }
}

customElements.define("ms-editor", Editor);

/** @typedef {Editor} EditorElement */
