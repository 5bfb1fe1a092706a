-- Kling, second generation: one question about many jobs, ids of ours to find a job by, the bill in the answer.

local function step_of(task)
    if task.status == "failed" then
        return { error = { code = "generation_failed", detail = task.message } }
    end
    local bill = task.billing and task.billing[1]
    return { id = task.id, status = task.status,
             output = task.status == "succeeded" and { outputs = task.outputs } or nil,
             cost = bill and bill.amount or nil }
end

local function refused(body)
    return body.code ~= 0 and { error = { code = "service_error", detail = "code " .. tostring(body.code),
                                          taken = false } }
end

return {
    url = "https://api-singapore.klingai.com",
    statuses = { submitted = "pending", succeeded = "completed" },
    signature = { scheme = "standard" },
    poll_first = 5, poll_min = 2, poll_factor = 1.5, poll_max = 15, poll_many_max = 20,
    concurrency = 100, key_concurrency = 20,

    auth = function(key) return { Authorization = "Bearer " .. key } end,
    submit = function(task)
        local body = { options = { callback_url = task.callback_url, external_task_id = task.external_id } }
        for name, value in pairs(task.input) do body[name] = value end
        return { post = "/" .. task.target, json = body }
    end,
    accepted = function(reply) return refused(reply.json) or step_of(reply.json.data) end,

    poll = function(job) return { get = "/tasks", query = { task_ids = job.id } } end,
    polled = function(reply)
        local task = reply.json.data[1]
        return task and step_of(task) or { error = { code = "resource_not_found", detail = "no such task" } }
    end,
    poll_many = function(jobs)
        local ids = {}
        for i, job in ipairs(jobs) do ids[i] = job.id end
        return { get = "/tasks", query = { task_ids = table.concat(ids, ",") } }
    end,
    polled_many = function(reply)
        local steps = {}
        for _, task in ipairs(reply.json.data) do steps[task.id] = step_of(task) end
        return steps
    end,

    lookup = function(task) return { get = "/tasks", query = { external_task_ids = task.external_id } } end,
    found = function(reply) return reply.json.data[1] and step_of(reply.json.data[1]) or nil end,
    hook = function(event)
        local step = step_of(event.json)
        step.id = event.json.id
        return step
    end,

    samples = {
        { call = "auth", key = "fake", expect = { Authorization = "Bearer fake" } },
        { call = "submit",
          task = { target = "text-to-video/kling-3.0", external_id = "f-1", callback_url = "https://u.example.com/h",
                   input = { contents = { { type = "prompt", text = "x" } } } },
          expect = { post = "/text-to-video/kling-3.0",
                     json = { contents = { { type = "prompt", text = "x" } },
                              options = { callback_url = "https://u.example.com/h", external_task_id = "f-1" } } } },
        { call = "accepted",
          reply = { status = 200, headers = {}, json = { code = 0, data = { id = "t1", status = "submitted" } } },
          expect = { id = "t1", status = "submitted" } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { code = 1303, message = "Parallel" } },
          expect = { error = { code = "service_error", detail = "code 1303", taken = false } } },
        { call = "poll", job = { id = "t1" }, expect = { get = "/tasks", query = { task_ids = "t1" } } },
        { call = "polled", job = { id = "t1" },
          reply = { status = 200, headers = {}, json = { code = 0, data = array{} } },
          expect = { error = { code = "resource_not_found", detail = "no such task" } } },
        { call = "poll_many", jobs = { { id = "t1" }, { id = "t2" }, { id = "t3" } },
          expect = { get = "/tasks", query = { task_ids = "t1,t2,t3" } } },
        { call = "polled_many", jobs = { { id = "t1" }, { id = "t2" }, { id = "t3" } },
          reply = { status = 200, headers = {},
                    json = { code = 0,
                             data = { { id = "t2", status = "processing" },
                                      { id = "t1", status = "succeeded", billing = { { amount = "0.7" } },
                                        outputs = { { type = "video", url = "https://cdn/v.mp4" } } } } } },
          expect = { t1 = { id = "t1", status = "succeeded", cost = "0.7",
                            output = { outputs = { { type = "video", url = "https://cdn/v.mp4" } } } },
                     t2 = { id = "t2", status = "processing" } } },
        { call = "lookup", task = { external_id = "f-1" },
          expect = { get = "/tasks", query = { external_task_ids = "f-1" } } },
        { call = "found", task = {}, reply = { status = 200, headers = {}, json = { code = 0, data = array{} } },
          expect = null },
        { call = "found", task = {},
          reply = { status = 200, headers = {},
                    json = { code = 0, data = { { id = "t1", status = "processing" } } } },
          expect = { id = "t1", status = "processing" } },
        { call = "hook", event = { verified = true, headers = {}, json = { id = "t1", status = "processing" } },
          expect = { id = "t1", status = "processing" } },
    },
}
