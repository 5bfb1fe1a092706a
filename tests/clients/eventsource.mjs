// The standard's EventSource, as talk.mjs uses it: with a key in the header, and connections that break.
import { EventSource } from "eventsource";

export const connect = (url, key) => ({ url, key });

// The response, whose body breaks off once `most` events that `counts` fits are through. It gives an event at a time, when
// the one before is taken: what is still queued at an error is lost with it.
export function broken(response, most, counts = /^event: ?chunk$/m) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let rest = "";
  let count = 0;
  let breaks = false;
  const body = new ReadableStream({
    async pull(controller) {
      if (breaks) {
        await reader.cancel();
        return controller.error(new Error("the connection broke"));
      }
      let end;
      while ((end = rest.indexOf("\n\n")) < 0) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        rest += decoder.decode(value, { stream: true });
      }
      const event = rest.slice(0, end + 2);
      rest = rest.slice(end + 2);
      breaks = counts.test(event) && count++ === most;
      // The next event's first half is lost with the connection.
      controller.enqueue(encoder.encode(breaks ? event.slice(0, event.length / 2) : event));
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

export const commands = {
  // Reads until done, error, or an answer that EventSource gives up at. `breaks`: after how many chunks each connection
  // breaks, the first to the last; those after them hold.
  read({ url, key }, { path, breaks = [] }, tell) {
    const requests = [];
    const chunks = [];
    return new Promise((resolve) => {
      const source = new EventSource(url + path, {
        async fetch(target, init) {
          const headers = { ...init.headers, Authorization: `Bearer ${key}` };
          const response = await fetch(target, { ...init, headers });
          const lastEventId = new Headers(init.headers).get("last-event-id");
          requests.push({ lastEventId, status: response.status, type: response.headers.get("content-type") });
          const most = breaks[requests.length - 1];
          return most === undefined ? response : broken(response, most);
        },
      });
      function end(how) {
        source.close();
        resolve({ chunks, requests, ...how });
      }
      source.addEventListener("chunk", ({ lastEventId, data }) => {
        chunks.push({ id: lastEventId, data: JSON.parse(data) });
        tell(chunks.at(-1));
      });
      source.addEventListener("done", ({ data }) => end({ done: JSON.parse(data) }));
      source.addEventListener("error", (event) => {
        if (event.data !== undefined) end({ error: JSON.parse(event.data) });
        else if (source.readyState === EventSource.CLOSED) end({ refused: event.code });
      });
    });
  },
};

export const describe = ({ name, message }) => ({ name, message });
