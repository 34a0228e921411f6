import { configureGlobal } from "fast-check";

/**
 * In CI the property tests run with one seed, so that a change is judged by what it changes; everywhere else they look for
 * new counterexamples every time.
 */
if (process.env["CI"] === "true") configureGlobal({ seed: 20261122 });
