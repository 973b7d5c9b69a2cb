// Evaluates flags through OpenFeature's server SDK and its OFREP provider from npm.
//
//     node ofrep.cjs BASE_URL TOKEN QUESTIONS
//
// QUESTIONS is a JSON list of {key, type, default, context}; a JSON list of what the SDK answers is printed.

"use strict";

const { OpenFeature } = require("@openfeature/server-sdk");
const { OFREPProvider } = require("@openfeature/ofrep-provider");

const METHODS = {
  boolean: "getBooleanDetails",
  string: "getStringDetails",
  number: "getNumberDetails",
  object: "getObjectDetails",
};

async function main(baseUrl, token, questions) {
  const headers = token ? [["Authorization", `Bearer ${token}`]] : [];
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers }));
  const client = OpenFeature.getClient();
  const answers = [];
  for (const { key, type, default: fallback, context } of JSON.parse(questions)) {
    const details = await client[METHODS[type]](key, fallback, context);
    const { value, variant, reason, errorCode } = details;
    answers.push({ key, value, variant, reason, errorCode });
  }
  console.log(JSON.stringify(answers));
  await OpenFeature.close();
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
