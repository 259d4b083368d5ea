// Asks GitHub's own workflow parser about files and prints a JSON object: path -> list of complaints.
//
//   node workflow_parser.mjs NODE_MODULES < {"files": {path: text}, "workflows": {reference: text}}
//
// "workflows" holds the reusable workflows that calls may lead to, so that inputs and secrets are checked across files.

import { readFileSync } from "node:fs";
import { register } from "node:module";
import { pathToFileURL } from "node:url";

// The parser imports JSON without the attribute that Node asks for.
const hook = `export const load = (url, context, next) =>
  next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

const parser = pathToFileURL(`${process.argv[2]}/@actions/workflow-parser/dist/`);
const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import(new URL("index.js", parser));
const { parseAction } = await import(new URL("actions/action-parser.js", parser));
const { ErrorPolicy } = await import(new URL("model/convert.js", parser));

const { files, workflows } = JSON.parse(readFileSync(0, "utf8"));

const fileProvider = {
  getFileContent: async (reference) => {
    const name = "repository" in reference
      ? `${reference.owner}/${reference.repository}/${reference.path}@${reference.version}`
      : reference.path;
    const content = workflows[name];
    if (content === undefined) throw new Error(`no workflow ${name}`);
    return { name, content };
  },
};

const complaints = {};
for (const [name, content] of Object.entries(files)) {
  const parse = /(^|\/)action\.ya?ml$/.test(name) ? parseAction : parseWorkflow;
  const result = parse({ name, content }, new NoOperationTraceWriter());
  const found = result.context.errors.getErrors().map((error) => error.message);
  if (parse === parseWorkflow && result.value && !found.length) {
    const options = { errorPolicy: ErrorPolicy.TryConversion, fetchReusableWorkflowDepth: 2 };
    const template = await convertWorkflowTemplate(result.context, result.value, fileProvider, options);
    found.push(...(template.errors ?? []).map((error) => error.Message ?? error.message));
  }
  complaints[name] = found;
}
console.log(JSON.stringify(complaints));
