import type { LightMyRequestResponse } from "fastify";
import { openLogger } from "../../base/logger.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";
import { createApp } from "../app.ts";
import type { HttpContext } from "../protocol/context.ts";

/** The base of the tests' server. */
export const BASE = "http://stoker.test/fhir";

/** JSON whose shape a test knows. */
// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into at many depths
export type Json = any;

/** An answer. `headers` are in lower case. */
export interface Answer {
  status: number;
  headers: Record<string, string | undefined>;
  text: string;
  body: Json;
}

/** The HTTP application over a database of its own. */
export interface WriteServer {
  database: TestDatabase;
  send(
    method: "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS",
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** The answer as it came, with its bytes. */
  raw(method: "GET" | "HEAD", path: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  /** Ids that a search finds, sorted. */
  ids(path: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts a server for a test file; `database` in `facts` is that of another one. */
export async function openWriteServer(facts: Partial<HttpContext> = {}): Promise<WriteServer> {
  const database = (facts.database as TestDatabase | undefined) ?? (await createTestDatabase());
  // Imports are not part of these tests: what only they need is missing.
  const context = {
    version: "0.0.0",
    baseUrl: BASE,
    importEnabled: true,
    initialImportMode: false,
    dateEquality: "contain",
    database,
    logger: openLogger("error", "test"),
    ...facts,
  } as unknown as HttpContext;
  const app = createApp(context);
  const send: WriteServer["send"] = async (method, path, body, headers = {}) => {
    const payload =
      body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const response = await app.inject({
      method,
      url: `/fhir${path}`,
      headers: { ...(payload === undefined ? {} : { "content-type": "application/fhir+json" }), ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    const text = response.payload;
    return {
      status: response.statusCode,
      headers: response.headers as Record<string, string | undefined>,
      text,
      body: text.trimStart().startsWith("{") ? JSON.parse(text) : undefined,
    };
  };
  return {
    database,
    send,
    raw: (method, path, headers = {}) => app.inject({ method, url: `/fhir${path}`, headers }),
    async ids(path) {
      const { status, body, text } = await send("GET", path);
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      return ((body.entry ?? []) as Json[]).map((entry) => entry.resource.id as string).toSorted();
    },
    async close() {
      await app.close();
      if (facts.database === undefined) await database.drop();
    },
  };
}
