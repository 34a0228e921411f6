import { fastifyCors } from "@fastify/cors";
import type { FastifyInstance } from "fastify";

/**
 * Lets pages of these origins use the FHIR API from a browser (CORS); `*` is any origin, none is no CORS at all. Cookies
 * are not for this server: who may do what is said by the `Authorization` header, which pages send themselves.
 */
export function answerOtherOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  void app.register(fastifyCors, {
    origin: origins.includes("*") ? "*" : [...origins],
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    exposedHeaders: EXPOSED,
    credentials: false,
    maxAge: PREFLIGHT_SECONDS,
  });
}

/** Headers that FHIR clients read; a browser hides others from a page. */
const EXPOSED = [
  "Content-Location",
  "ETag",
  "Last-Modified",
  "Link",
  "Location",
  "Retry-After",
  "X-Progress",
  "X-Request-Id",
  "Allow",
  "Accept-Patch",
];

/** For as long a browser need not ask again whether it may. */
const PREFLIGHT_SECONDS = 600;
