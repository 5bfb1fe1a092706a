// The standard's EventSource on a task's events, as talk.mjs uses it.
import { EventSource } from "eventsource";
import { broken } from "./eventsource.mjs";

export const connect = (url, key) => ({ url, key });

export const commands = {
  // Reads until done. `breaks`: after how many events each connection breaks, the first to the last; those after them hold.
  // `stays`: does not close at done, but waits until EventSource gives up by itself.
  follow({ url, key }, { path, breaks = [], stays = false }, tell) {
    const requests = [];
    const events = [];
    let done = null;
    return new Promise((resolve) => {
      const source = new EventSource(url + path, {
        async fetch(target, init) {
          const headers = { ...init.headers, Authorization: `Bearer ${key}` };
          const response = await fetch(target, { ...init, headers });
          const lastEventId = new Headers(init.headers).get("last-event-id");
          requests.push({ lastEventId, status: response.status });
          const most = breaks[requests.length - 1];
          return most === undefined ? response : broken(response, most, /^event: /m);
        },
      });
      function end(how) {
        source.close();
        resolve({ events, requests, done, ...how });
      }
      for (const name of ["state", "progress", "timeline"])
        source.addEventListener(name, ({ lastEventId, data }) => {
          events.push({ id: lastEventId, name, data: JSON.parse(data) });
          tell(events.at(-1));
        });
      source.addEventListener("done", ({ data }) => {
        done = JSON.parse(data);
        if (!stays) end({});
      });
      source.addEventListener("error", () => {
        if (source.readyState === EventSource.CLOSED) end({ closed: true });
      });
    });
  },
};

export const describe = ({ name, message }) => ({ name, message });
