// OpenAPI 3.1 of a function, made from its contract. Loaded only when /openapi.json is asked for.
import * as z from "zod";
import type { Operation } from "../../../shared/contract/operation.ts";
import { ERROR_CODES, type ErrorCode } from "../../../shared/errors.ts";

const COMMON_ERRORS: readonly ErrorCode[] = [
  "malformed_json",
  "unauthorized",
  "request_timeout",
  "payload_too_large",
  "unsupported_media_type",
  "validation_failed",
  "internal",
  "unavailable",
];

const schemaOf = (schema: z.ZodType, io: "input" | "output") => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return json;
};

function requestOf({ body, input, path }: Operation) {
  if (body === "none") {
    const { properties = {}, required = [] } = schemaOf(input, "input");
    const parameters = Object.entries(properties).map(([name, schema]) => ({
      name,
      in: path.includes(`:${name}`) ? "path" : "query",
      required: required.includes(name),
      schema,
    }));
    return { parameters };
  }
  const schema = schemaOf(input, "input");
  if (body === "json") return { requestBody: { required: true, content: { "application/json": { schema } } } };
  const form = {
    ...schema,
    properties: { ...schema.properties, file: { type: "string", contentMediaType: "application/octet-stream" } },
    required: [...schema.required ?? [], "file"],
  };
  return { requestBody: { required: true, content: { "multipart/form-data": { schema: form } } } };
}

const SUCCESS = { 200: "Done.", 201: "Created.", 204: "Done; there is no body.", 302: "Go on at `location`." };

function responsesOf(operation: Operation) {
  const responses: Record<string, unknown> = {};
  for (const status of operation.statuses) {
    responses[status] = {
      description: SUCCESS[status],
      content: status === 204 || status === 302 ? {} : {
        "application/json": { schema: schemaOf(operation.output, "output") },
      },
    };
  }
  const codes = Map.groupBy(new Set([...COMMON_ERRORS, ...operation.errors]), (code) => ERROR_CODES[code].status);
  for (const [status, group] of codes) {
    responses[status] = {
      description: group.map((code) => `\`${code}\`: ${ERROR_CODES[code].meaning}`).join("\n\n"),
      content: {
        "application/json": { schema: { $ref: "#/components/schemas/Error" } },
      },
    };
  }
  return responses;
}

const SECURITY = {
  user: { bearerAuth: [], apikey: [] },
  secret: { apikey: [] },
};

/** The document of one function. */
export function describe(slug: string, operations: Operation[]) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const path = operation.path === "/" ? `/${slug}` : `/${slug}${operation.path.replace(/:(\w+)/g, "{$1}")}`;
    paths[path] = {
      ...paths[path],
      [operation.method.toLowerCase()]: {
        operationId: operation.name,
        summary: operation.summary,
        security: operation.callers.map((caller) => SECURITY[caller]),
        ...requestOf(operation),
        responses: responsesOf(operation),
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: `Genesis Engine: ${slug}`, version: "1" },
    servers: [{ url: "/functions/v1" }],
    paths,
    components: {
      securitySchemes: {
        bearerAuth: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        apikey: { type: "apiKey", in: "header", name: "apikey" },
      },
      schemas: {
        Error: {
          type: "object",
          properties: {
            error: {
              type: "object",
              properties: {
                code: { enum: Object.keys(ERROR_CODES) },
                message: { type: "string" },
                details: { type: "object" },
                request_id: { type: "string" },
              },
              required: ["code", "message", "details", "request_id"],
            },
          },
          required: ["error"],
        },
      },
    },
  };
}
