-- ElevenLabs speech to text: a form with a file in it, one field several times. The answer is the transcript, or, where
-- a webhook was asked for, the id under which it will be; the webhook brings it whole.

local function words_of(detail)
    if type(detail) == "table" then
        return detail.message or (detail[1] and detail[1].msg)
    end
    return detail
end

return {
    url = "https://api.elevenlabs.io",
    urls = { eu = "https://api.eu.residency.elevenlabs.io" },
    inputs = "files",
    timeout = 1800,
    signature = { scheme = "timestamped", header = "elevenlabs-signature", version = "v0", tolerance = 1800 },

    auth = function(key) return { ["xi-api-key"] = key } end,
    submit = function(task)
        local p = task.input
        local parts = { { name = "model_id", value = "scribe_v2" }, { name = "file", file = "audio_url" } }
        for _, name in ipairs{ "language_code", "diarize", "tag_audio_events" } do
            if p[name] ~= nil then
                parts[#parts + 1] = { name = name, value = tostring(p[name]) }
            end
        end
        for _, term in ipairs(p.keyterms or {}) do
            parts[#parts + 1] = { name = "keyterms", value = term }
        end
        if task.route.webhook then
            parts[#parts + 1] = { name = "webhook", value = "true" }
        end
        return { post = "/v1/speech-to-text", base = task.route.region, multipart = parts }
    end,
    accepted = function(reply)
        if reply.json.text then
            return { output = reply.json }
        end
        return { id = reply.json.transcription_id, status = "processing" }
    end,
    poll = function(job) return { get = "/v1/speech-to-text/transcripts/" .. job.id,
                                  base = job.task.route.region } end,
    polled = function(reply) return { output = reply.json } end,
    hook = function(event)
        local data = event.json.data
        return { id = data.transcription_id, output = data.transcription }
    end,
    failure = function(reply, job)
        if job and reply.status == 404 then
            return { code = "service_unavailable", again = true }
        elseif reply.status ~= 422 then
            return nil
        end
        return { code = "invalid_parameters", message = words_of(reply.json.detail), taken = false }
    end,

    samples = {
        { call = "auth", key = "fake", expect = { ["xi-api-key"] = "fake" } },
        { call = "submit",
          task = { route = { region = "eu" }, input = { audio_url = "https://cdn/a.mp3", diarize = true,
                                                        keyterms = { "Fennec", "Lua" } } },
          expect = { post = "/v1/speech-to-text", base = "eu",
                     multipart = { { name = "model_id", value = "scribe_v2" }, { name = "file", file = "audio_url" },
                                   { name = "diarize", value = "true" }, { name = "keyterms", value = "Fennec" },
                                   { name = "keyterms", value = "Lua" } } } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { text = "Hi", words = array{} } },
          expect = { output = { text = "Hi", words = array{} } } },
        { call = "accepted",
          reply = { status = 200, headers = {}, json = { message = "Accepted", transcription_id = "t1" } },
          expect = { id = "t1", status = "processing" } },
        { call = "poll", job = { id = "t1", task = { route = {} } },
          expect = { get = "/v1/speech-to-text/transcripts/t1" } },
        -- not there yet: 404, which is no end
        { call = "failure", job = { id = "t1" }, reply = { status = 404, headers = {}, json = { detail = "?" } },
          expect = { code = "service_unavailable", again = true } },
        { call = "polled", job = { id = "t1" },
          reply = { status = 200, headers = {}, json = { text = "Hi", words = array{} } },
          expect = { output = { text = "Hi", words = array{} } } },
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { type = "speech_to_text_transcription",
                             data = { transcription_id = "t1", transcription = { text = "Hi" } } } },
          expect = { id = "t1", output = { text = "Hi" } } },
        { call = "failure",
          reply = { status = 422, headers = {},
                    json = { detail = { { loc = { "file" }, msg = "no sound", type = "x" } } } },
          expect = { code = "invalid_parameters", message = "no sound", taken = false } },
        { call = "failure", reply = { status = 500, headers = {}, text = "" }, expect = null },
    },
}
