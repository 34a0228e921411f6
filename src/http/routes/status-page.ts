import { createHash } from "node:crypto";

const STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}";

/** The `Content-Security-Policy` of the page at `/`: nothing but its own style; no page may show it in a frame. */
export const STATUS_PAGE_POLICY: string =
  `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The page at `/`: what this is and where to go. */
export function statusPage(version: string, baseUrl: string): string {
  const base = escapeHtml(baseUrl);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Stoker</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Stoker</h1>
<p>An open FHIR R4 server that is fed in bulk. Version ${escapeHtml(version)}. FHIR base: <code>${base}</code></p>
<ul>
<li><a href="fhir/metadata">CapabilityStatement</a></li>
<li><a href="fhir/_operations/import">Imports</a></li>
<li><a href="health/ready">Health</a></li>
<li><a href="metrics">Metrics</a></li>
</ul>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
