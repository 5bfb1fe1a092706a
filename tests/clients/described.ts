// The life of a task through a client whose types were made from /openapi.json: node described.js URL KEY.
declare const process: { argv: string[]; stdout: { write(text: string): void } };
import createClient from "openapi-fetch";
import type { components, paths } from "./described-types.js";

type Task = components["schemas"]["Task"];

const [baseUrl, key] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

function must<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`status ${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

async function submit(prompt: string): Promise<string> {
  const submission = must(await client.POST("/v1/images/generations", {
    body: { model: "local-image", prompt, image_size: { width: 64, height: 64 } },
  }));
  if (!("id" in submission)) throw new Error("an estimate, where a task was wanted");
  return submission.id;
}

async function ended(task_id: string): Promise<Task> {
  for (;;) {
    const task = must(await client.GET("/v1/tasks/{task_id}", { params: { path: { task_id }, query: { wait: 10 } } }));
    if (task.status === "completed" || task.status === "failed") return task;
  }
}

async function events(task_id: string): Promise<string> {
  return must(await client.GET("/v1/tasks/{task_id}/events", { params: { path: { task_id } }, parseAs: "text" }));
}

const estimate = must(await client.POST("/v1/images/generations", { body: { model: "local-image", prompt: "A price", dry_run: true } }));
const id = await submit("A fox in the snow");
const task = await ended(id);
if (task.type !== "image") throw new Error(`a task of type ${task.type}`);
const [result] = task.results ?? [];
const url: string | undefined = result !== undefined && "url" in result ? result.url : undefined;

const refused = await client.GET("/v1/tasks/{task_id}", { params: { path: { task_id: "task-unified-1757165031-uyujaw3d" } } });
const late = await client.POST("/v1/tasks/{task_id}/cancel", { params: { path: { task_id: id } } });
// @ts-expect-error a model without its name is no submission
const wrong = await client.POST("/v1/images/generations", { body: { prompt: "A fox" } });

process.stdout.write(JSON.stringify({
  estimate, task, url, events: await events(id),
  cancelled: late.error?.error.code, missing: refused.error?.error.code, wrong: wrong.error?.error.param,
  models: must(await client.GET("/v1/models")).data.length,
  voices: must(await client.GET("/v1/configs/minimax-preset-voice-id")).data.length,
  credits: must(await client.GET("/v1/account/credits")).data.token.unlimited_credits,
}) + "\n");
