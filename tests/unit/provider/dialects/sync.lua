-- sync.so: a header makes a repeated submission harmless; links to results run out, and asking again gives fresh ones.

local function step_of(job)
    if job.status == "FAILED" or job.status == "REJECTED" then
        return { error = { code = job.status == "REJECTED" and "content_policy_violation" or "generation_failed",
                           detail = job.error } }
    end
    return { id = job.id, status = job.status,
             output = job.status == "COMPLETED" and { video = { url = job.outputUrl } } or nil }
end

return {
    url = "https://api.sync.so",
    statuses = { PENDING = "pending", PROCESSING = "processing", COMPLETED = "completed" },
    idempotency = "Idempotency-Key",
    signature = { scheme = "timestamped", header = "sync-signature", version = "v1" },
    concurrency = 15,
    poll_first = 5, poll_min = 2, poll_max = 20,

    auth = function(key) return { ["x-api-key"] = key } end,
    submit = function(task)
        local p = task.input
        return { post = "/v2/generate",
                 json = { model = task.target, webhookUrl = task.callback_url, options = { sync_mode = p.sync_mode },
                          input = { { type = "video", url = p.video_url }, { type = "audio", url = p.audio_url } } } }
    end,
    accepted = function(reply) return step_of(reply.json) end,
    poll = function(job) return { get = "/v2/generate/" .. job.id } end,
    polled = function(reply) return step_of(reply.json) end,
    -- The link in it has begun to run out; asking gives a fresh one.
    hook = function() return nil end,
    failure = function(reply, job)
        if reply.status == 402 then
            return { code = "quota_exceeded", scope = "account", taken = false, retryable = false }
        elseif reply.status == 429 then
            return { code = "resource_exhausted", scope = "capacity", taken = job ~= nil,
                     delay = tonumber(reply.headers["retry-after"]) }
        end
    end,

    samples = {
        { call = "auth", key = "fake", expect = { ["x-api-key"] = "fake" } },
        { call = "submit",
          task = { target = "lipsync-2", callback_url = "https://u.example.com/h",
                   input = { video_url = "https://cdn/v.mp4", audio_url = "https://cdn/a.wav", sync_mode = "loop" } },
          expect = { post = "/v2/generate",
                     json = { model = "lipsync-2", webhookUrl = "https://u.example.com/h",
                              options = { sync_mode = "loop" },
                              input = { { type = "video", url = "https://cdn/v.mp4" },
                                        { type = "audio", url = "https://cdn/a.wav" } } } } },
        { call = "accepted", reply = { status = 201, headers = {}, json = { id = "g1", status = "PENDING" } },
          expect = { id = "g1", status = "PENDING" } },
        { call = "poll", job = { id = "g1" }, expect = { get = "/v2/generate/g1" } },
        { call = "polled", job = { id = "g1" },
          reply = { status = 200, headers = {},
                    json = { id = "g1", status = "COMPLETED", outputUrl = "https://cdn/o?s=1" } },
          expect = { id = "g1", status = "COMPLETED", output = { video = { url = "https://cdn/o?s=1" } } } },
        { call = "polled", job = { id = "g1" },
          reply = { status = 200, headers = {}, json = { id = "g1", status = "REJECTED", error = "moderation" } },
          expect = { error = { code = "content_policy_violation", detail = "moderation" } } },
        { call = "polled", job = { id = "g1" },
          reply = { status = 200, headers = {}, json = { id = "g1", status = "DREAMING" } },
          expect = { id = "g1", status = "DREAMING" } },
        { call = "hook", event = { verified = true, headers = {}, json = { id = "g1", status = "COMPLETED" } },
          expect = null },
        { call = "failure", reply = { status = 402, headers = {}, json = { message = "Pay" } },
          expect = { code = "quota_exceeded", scope = "account", taken = false, retryable = false } },
        { call = "failure",
          reply = { status = 429, headers = { ["retry-after"] = "7" }, json = { statusCode = 429 } },
          expect = { code = "resource_exhausted", scope = "capacity", taken = false, delay = 7 } },
    },
}
