-- Sora 2: a character from a video, to be named in later prompts. Its origin has withdrawn it; gateways that speak the
-- same dialect still make characters.

local CLIP = "https://cdn.example.com/mascot.mp4"

model "sora-2-character" {
    type = "video", summary = "A character for Sora videos, from a video of it", estimated = 30, timeout = 600,
    params = {
        video_url = url{ "video", required, min_side = 720, max_ratio = 2.7 },
        name = text{ required, min = 1, max = 80 },
    },
    routes = { ["openai-videos"] = { target = "/videos/characters", files = { video = "video_url" } } },
    simulate = function(p)
        return { id = string.format("char_%08x", hash(p.video_url .. p.name)), name = p.name }
    end,
    results = function(out, p)
        return { { character_id = out.id or error("the answer has no id"), name = out.name or p.name } }
    end,
    samples = {
        { input = { video_url = CLIP, name = "Foxy" }, valid = { video_url = CLIP, name = "Foxy" }, price = 0,
          upstream = { ["openai-videos"] = { video_url = CLIP, name = "Foxy" } },
          output = { id = "char_abc", name = "Foxy" }, results = { { character_id = "char_abc", name = "Foxy" } } },
        { input = { video_url = CLIP }, refused = { code = "missing_field", param = "name" } },
        { input = { video_url = CLIP, name = string.rep("x", 81) }, refused = { code = "too_long", param = "name" } },
    },
}
