-- A Cog worker: the id is ours and creating twice is creating once, so after a crash the job is simply looked up. What
-- a model puts out is a text, a list or a table.

local function step_of(job)
    if job.status == "failed" or job.status == "canceled" then
        return { error = { code = job.status == "canceled" and "request_cancelled" or "generation_failed",
                           detail = job.error } }
    end
    local output = job.output
    if type(output) ~= "table" then
        output = { file = output }
    elseif output[1] then
        output = { files = output }
    end
    return { id = job.id, status = job.status, output = job.status == "succeeded" and output or nil,
             cost = job.status == "succeeded" and job.metrics and job.metrics.predict_time or nil }
end

local ID = "/predictions/f-1"

return {
    url = "http://127.0.0.1:5000",
    statuses = { starting = "pending", processing = "processing", succeeded = "completed" },
    signature = { scheme = "standard" },
    inputs = "inline",

    submit = function(task)
        return { put = "/predictions/" .. task.external_id, headers = { Prefer = "respond-async" },
                 json = { input = task.input, webhook = task.callback_url } }
    end,
    accepted = function(reply) return step_of(reply.json) end,
    poll = function(job) return { get = "/predictions/" .. job.id } end,
    polled = function(reply) return step_of(reply.json) end,
    cancel = function(job) return { post = "/predictions/" .. job.id .. "/cancel" } end,
    cancelled = function(reply)
        if reply.status == 200 then
            return { error = { code = "request_cancelled" } }
        end
    end,
    lookup = function(task) return { get = "/predictions/" .. task.external_id } end,
    found = function(reply) return step_of(reply.json) end,
    hook = function(event) return step_of(event.json) end,

    samples = {
        { call = "submit",
          task = { external_id = "f-1", input = { prompt = "x" }, callback_url = "https://u.example.com/h" },
          expect = { put = ID, headers = { Prefer = "respond-async" },
                     json = { input = { prompt = "x" }, webhook = "https://u.example.com/h" } } },
        { call = "accepted", reply = { status = 202, headers = {}, json = { id = "f-1", status = "starting" } },
          expect = { id = "f-1", status = "starting" } },
        { call = "poll", job = { id = "f-1" }, expect = { get = ID } },
        { call = "polled", job = { id = "f-1" },
          reply = { status = 200, headers = {},
                    json = { id = "f-1", status = "succeeded", output = "https://cdn/o.png",
                                                         metrics = { predict_time = 3.5 } } },
          expect = { id = "f-1", status = "succeeded", output = { file = "https://cdn/o.png" }, cost = 3.5 } },
        { call = "polled", job = { id = "f-1" },
          reply = { status = 200, headers = {}, json = { id = "f-1", status = "succeeded", output = { "a", "b" } } },
          expect = { id = "f-1", status = "succeeded", output = { files = { "a", "b" } } } },
        { call = "cancel", job = { id = "f-1" }, expect = { post = ID .. "/cancel" } },
        { call = "cancelled", job = { id = "f-1" }, reply = { status = 200, headers = {}, json = {} },
          expect = { error = { code = "request_cancelled" } } },
        { call = "cancelled", job = { id = "f-1" }, reply = { status = 404, headers = {}, json = {} },
          expect = null },
        { call = "lookup", task = { external_id = "f-1" }, expect = { get = ID } },
        { call = "found", task = {},
          reply = { status = 200, headers = {}, json = { id = "f-1", status = "processing" } },
          expect = { id = "f-1", status = "processing" } },
        { call = "hook",
          event = { verified = true, headers = {}, json = { id = "f-1", status = "failed", error = "OOM" } },
          expect = { error = { code = "generation_failed", detail = "OOM" } } },
    },
}
