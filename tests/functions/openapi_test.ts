// GET /openapi.json of each function: OpenAPI 3.1 with every route of the contract, for anyone.
import { assert, assertEquals } from "@std/assert";
import { ERROR_CODES } from "../../shared/errors.ts";
import { type Body, call } from "../support/http.ts";
import { CONTRACTS } from "./routes.ts";

const read = async (slug: string): Promise<Body> => {
  const reply = await call("nobody", `${slug}/openapi.json`, undefined, { method: "GET" });
  assertEquals([reply.status, reply.headers.get("content-type")?.split(";")[0]], [200, "application/json"]);
  return reply.body;
};

/** Every $ref in the document. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => key === "$ref" ? [String(child)] : references(child));
}

const documented = (slug: string, path: string) =>
  path === "/" ? `/${slug}` : `/${slug}${path.replace(/:(\w+)/g, "{$1}")}`;

for (const { slug, operations } of CONTRACTS) {
  Deno.test(`openapi: ${slug} describes exactly the routes of its contract`, async () => {
    const document = await read(slug);
    const described = Object.entries<Body>(document.paths).flatMap(([path, methods]) =>
      Object.entries<Body>(methods).map(([method, { operationId }]) => [method, path, operationId])
    );
    const expected = operations.map(({ method, path, name }) => [
      method.toLowerCase(),
      documented(slug, path),
      name,
    ]);
    assertEquals(described.sort(), expected.sort());
  });

  Deno.test(`openapi: ${slug} has the structure of OpenAPI 3.1`, async () => {
    const document = await read(slug);
    assertEquals(document.openapi, "3.1.0");
    for (const key of ["title", "version"]) assertEquals(typeof document.info[key], "string");
    for (const [path, methods] of Object.entries<Body>(document.paths)) {
      assert(path.startsWith("/"), path);
      for (const operation of Object.values<Body>(methods)) {
        assert(operation.summary.length > 0 && Object.keys(operation.responses).length > 0);
        for (const [status, response] of Object.entries<Body>(operation.responses)) {
          assert(/^[1-5]\d\d$/.test(status) && typeof response.description === "string", status);
          for (const { schema } of Object.values<Body>(response.content)) assertEquals(typeof schema, "object");
        }
        for (const requirement of operation.security) {
          for (const scheme of Object.keys(requirement)) assert(document.components.securitySchemes[scheme], scheme);
        }
      }
    }
    for (const reference of references(document)) {
      const found = reference.replace(/^#\//, "").split("/").reduce<Body>((value, key) => value?.[key], document);
      assert(found !== undefined, `${reference} leads nowhere`);
    }
  });

  Deno.test(`openapi: ${slug} says what each route takes, and every status it may answer`, async () => {
    const { paths } = await read(slug);
    for (const { path, method, name, body, statuses, errors, maxBodyBytes: _ } of operations) {
      const operation = paths[documented(slug, path)][method.toLowerCase()];
      if (body === "none") {
        const named = operation.parameters.map((each: Body) => [each.in, each.name]);
        for (const [, parameter] of path.matchAll(/:(\w+)/g)) {
          assert(named.some(([place, name]: string[]) => place === "path" && name === parameter), name);
        }
        continue;
      }
      const type = body === "json" ? "application/json" : "multipart/form-data";
      const { schema } = operation.requestBody.content[type];
      assert(schema.type === "object" && Object.keys(schema.properties).length > 0, name);
      if (body === "multipart") {
        assert(schema.properties.file && schema.required.includes("file"), "The part file is missing");
      }
      const expected = [
        ...statuses,
        400,
        401,
        413,
        415,
        422,
        500,
        503,
        ...errors.map((code) => ERROR_CODES[code].status),
      ];
      assertEquals(
        [...new Set(expected.map(String))].filter((status) => !operation.responses[status]),
        body === "multipart" && !operation.responses["400"] ? ["400"] : [],
      );
    }
  });
}
