-- Runway: a header that every request wants, progress from 0 to 1, a DELETE that cancels, a code that says whether
-- trying again makes sense.

return {
    url = "https://api.dev.runwayml.com",
    statuses = { PENDING = "pending", THROTTLED = "pending", RUNNING = "processing", SUCCEEDED = "completed" },
    progress_max = 1,
    poll_first = 5, poll_min = 5, poll_max = 15,

    auth = function(key) return { Authorization = "Bearer " .. key, ["X-Runway-Version"] = "2024-11-06" } end,
    submit = function(task) return { post = "/v1/" .. task.target, json = task.input } end,
    accepted = function(reply) return { id = reply.json.id, status = "PENDING" } end,
    poll = function(job) return { get = "/v1/tasks/" .. job.id } end,
    polled = function(reply)
        local task = reply.json
        if task.status == "FAILED" or task.status == "CANCELLED" then
            local code = task.failureCode or ""
            local unsafe = code:find("SAFETY", 1, true) == 1
            return { error = { code = unsafe and "content_policy_violation" or "generation_failed",
                               retryable = not unsafe and code:find("INTERNAL", 1, true) == 1,
                               detail = code .. ": " .. (task.failure or "") } }
        end
        return { status = task.status, progress = task.progress,
                 output = task.status == "SUCCEEDED" and { videos = task.output } or nil }
    end,
    cancel = function(job) return { delete = "/v1/tasks/" .. job.id } end,

    samples = {
        { call = "auth", key = "fake",
          expect = { Authorization = "Bearer fake", ["X-Runway-Version"] = "2024-11-06" } },
        { call = "submit", task = { target = "image_to_video", input = { promptText = "x", ratio = "1280:720" } },
          expect = { post = "/v1/image_to_video", json = { promptText = "x", ratio = "1280:720" } } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { id = "r1" } },
          expect = { id = "r1", status = "PENDING" } },
        { call = "poll", job = { id = "r1" }, expect = { get = "/v1/tasks/r1" } },
        { call = "polled", job = { id = "r1" },
          reply = { status = 200, headers = {}, json = { id = "r1", status = "RUNNING", progress = 0.42 } },
          expect = { status = "RUNNING", progress = 0.42 } },
        { call = "polled", job = { id = "r1" },
          reply = { status = 200, headers = {}, json = { id = "r1", status = "THROTTLED" } },
          expect = { status = "THROTTLED" } },
        { call = "polled", job = { id = "r1" },
          reply = { status = 200, headers = {}, json = { status = "SUCCEEDED", output = { "https://cdn/v.mp4" } } },
          expect = { status = "SUCCEEDED", output = { videos = { "https://cdn/v.mp4" } } } },
        { call = "polled", job = { id = "r1" },
          reply = { status = 200, headers = {},
                    json = { status = "FAILED", failureCode = "SAFETY.INPUT", failure = "no" } },
          expect = { error = { code = "content_policy_violation", retryable = false,
                               detail = "SAFETY.INPUT: no" } } },
        { call = "polled", job = { id = "r1" },
          reply = { status = 200, headers = {}, json = { status = "FAILED", failureCode = "INTERNAL.BAD_OUTPUT.X" } },
          expect = { error = { code = "generation_failed", retryable = true, detail = "INTERNAL.BAD_OUTPUT.X: " } } },
        { call = "cancel", job = { id = "r1" }, expect = { delete = "/v1/tasks/r1" } },
    },
}
