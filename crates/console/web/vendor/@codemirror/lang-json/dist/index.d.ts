import { LRLanguage, LanguageSupport } from '../../../@codemirror/language/dist/index.js';
import { Diagnostic } from '../../../@codemirror/lint/dist/index.js';
import { EditorView } from '../../../@codemirror/view/dist/index.js';

/**
Calls
[`JSON.parse`](https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/JSON/parse)
on the document and, if that throws an error, reports it as a
single diagnostic.
*/
declare const jsonParseLinter: () => (view: EditorView) => Diagnostic[];

/**
A language provider that provides JSON parsing.
*/
declare const jsonLanguage: LRLanguage;
/**
JSON language support.
*/
declare function json(): LanguageSupport;

export { json, jsonLanguage, jsonParseLinter };
