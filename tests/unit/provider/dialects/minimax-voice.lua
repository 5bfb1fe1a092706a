-- MiniMax voices: a file is uploaded first, and its id goes into the submission, which answers at once. The voice's id
-- is ours to choose, so it follows from the attempt.

local OK = { status_code = 0, status_msg = "success" }

local function voice(task)
    return "fennec" .. task.external_id
end

return {
    url = "https://api.minimax.io",
    inputs = "files",

    auth = function(key) return { Authorization = "Bearer " .. key } end,
    -- The upload makes nothing that costs, so it may be repeated.
    submit = function()
        return { post = "/v1/files/upload", paid = false,
                 multipart = { { name = "purpose", value = "voice_clone" }, { name = "file", file = "audio_url" } } }
    end,
    accepted = function(reply, job)
        local body, task = reply.json, job.task
        if body.base_resp.status_code ~= 0 then
            return { error = { code = "service_error", detail = body.base_resp.status_msg, taken = false } }
        end
        if job.step ~= "clone" then
            return { step = "clone",
                     next = { post = "/v1/voice_clone", json = { file_id = body.file.file_id, voice_id = voice(task),
                                                                 text = task.input.text } } }
        end
        return { output = { custom_voice_id = voice(task), audio = body.demo_audio and { url = body.demo_audio } } }
    end,

    samples = {
        { call = "auth", key = "fake", expect = { Authorization = "Bearer fake" } },
        { call = "submit", task = { input = { audio_url = "https://cdn/a.wav" } },
          expect = { post = "/v1/files/upload", paid = false,
                     multipart = { { name = "purpose", value = "voice_clone" },
                                   { name = "file", file = "audio_url" } } } },
        { call = "accepted", job = { task = { external_id = "7f", input = { text = "Hello" } } },
          reply = { status = 200, headers = {}, json = { file = { file_id = 205258526306433 }, base_resp = OK } },
          expect = { step = "clone",
                     next = { post = "/v1/voice_clone", json = { file_id = 205258526306433, text = "Hello",
                                                                                 voice_id = "fennec7f" } } } },
        { call = "accepted", job = { step = "clone", task = { external_id = "7f", input = {} } },
          reply = { status = 200, headers = {}, json = { demo_audio = "https://cdn/d.mp3", base_resp = OK } },
          expect = { output = { custom_voice_id = "fennec7f", audio = { url = "https://cdn/d.mp3" } } } },
        { call = "accepted", job = { step = "clone", task = { external_id = "7f", input = {} } },
          reply = { status = 200, headers = {},
                    json = { base_resp = { status_code = 2038, status_msg = "real name" } } },
          expect = { error = { code = "service_error", detail = "real name", taken = false } } },
    },
}
