/**
 * A client of api-and-import.test.ts: writes Patients at full speed, several requests at once, until its input ends. Says
 * for each success which version it was told, `{"id","version","family"}`; the family of a deletion is null.
 */

const [base, client, ...ids] = process.argv.slice(2);
const AT_ONCE = 4;
const stop = new AbortController();
process.stdin.on("end", () => stop.abort()).resume();

function say(id, etag, family) {
  process.stdout.write(`${JSON.stringify({ id, version: Number(/\d+/.exec(etag)?.[0]), family })}\n`);
}

function patient(id, family) {
  return { resourceType: "Patient", id, name: [{ family }] };
}

/** The answer, undefined when the server was too busy; anything else than success ends the client. */
async function send(method, path, resource) {
  const headers = { "content-type": "application/fhir+json" };
  const content = resource === undefined ? {} : { headers, body: JSON.stringify(resource) };
  const response = await fetch(base + path, { ...content, method });
  const text = await response.text();
  if (response.status === 503) return undefined;
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return { etag: response.headers.get("etag"), text };
}

async function write(lane) {
  for (let turn = 0; !stop.signal.aborted; turn++) {
    const [id, other] = [ids[(client * 17 + lane * 61 + turn * 7) % ids.length], ids[(lane * 5 + turn) % ids.length]];
    const family = `c${client}-${lane}-${turn}`;
    if (turn % 6 === 5 && id !== other) {
      const entry = [id, other].map((one) => ({
        resource: patient(one, family),
        request: { method: "PUT", url: `Patient/${one}` },
      }));
      const answer = await send("POST", "", { resourceType: "Bundle", type: "transaction", entry });
      if (answer === undefined) continue;
      const { entry: answers } = JSON.parse(answer.text);
      for (const [index, one] of [id, other].entries()) say(one, answers[index].response.etag, family);
    } else if (turn % 6 === 2) {
      const answer = await send("DELETE", `/Patient/${id}`);
      // What was never there has no version.
      if (answer?.etag) say(id, answer.etag, null);
    } else {
      const answer = await send("PUT", `/Patient/${id}`, patient(id, family));
      if (answer !== undefined) say(id, answer.etag, family);
    }
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, (_, lane) => write(lane)));
