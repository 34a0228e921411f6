// Ends the process with one line when Node.js is too old to run Stoker. Written so that any Node.js can read it: no syntax newer
// than ECMAScript 5. To be loaded before everything else.
"use strict";

var needed = [20, 19];
var found = process.versions.node.split(".").map(Number);

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  process.stderr.write(
    "stoker: Node.js " +
      needed.join(".") +
      " or later is needed, and this is Node.js " +
      process.versions.node +
      " (" +
      process.execPath +
      "); install a newer one from https://nodejs.org\n",
  );
  process.exit(2);
}
