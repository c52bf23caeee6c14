#!/usr/bin/env node
// Writes src/generated.ts: the types of a store's `/openapi.json` and one method for each operation.
//
//   node generate.mjs FILE|URL [> src/generated.ts]
//
// The file that is committed is that of a store without members of its own; run it on your own
// store's document to have yours typed. Reads `FILE` as `-` from stdin.

import { readFile } from "node:fs/promises";

const METHODS = ["get", "put", "post", "delete"];

async function load(place) {
  if (place.startsWith("http://") || place.startsWith("https://")) {
    return (await fetch(place)).json();
  }
  return JSON.parse(await readFile(place === "-" ? 0 : place, "utf8"));
}

/** A schema as a TypeScript type. */
function typeOf(schema, indent = "") {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.oneOf && !schema.properties) {
    return schema.oneOf.map((kind) => typeOf(kind, indent)).join(" | ");
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  switch (schema.type) {
    case "integer":
    case "number":
      return "number";
    case "string":
      return "string";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      return `Array<${typeOf(schema.items, indent)}>`;
    case "object":
      return objectOf(schema, indent);
    default:
      return "unknown";
  }
}

function objectOf(schema, indent) {
  const inner = `${indent}  `;
  const members = Object.keys(schema.properties ?? {}).sort();
  const lines = members.map((name) => {
    const must = (schema.required ?? []).includes(name);
    const type = typeOf(schema.properties[name], inner);
    return `${comment(schema.properties[name], inner)}${inner}${nameOf(name)}${must ? "" : "?"}: ${type};\n`;
  });
  const others = schema.additionalProperties;
  if (others && typeof others === "object") lines.push(`${inner}[member: string]: unknown;\n`);
  if (lines.length === 0) return others === false ? "Record<string, never>" : "Record<string, unknown>";
  const object = `{\n${lines.join("")}${indent}}`;
  // Exactly one of several members: a basket is a hold, a cart or a list of lines.
  const kinds = (schema.oneOf ?? []).map((kind) => kind.required[0]);
  if (kinds.length === 0) return object;
  const choice = kinds.map((name) => {
    const there = `${nameOf(name)}: ${typeOf(schema.properties[name], inner)}`;
    const absent = kinds.filter((other) => other !== name).map((other) => `${nameOf(other)}?: never`);
    return `{ ${[there, ...absent].join("; ")} }`;
  });
  return `${object} & (${choice.join(" | ")})`;
}

function comment(schema, indent) {
  return schema.description ? `${indent}/** ${schema.description.replace(/\*\//g, "* /")} */\n` : "";
}

function nameOf(name) {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function camel(name) {
  const words = name.split("-").map((word) => word.toLowerCase());
  return words.map((word, at) => (at ? word[0].toUpperCase() + word.slice(1) : word)).join("");
}

function resolve(document, value) {
  if (!value.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((found, part) => found[part], document);
}

/** A type's declaration. */
function declare(name, schema) {
  return `${comment(schema, "")}export type ${name} = ${typeOf(schema)};\n`;
}

/** The method of an operation; nothing for a WebSocket, which `Watcher` opens. */
function method(document, path, verb, operation) {
  if (operation.responses["101"]) return "";
  const all = (operation.parameters ?? []).map((one) => resolve(document, one));
  const inPath = all.filter((one) => one.in === "path");
  const query = all.filter((one) => one.in === "query");
  const own = ["Idempotency-Key", "Claw-After"];
  const fields = all.filter((one) => one.in === "header" && !own.includes(one.name));
  const schema = operation.requestBody?.content["application/json"].schema;
  const extra = [...query, ...fields].map(
    (one) => `${camel(one.name)}?: ${typeOf(one.schema)}`,
  );
  const options = extra.length ? `Options & { ${extra.join("; ")} }` : "Options";
  const parameters = inPath.map((one) => `${camel(one.name)}: string`);
  if (schema) parameters.push(`body: ${typeOf(schema)}`);
  parameters.push(`options: ${options} = {}`);
  const answers = Object.entries(operation.responses)
    .filter(([status]) => status.startsWith("2"))
    .map(([status, response]) => {
      const media = Object.values(response.content ?? {})[0];
      return `Answer<${status}, ${media ? typeOf(media.schema) : "null"}>`;
    });
  const place = path.replace(/\{(\w+)\}/g, (_, name) => `\${encodeURIComponent(${camel(name)})}`);
  const parts = [
    `method: "${verb.toUpperCase()}"`,
    `path: \`${place}\``,
    `signed: ${operation.security.length > 0}`,
    "options",
  ];
  if (schema) parts.push("body");
  if (query.length) {
    parts.push(`query: { ${query.map((one) => `${one.name}: options.${camel(one.name)}`).join(", ")} }`);
  }
  const lines = [`    const call: Call = { ${parts.join(", ")} };\n`];
  for (const one of fields) {
    const value = `options.${camel(one.name)}`;
    lines.push(`    if (${value} !== undefined) call.headers = { "${one.name}": ${value} };\n`);
  }
  return [
    `  /** ${operation.summary}. */\n`,
    `  async ${operation.operationId}(${parameters.join(", ")}): Promise<${answers.join(" | ")}> {\n`,
    ...lines,
    `    return (await this.send(call)) as ${answers.join(" | ")};\n  }\n`,
  ].join("");
}

function generate(document) {
  const schemas = Object.entries(document.components.schemas);
  schemas.sort(([one], [other]) => (one < other ? -1 : 1));
  const problems = schemas
    .map(([name, schema]) => [schema.properties?.type?.const?.split(":").pop(), name])
    .filter(([problem]) => problem !== undefined);
  const methods = Object.keys(document.paths).sort().flatMap((path) =>
    METHODS.filter((verb) => document.paths[path][verb]).map((verb) =>
      method(document, path, verb, document.paths[path][verb]),
    ),
  );
  return `// Made of /openapi.json by generate.mjs: change that, not this.

${schemas.map(([name, schema]) => declare(name, schema)).join("\n")}
/** Every problem by the last part of its \`type\`. */
export interface Problems {
${problems.map(([problem, name]) => `  ${JSON.stringify(problem)}: ${name};\n`).join("")}}

/** What each call may be given beside what it is about. */
export interface Options {
  /** A UUID; a fresh one when it is not given. Give it to send the same request again. */
  idempotencyKey?: string;
  /** Positions that the answer must have seen. */
  clawAfter?: string;
  /** Ends the call, its waits included. */
  signal?: AbortSignal;
}

/** An answer that is no problem. */
export interface Answer<S extends number, B> {
  status: S;
  body: B;
  /** Its places in the log. */
  position?: string;
  /** The version, for \`ifMatch\`. */
  etag?: string;
  /** Where what was made is. */
  location?: string;
}

/** A request as a client sends it. */
export interface Call {
  method: string;
  path: string;
  /** Whether it must say who asks. */
  signed: boolean;
  options: Options;
  query?: Record<string, string | number | boolean | undefined>;
  headers?: Record<string, string>;
  body?: unknown;
}

/** One method for each operation; a client says how they are sent. */
export abstract class Operations {
  protected abstract send(call: Call): Promise<Answer<number, unknown>>;

${methods.join("\n")}}
`;
}

const place = process.argv[2];
if (place === undefined) {
  process.stderr.write("usage: node generate.mjs FILE|URL > src/generated.ts\n");
  process.exit(2);
}
process.stdout.write(generate(await load(place)));
