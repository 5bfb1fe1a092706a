-- OpenAI speech: JSON in, sound out. The body itself becomes a file.

return {
    url = "https://api.openai.com/v1",
    timeout = 120,

    auth = function(key) return { Authorization = "Bearer " .. key } end,
    submit = function(task) return { post = "/audio/speech", json = task.input, binary = true } end,
    accepted = function(reply)
        if not reply.file then
            return { error = { code = "generation_failed_no_content", detail = "no sound in the answer" } }
        end
        return { output = { audio = { file = reply.file, content_type = reply.headers["content-type"] } } }
    end,

    samples = {
        { call = "auth", key = "fake", expect = { Authorization = "Bearer fake" } },
        { call = "submit", task = { input = { model = "tts-1", voice = "alloy", input = "Hi" } },
          expect = { post = "/audio/speech", binary = true,
                     json = { model = "tts-1", voice = "alloy", input = "Hi" } } },
        { call = "accepted",
          reply = { status = 200, headers = { ["content-type"] = "audio/mpeg" }, file = "reply.bin" },
          expect = { output = { audio = { file = "reply.bin", content_type = "audio/mpeg" } } } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { text = "?" } },
          expect = { error = { code = "generation_failed_no_content", detail = "no sound in the answer" } } },
    },
}
