-- A service of the older kind: forms, the key in the query, a status that is a number, an answer that is plain text.

local STATES = { ["0"] = "pending", ["1"] = "processing" }

return {
    url = "https://legacy.example.com",
    hosts = { "*.files.example.com" },

    auth = function(key) return { query = { key = key } } end,
    submit = function(task) return { post = "/enqueue.php",
                                     form = { prompt = task.input.prompt, notify = task.callback_url } } end,
    accepted = function(reply)
        local id = reply.text and reply.text:match("^OK (%d+)%s*$")
        return id and { id = id, status = "pending" }
            or { error = { code = "service_error", detail = reply.text, taken = false } }
    end,
    poll = function(job) return { post = "/state.php", form = { id = job.id } } end,
    polled = function(reply)
        local state, place = reply.text:match("^(%d) ?(%S*)")
        if state == "2" then
            return { output = { image = { url = place } } }
        end
        return STATES[state] and { status = STATES[state] }
            or { error = { code = "generation_failed", detail = reply.text } }
    end,

    samples = {
        { call = "auth", key = "fake", expect = { query = { key = "fake" } } },
        { call = "submit", task = { input = { prompt = "x" } },
          expect = { post = "/enqueue.php", form = { prompt = "x" } } },
        { call = "accepted", reply = { status = 200, headers = {}, text = "OK 18446744073709551617\n" },
          expect = { id = "18446744073709551617", status = "pending" } },
        { call = "accepted", reply = { status = 200, headers = {}, text = "ERR full" },
          expect = { error = { code = "service_error", detail = "ERR full", taken = false } } },
        { call = "poll", job = { id = "7" }, expect = { post = "/state.php", form = { id = "7" } } },
        { call = "polled", job = { id = "7" }, reply = { status = 200, headers = {}, text = "1" },
          expect = { status = "processing" } },
        { call = "polled", job = { id = "7" },
          reply = { status = 200, headers = {}, text = "2 https://a.files.example.com/7" },
          expect = { output = { image = { url = "https://a.files.example.com/7" } } } },
        { call = "polled", job = { id = "7" }, reply = { status = 200, headers = {}, text = "9 out of memory" },
          expect = { error = { code = "generation_failed", detail = "9 out of memory" } } },
    },
}
