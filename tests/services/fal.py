"""fal's queue: jobs are submitted to a model's full name, asked about below its first two segments, and end in COMPLETED
whether they went well or not; the model's own answer, good or bad, is what fetching the result replays.

Without a script, jobs wait and run for as long as they are told to and succeed. A script says otherwise, by kind:

  submit    accepted [position] [as ANSWER]: a job is made and the client is told, or told what ANSWER says;
            any other answer: no job is made
  poll      queued [position] | running | completed [TYPE WORDS…]: with an error | any other answer
  result    output | failed ANSWER: the model's own error, replayed | any other answer
  cancel    requested | removed | too-late | unknown | any other answer
"""
import dataclasses
import itertools
import json
import threading
import urllib.parse

from . import fal_webhook, files, service, wire

NAMESPACES = ("workflows", "comfy")
WEBHOOK_TRIES, WEBHOOK_PAUSE_S = 200, 0.3
KEPT_S, KEPT_LARGE_S, LARGE_BYTES = 3600, 360, 10000


@dataclasses.dataclass
class Job:
    id: str
    model: str
    input: object
    key: str
    webhook: str
    made_at: float           # of the service's clock, as all its times
    position: int = 0
    told: str = None         # how it stands, as the last answer to a question said
    ended: str = None        # completed, failed, removed; None: not, or by the clock alone
    ended_at: float = None

    @property
    def app(self):
        return app_of(self.model)

    def may_cost(self):
        """Whether the owner of the key may have to pay for it."""
        return self.ended not in ("failed", "removed")


def app_of(model):
    parts = model.split("/")
    return "/".join(parts[:3] if parts[0] in NAMESPACES else parts[:2])


class FalService(service.Service):
    """The queue. Without a script, jobs wait `queue_s` and run `run_s` of the service's time, and call back when they
    end, that share of them that `webhooks` says. Result files are its own, another one for each job, or those of
    `host_of_files`."""

    def __init__(self, script=None, time=None, keys=("fake-key",), queue_s=0.05, run_s=0.1, webhooks=0,
                 host_of_files=None, host="127.0.0.1"):
        self.jobs, self.uploads, self.keys = {}, {}, keys
        self.queue_s, self.run_s, self.webhooks, self.host_of_files = queue_s, run_s, webhooks, host_of_files
        self.numbers, self.webhook_answers = itertools.count(1), []
        super().__init__(script, time, host)
        self.names["file"] = (host_of_files or self).url + "/files/film.mp4"

    # -- requests

    def kind_of(self, request):
        parts = request.path.strip("/").split("/")
        if request.path == "/.well-known/jwks.json":
            return "keys", None
        if parts[0] == "files" and request.method == "GET":
            return "file", None
        if parts[0] == "storage":
            return ("upload" if request.method == "PUT" else "initiate"), None
        if "requests" in parts[2:]:
            at = parts.index("requests", 2)
            rest = parts[at + 2:]
            job = parts[at + 1] if len(parts) > at + 1 else None
            kinds = {("GET", ("status",)): "poll", ("GET", ("status", "stream")): "stream", ("GET", ()): "result",
                     ("GET", ("response",)): "result", ("PUT", ("cancel",)): "cancel"}
            return kinds.get((request.method, tuple(rest)), "unexpected"), job
        return ("submit" if request.method == "POST" and len(parts) >= 2 else "unexpected"), None

    def answer(self, entry):
        handler = getattr(self, "answer_" + entry.kind, None)
        if handler is None:
            return wire.Reply.of(404, {"detail": "Not Found"})
        if entry.kind in ("keys", "file", "upload"):  # no key is needed there
            return handler(entry)
        key = entry.request.headers.get("authorization", "")
        if key.removeprefix("Key ") not in self.keys or not key.startswith("Key "):
            words = f"Cannot access application {entry.request.path}. Authentication is required."
            return wire.Reply.of(401, {"detail": words})
        with self.lock:
            reply = handler(entry) if entry.job is None else self.about_job(entry, handler)
        reply.headers.setdefault("x-fal-request-id", entry.job or "none")
        return reply

    def about_job(self, entry, handler):
        job = self.jobs.get(entry.job)
        place = entry.request.path.split("/requests/")[0].strip("/")
        if job is None or place not in (job.app, job.model):
            return wire.Reply.of(404, {"status": "NOT_FOUND"} if entry.kind in ("poll", "cancel") else
                                 {"detail": "Request not found"})
        return handler(entry, job)

    # -- submission

    def answer_submit(self, entry):
        step = self.script.next("submit", "accepted")
        word, _, rest = step.partition(" ")
        if word != "accepted":
            return self.reply_of(step)
        position, _, instead = rest.partition("as ")
        job = self.make_job(entry, int(position or 0))
        accepted = self.state(job, "IN_QUEUE", queue_position=job.position)
        if not instead:
            return wire.Reply.of(200, accepted)
        return self.reply_of(instead, accepted=json.dumps(accepted), job=job.id)

    def make_job(self, entry, position):
        request = entry.request
        number = next(self.numbers)
        job = Job(f"{number:08x}-fa15-4000-8000-000000000000", request.path.strip("/"), request.json(),
                  request.headers["authorization"].removeprefix("Key "), request.query.get("fal_webhook"),
                  self.clock.passed_s(), position)
        self.jobs[job.id] = job
        entry.job, entry.accepted = job.id, True
        if job.webhook and int(number * self.webhooks) > int((number - 1) * self.webhooks):
            timer = threading.Timer(self.clock.real_s(self.queue_s + self.run_s), self.call, (job,))
            timer.daemon = True
            timer.start()
        return job

    def state(self, job, status, **more):
        base = f"{self.url}/{job.app}/requests/{job.id}"
        return {"status": status, "request_id": job.id, "response_url": base, "status_url": base + "/status",
                "cancel_url": base + "/cancel", **more}

    # -- status

    def answer_poll(self, entry, job):
        return self.status_reply(entry, job, self.script.next("poll", None) or self.clock_step(job))

    def clock_step(self, job):
        age_s = self.clock.passed_s() - job.made_at
        if job.ended or age_s >= self.queue_s + self.run_s:
            return "completed"
        return "queued 0" if age_s < self.queue_s else "running"

    def status_reply(self, entry, job, step):
        word, _, rest = step.partition(" ")
        logs = [{"message": "one step more", "level": "INFO", "source": "USER", "timestamp": "2026-01-01T00:00:00Z"}]
        shown = logs if entry.request.query.get("logs") == "1" else []
        if job.ended == "removed":
            return wire.Reply.of(404, {"status": "NOT_FOUND"})
        if word in ("queued", "running"):
            job.told = word
        if word == "queued":
            return wire.Reply.of(202, self.state(job, "IN_QUEUE", queue_position=int(rest or 0)))
        if word == "running":
            return wire.Reply.of(202, self.state(job, "IN_PROGRESS", logs=shown))
        if word != "completed":
            return self.reply_of(step)
        self.end(job, "failed" if rest else "completed")
        kind, _, words = rest.partition(" ")
        error = {"error": words or kind, "error_type": kind} if rest else {}
        return wire.Reply.of(200, self.state(job, "COMPLETED", logs=shown, metrics={"inference_time": 1.5}, **error))

    def answer_stream(self, entry, job):
        def events():
            while True:
                with self.lock:
                    body = self.answer_poll(entry, job).body
                yield b"data: " + body + b"\n\n"
                if json.loads(body)["status"] == "COMPLETED" or self.stopped.wait(0.02):
                    return

        return wire.Reply(200, {"Content-Type": "text/event-stream"}, stream=events())

    def end(self, job, how):
        if job.ended is None:
            job.ended, job.ended_at = how, self.clock.passed_s()

    # -- result

    def answer_result(self, entry, job):
        if job.ended is None and "poll" not in self.script and self.clock_step(job) == "completed":
            self.end(job, "completed")
        if job.ended is None:
            return wire.Reply.of(400, {"detail": "Request is still in progress"})
        if job.ended == "removed":
            return wire.Reply.of(404, {"detail": "Request not found"})
        reply = self.result_of(job)
        kept_s = KEPT_S if len(reply.body) < LARGE_BYTES else KEPT_LARGE_S
        if self.clock.passed_s() - job.ended_at > kept_s:
            return wire.Reply.of(404, {"detail": "Request not found"})
        return reply

    def result_of(self, job):
        step = self.script.next("result", "output")
        if step != "output":
            if step.startswith("failed "):
                job.ended = "failed"
            return self.reply_of(step.removeprefix("failed "), job=job.id)
        return wire.Reply.of(200, self.output_of(job), {"x-fal-billable-units": "5"})

    def output_of(self, job):
        place = self.names["file"] if self.host_of_files else f"{self.url}/files/{job.id}.mp4"
        return {"video": {"url": place, "content_type": "video/mp4", "file_name": "film.mp4"}, "seed": 42}

    # -- cancel

    def answer_cancel(self, entry, job):
        step = self.script.next("cancel", None) or self.cancel_step(job)
        if step == "requested":
            return wire.Reply.of(202, {"status": "CANCELLATION_REQUESTED"})
        if step == "removed":
            self.end(job, "removed")
            return wire.Reply(200, {"Content-Type": "text/plain"}, b"OK")
        if step == "too-late":
            self.end(job, "completed")
            return wire.Reply.of(400, {"status": "ALREADY_COMPLETED"})
        if step == "unknown":
            return wire.Reply.of(404, {"status": "NOT_FOUND"})
        return self.reply_of(step)

    def cancel_step(self, job):
        steps = {"completed": "too-late", "queued": "removed", "running": "requested"}
        if job.ended:
            return "unknown" if job.ended == "removed" else "too-late"
        return steps[job.told or self.clock_step(job).split(" ")[0]]

    # -- webhooks

    def answer_keys(self, _entry):
        return wire.Reply.of(200, fal_webhook.key_set(fal_webhook.OTHER_SEED[::-1], fal_webhook.SEED))

    def call(self, job, how="signed", status=200):
        """Calls back about the job, again while the receiver is not there or not well. Its last answer is kept, too."""
        if status < 400:
            payload = self.output_of(job)
        else:
            refusal = {"loc": ["body", "prompt"], "msg": "It was refused.", "type": "content_policy_violation"}
            payload = {"detail": [refusal]}
        body = fal_webhook.body_of(job.id, status, payload)
        for _ in range(WEBHOOK_TRIES):
            answer = fal_webhook.send(job.webhook, job.id, body, how, self.clock.wall_s())
            if (answer is not None and answer < 500) or self.stopped.wait(WEBHOOK_PAUSE_S):
                break
        self.webhook_answers.append(answer)
        return answer

    # -- uploads and files of its own

    def answer_initiate(self, entry):
        name = urllib.parse.quote(entry.request.json().get("file_name") or "file")
        place = f"{next(self.numbers)}-{name}"
        urls = {"upload_url": f"{self.url}/storage/{place}", "file_url": f"{self.url}/files/{place}"}
        return wire.Reply.of(200, urls)

    def answer_upload(self, entry):
        place = entry.request.path.rsplit("/", 1)[1]
        headers = {"Content-Type": entry.request.headers["content-type"]}
        self.uploads[place] = wire.Reply(200, headers, entry.request.body)
        return wire.Reply(200)

    def answer_file(self, entry):
        place = entry.request.path.rsplit("/", 1)[1]
        if "file" in self.script:
            return self.reply_of(self.script.next("file", None))
        return self.uploads.get(place) or wire.Reply(200, {"Content-Type": "video/mp4"}, files.own_film(place))
