// Has a real client do something, as a line on standard input says: {"client", "command", "url", "key", "argument"},
// where client names a file beside this one. Answers with lines: {"event": …} for what happens on the way, and at the end
// {"value": …} or {"error": …}.
import { createInterface } from "node:readline";

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

for await (const line of createInterface({ input: process.stdin })) {
  const { client, command, url, key, argument } = JSON.parse(line);
  const { commands, connect, describe } = await import(`./${client}.mjs`);
  try {
    say({ value: await commands[command](connect(url, key, argument), argument, (event) => say({ event })) });
  } catch (error) {
    say({ error: describe(error) });
  }
}
