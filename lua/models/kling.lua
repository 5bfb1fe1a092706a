-- Kling: a custom voice for its video models. The voice's id lives long and is a parameter of later tasks.

model "kling-video-create-voice" {
    type = "video", summary = "A voice for Kling videos, from a recording", estimated = 30, timeout = 600,
    params = {
        voice_url = url{ "audio", required, min_seconds = 5, max_seconds = 30 },
    },
    routes = { fal = { target = "fal-ai/kling-video/create-voice" } },
    simulate = function(p)
        return { voice_id = string.format("%09d", hash(p.voice_url) % 1000000000) }
    end,
    results = function(out)
        return { { voice_id = out.voice_id or error("the answer has no voice_id") } }
    end,
    samples = {
        { input = { voice_url = "https://cdn.example.com/me.mp3" },
          valid = { voice_url = "https://cdn.example.com/me.mp3" },
          price = 5, upstream = { fal = { voice_url = "https://cdn.example.com/me.mp3" } },
          output = { voice_id = "829261187" }, results = { { voice_id = "829261187" } } },
        { input = {}, refused = { code = "missing_field", param = "voice_url" } },
        { input = { voice_url = 7 }, refused = { code = "invalid_type", param = "voice_url" } },
    },
}
