-- Veo: a long-running operation. Its id is a path; it is over when `done` is there; success may hold nothing because
-- it was filtered; the file is behind the key and a redirect.

local FILE = "https://generativelanguage.googleapis.com/v1beta/files/f:download"
local OPERATION = "models/veo-3.1/operations/op-1"

local CODES = { [3] = "invalid_parameters", [8] = "resource_exhausted", [14] = "service_unavailable" }

local function step_of(body)
    if not body.done then
        return { status = "processing", progress = body.metadata and body.metadata.progressPercent or nil }
    end
    if body.error then
        return { error = { code = CODES[body.error.code] or "service_error", detail = body.error.message } }
    end
    local made = body.response.generateVideoResponse
    if not made.generatedSamples and (made.raiMediaFilteredCount or 0) > 0 then
        return { error = { code = "content_policy_violation", detail = made.raiMediaFilteredReasons[1] } }
    end
    local videos = array{}
    for i, item in ipairs(made.generatedSamples) do
        videos[i] = { url = item.video.uri, auth = true }
    end
    return { output = { videos = videos } }
end

return {
    url = "https://generativelanguage.googleapis.com/v1beta",
    signature = { scheme = "standard" },

    auth = function(key) return { ["x-goog-api-key"] = key } end,
    submit = function(task)
        return { post = "/models/" .. task.target .. ":predictLongRunning", json = task.input }
    end,
    accepted = function(reply) return { id = reply.json.name } end,
    poll = function(job) return { get = "/" .. job.id } end,
    polled = function(reply) return step_of(reply.json) end,
    hook = function() return nil end, -- names the operation and says no more
    cancel = function(job) return { post = "/" .. job.id .. ":cancel", json = {} } end,

    samples = {
        { call = "auth", key = "fake", expect = { ["x-goog-api-key"] = "fake" } },
        { call = "submit", task = { target = "veo-3.1", input = { instances = { { prompt = "x" } } } },
          expect = { post = "/models/veo-3.1:predictLongRunning", json = { instances = { { prompt = "x" } } } } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { name = OPERATION } },
          expect = { id = OPERATION } },
        { call = "poll", job = { id = OPERATION }, expect = { get = "/" .. OPERATION } },
        { call = "polled", job = { id = OPERATION },
          reply = { status = 200, headers = {}, json = { name = OPERATION } },
          expect = { status = "processing" } },
        { call = "polled", job = { id = OPERATION },
          reply = { status = 200, headers = {},
                    json = { name = OPERATION, done = true,
                             response = { generateVideoResponse = { generatedSamples = {
                                 { video = { uri = FILE } },
                             } } } } },
          expect = { output = { videos = {
              { url = FILE, auth = true } } } } },
        { call = "polled", job = { id = OPERATION },
          reply = { status = 200, headers = {},
                    json = { done = true, response = { generateVideoResponse = {
                        raiMediaFilteredCount = 1, raiMediaFilteredReasons = { "filtered" } } } } },
          expect = { error = { code = "content_policy_violation", detail = "filtered" } } },
        { call = "polled", job = { id = OPERATION },
          reply = { status = 200, headers = {}, json = { done = true, error = { code = 3, message = "bad ratio" } } },
          expect = { error = { code = "invalid_parameters", detail = "bad ratio" } } },
        { call = "hook",
          event = { verified = true, headers = {}, json = { type = "video.generated", data = { id = OPERATION } } },
          expect = null },
        { call = "cancel", job = { id = OPERATION }, expect = { post = "/" .. OPERATION .. ":cancel", json = {} } },
    },
}
