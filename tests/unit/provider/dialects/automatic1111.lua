-- A Stable Diffusion web UI on a machine of one's own: user and password, one picture at a time, an answer that comes
-- when everything is done and has JSON text inside its JSON.

return {
    url = "http://127.0.0.1:7860",
    concurrency = 1,
    timeout = 1800,

    auth = function(key)
        local user, password = key:match("^(.-):(.*)$")
        return { basic = { user, password } }
    end,
    submit = function(task) return { post = "/sdapi/v1/" .. task.target, json = task.input } end,
    accepted = function(reply)
        local images, info = array{}, from_json(reply.json.info) or {}
        for i, picture in ipairs(reply.json.images) do
            images[i] = { base64 = picture, seed = info.all_seeds and info.all_seeds[i] }
        end
        return { output = { images = images } }
    end,

    samples = {
        { call = "auth", key = "me:secret:with:colons", expect = { basic = { "me", "secret:with:colons" } } },
        { call = "submit", task = { target = "txt2img", input = { prompt = "x", steps = 20 } },
          expect = { post = "/sdapi/v1/txt2img", json = { prompt = "x", steps = 20 } } },
        { call = "accepted",
          reply = { status = 200, headers = {},
                    json = { images = { "AA==", "AQ==" }, info = '{"all_seeds":[7,8]}', parameters = {} } },
          expect = { output = { images = { { base64 = "AA==", seed = 7 }, { base64 = "AQ==", seed = 8 } } } } },
        { call = "accepted",
          reply = { status = 200, headers = {}, json = { images = { "AA==" }, info = "not JSON" } },
          expect = { output = { images = { { base64 = "AA==" } } } } },
    },
}
