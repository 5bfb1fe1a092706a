-- ComfyUI on a machine of one's own: a job is in the history when it is over, in the queue before, and in neither when
-- the server has lost it; results are files to be fetched by their names.

local function files_of(outputs, job)
    local images = array{}
    for _, node in pairs(outputs) do
        for _, file in ipairs(node.images or {}) do
            images[#images + 1] = { url = string.format("%s/view?filename=%s&subfolder=%s&type=%s", job.url,
                                                        url_encode(file.filename), url_encode(file.subfolder),
                                                        url_encode(file.type)) }
        end
    end
    return { images = images }
end

local function has(queue, id)
    for _, entry in ipairs(queue) do
        if entry[2] == id then
            return true
        end
    end
    return false
end

local JOB = { id = "f-1", url = "http://127.0.0.1:8188" }

return {
    url = "http://127.0.0.1:8188",
    concurrency = 2,

    submit = function(task)
        return { post = "/prompt", json = { prompt = task.input, prompt_id = task.external_id } }
    end,
    accepted = function(reply) return { id = reply.json.prompt_id, status = "pending" } end,
    poll = function(job) return { get = "/history/" .. job.id } end,
    polled = function(reply, job)
        local entry = reply.json[job.id]
        if not entry then
            return { step = "queue", next = { get = "/queue" } }
        end
        if entry.status.status_str == "error" then
            return { error = { code = "generation_failed" } }
        end
        return { output = files_of(entry.outputs, job) }
    end,
    output = function(reply, job)
        if has(reply.json.queue_running, job.id) then
            return { status = "processing" }
        elseif has(reply.json.queue_pending, job.id) then
            return { status = "pending" }
        end
        return { error = { code = "generation_failed", detail = "neither in the history nor in the queue",
                           retryable = true } }
    end,
    cancel = function(job) return { post = "/queue", json = { delete = { job.id } } } end,
    lookup = function(task) return { get = "/history/" .. task.external_id } end,
    found = function(reply, task) return reply.json[task.external_id] and { id = task.external_id } or nil end,

    samples = {
        { call = "submit", task = { external_id = "f-1", input = { ["3"] = { class_type = "KSampler" } } },
          expect = { post = "/prompt",
                     json = { prompt_id = "f-1", prompt = { ["3"] = { class_type = "KSampler" } } } } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { prompt_id = "f-1", number = 4 } },
          expect = { id = "f-1", status = "pending" } },
        { call = "poll", job = JOB, expect = { get = "/history/f-1" } },
        { call = "polled", job = JOB, reply = { status = 200, headers = {}, json = {} },
          expect = { step = "queue", next = { get = "/queue" } } },
        { call = "output", job = JOB,
          reply = { status = 200, headers = {},
                    json = { queue_running = array{}, queue_pending = { { 7, "f-1", {} } } } },
          expect = { status = "pending" } },
        { call = "output", job = JOB,
          reply = { status = 200, headers = {}, json = { queue_running = array{}, queue_pending = array{} } },
          expect = { error = { code = "generation_failed", detail = "neither in the history nor in the queue",
                               retryable = true } } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {},
                    json = { ["f-1"] = { status = { status_str = "success", completed = true },
                                         outputs = { ["9"] = { images = { { filename = "a b.png", subfolder = "",
                                                                            type = "output" } } } } } } },
          expect = { output = { images = {
              { url = "http://127.0.0.1:8188/view?filename=a%20b.png&subfolder=&type=output" } } } } },
        { call = "cancel", job = JOB, expect = { post = "/queue", json = { delete = { "f-1" } } } },
        { call = "lookup", task = { external_id = "f-1" }, expect = { get = "/history/f-1" } },
        { call = "found", task = { external_id = "f-1" }, reply = { status = 200, headers = {}, json = {} },
          expect = null },
    },
}
