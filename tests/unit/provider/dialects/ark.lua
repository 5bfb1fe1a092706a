-- Ark: several regions, a DELETE that cancels what waits and forgets what has ended, so that only a job that waits may
-- be cancelled; callbacks without signature.

local ENDED = { expired = "generation_timeout", cancelled = "request_cancelled" }

local function step_of(task)
    if task.status == "failed" or task.status == "expired" or task.status == "cancelled" then
        return { error = { code = ENDED[task.status] or "generation_failed",
                           detail = type(task.error) == "table" and task.error.message or task.status } }
    end
    local done = task.status == "succeeded"
    return { status = task.status, state = { waits = task.status == "queued" },
             cost = done and task.usage.total_tokens or nil,
             output = done and { video = { url = task.content.video_url }, seed = task.seed } or nil }
end

local BUSY = { ServerOverloaded = true, InternalServiceError = true,
               ["RateLimitExceeded.EndpointRPMExceeded"] = true }

return {
    url = "https://ark.cn-beijing.volces.com/api/v3",
    urls = { asia = "https://ark.ap-southeast.bytepluses.com/api/v3",
             europe = "https://ark.eu-west.bytepluses.com/api/v3" },
    statuses = { queued = "pending", running = "processing", succeeded = "completed" },

    auth = function(key) return { Authorization = "Bearer " .. key } end,
    submit = function(task)
        local body = { model = task.target, callback_url = task.callback_url }
        for name, value in pairs(task.input) do body[name] = value end
        return { post = "/contents/generations/tasks", base = task.route.region, json = body }
    end,
    accepted = function(reply) return { id = reply.json.id, status = "queued", state = { waits = true } } end,
    poll = function(job) return { get = "/contents/generations/tasks/" .. job.id, base = job.task.route.region } end,
    polled = function(reply) return step_of(reply.json) end,
    cancel = function(job)
        return job.state.waits and { delete = "/contents/generations/tasks/" .. job.id,
                                     base = job.task.route.region } or nil
    end,
    hook = function() return nil end,
    failure = function(reply, job)
        local err = reply.json and reply.json.error
        if not err then
            return nil
        elseif err.code == "AccountOverdueError" or err.code == "QuotaExceeded" then
            return { code = "quota_exceeded", scope = "account", taken = job ~= nil, detail = err.code }
        elseif BUSY[err.code] then
            return { code = "resource_exhausted", scope = "capacity", taken = job ~= nil, detail = err.code }
        end
    end,

    samples = {
        { call = "auth", key = "fake", expect = { Authorization = "Bearer fake" } },
        { call = "submit",
          task = { target = "seedance-2-0", route = { region = "asia" },
                   input = { content = { { type = "text", text = "x" } } } },
          expect = { post = "/contents/generations/tasks", base = "asia",
                     json = { model = "seedance-2-0", content = { { type = "text", text = "x" } } } } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { id = "cgt-1" } },
          expect = { id = "cgt-1", status = "queued", state = { waits = true } } },
        { call = "poll", job = { id = "cgt-1", state = { waits = true }, task = { route = {} } },
          expect = { get = "/contents/generations/tasks/cgt-1" } },
        { call = "polled", job = { id = "cgt-1" },
          reply = { status = 200, headers = {}, json = { id = "cgt-1", status = "running", error = null } },
          expect = { status = "running", state = { waits = false } } },
        { call = "polled", job = { id = "cgt-1" },
          reply = { status = 200, headers = {},
                    json = { status = "succeeded", content = { video_url = "https://cdn/v.mp4" }, seed = 7,
                             usage = { total_tokens = 108900 } } },
          expect = { status = "succeeded", cost = 108900, state = { waits = false },
                     output = { video = { url = "https://cdn/v.mp4" }, seed = 7 } } },
        { call = "polled", job = { id = "cgt-1" },
          reply = { status = 200, headers = {}, json = { status = "expired", error = null } },
          expect = { error = { code = "generation_timeout", detail = "expired" } } },
        { call = "cancel", job = { id = "cgt-1", state = { waits = true }, task = { route = { region = "europe" } } },
          expect = { delete = "/contents/generations/tasks/cgt-1", base = "europe" } },
        { call = "cancel", job = { id = "cgt-1", state = { waits = false }, task = { route = {} } }, expect = null },
        { call = "hook", event = { verified = false, headers = {}, json = { id = "cgt-1", status = "succeeded" } },
          expect = null },
        { call = "failure",
          reply = { status = 429, headers = {}, json = { error = { code = "ServerOverloaded", message = "Later" } } },
          expect = { code = "resource_exhausted", scope = "capacity", taken = false, detail = "ServerOverloaded" } },
    },
}
