-- OpenAI images: the answer to the submission is the result, pictures inside it as base64 or behind URLs.

return {
    url = "https://api.openai.com/v1",
    timeout = 300,

    auth = function(key) return { Authorization = "Bearer " .. key } end,
    submit = function(task) return { post = "/images/generations", json = task.input } end,
    accepted = function(reply)
        local images = array{}
        for i, item in ipairs(reply.json.data) do
            images[i] = { base64 = item.b64_json, url = item.url }
        end
        return { output = { images = images }, cost = reply.json.usage and reply.json.usage.total_tokens }
    end,

    samples = {
        { call = "auth", key = "fake", expect = { Authorization = "Bearer fake" } },
        { call = "submit", task = { input = { model = "gpt-image-2", prompt = "x", n = 2 } },
          expect = { post = "/images/generations", json = { model = "gpt-image-2", prompt = "x", n = 2 } } },
        { call = "accepted",
          reply = { status = 200, headers = {},
                    json = { created = 1, data = { { b64_json = "iVBORw0KGgo=" }, { url = "https://cdn/2.png" } },
                             usage = { total_tokens = 4200 } } },
          expect = { output = { images = { { base64 = "iVBORw0KGgo=" }, { url = "https://cdn/2.png" } } },
                     cost = 4200 } },
    },
}
