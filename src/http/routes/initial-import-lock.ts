import { StokerError } from "../../base/errors.ts";

/**
 * Whether the initial-import lock refuses a request (contract 7.3 with decision D-13): everything that writes, apart from
 * the import itself, exports, searches and validations by POST, and the cancellation of operations.
 */
export function isLocked(method: string, url: string): boolean {
  const path = url.replace(/\/$/, "");
  switch (method) {
    case "GET":
      return path.includes("/$reindex");
    case "HEAD":
    case "OPTIONS":
      return false;
    case "POST":
      return !/\/(?:\$import|\$export|\$validate|\$everything|_search)$/.test(path);
    case "DELETE":
      return !/\/_operations\/[^/]+\/[^/]+$/.test(path);
    default:
      return true;
  }
}

/** The refusal: 423 (decision D-13). */
export function lockedError(): StokerError {
  return new StokerError("locked", "import operation failed for reason: Service is locked for initial import mode.");
}
