-- Lip synchronisation: a video's mouth follows a sound.

local function parameters(tunable)
    local params = {
        video_url = url{ "video", required },
        audio_url = url{ "audio", required },
        sync_mode = choice{ "bounce", "loop", "cut_off", "silence", "remap", default = "loop" },
    }
    if tunable then
        params.temperature = number{ min = 0, max = 1, nullable }
        params.active_speaker = boolean{ nullable }
    end
    return params
end

local function simulate(p)
    return { video = sample.video{ seconds = 4, seed = hash(p.video_url .. p.audio_url) } }
end

local function results(out)
    return { { url = artifact(out.video) } }
end

local VIDEO, AUDIO = "https://cdn.example.com/face.mp4", "https://cdn.example.com/line.wav"
local SYNCED = "https://v3b.fal.media/files/b/sync/out.mp4"

local function samples(price, name, tunable)
    local upstream = { video_url = VIDEO, audio_url = AUDIO, sync_mode = "loop", model = name }
    local list = {
        { input = { video_url = VIDEO, audio_url = AUDIO },
          valid = { video_url = VIDEO, audio_url = AUDIO, sync_mode = "loop" },
          price = price, upstream = { fal = upstream }, output = { video = { url = SYNCED } },
          results = { { url = SYNCED } } },
        { input = { video_url = VIDEO, audio_url = AUDIO, sync_mode = "stretch" },
          refused = { code = "not_allowed_value", param = "sync_mode" } },
        { input = { video_url = VIDEO, audio_url = "line.wav" },
          refused = { code = "invalid_url", param = "audio_url" } },
    }
    if tunable then
        list[#list + 1] = { input = { video_url = VIDEO, audio_url = AUDIO, temperature = 0.5, active_speaker = true,
                                      sync_mode = "cut_off" },
                            upstream = { fal = { video_url = VIDEO, audio_url = AUDIO, sync_mode = "cut_off",
                                                 model = name } } }
        list[#list + 1] = { input = { video_url = VIDEO, audio_url = AUDIO, temperature = 1.5 },
                            refused = { code = "out_of_range", param = "temperature" } }
    else
        list[#list + 1] = { input = { video_url = VIDEO, audio_url = AUDIO, temperature = 0.5 },
                            refused = { code = "unsupported_advanced_options", param = "temperature" } }
        list[#list + 1] = { input = { video_url = VIDEO, audio_url = AUDIO, active_speaker = false },
                            refused = { code = "unsupported_advanced_options", param = "active_speaker" } }
        list[#list + 1] = { input = { video_url = VIDEO, audio_url = AUDIO, temperature = null },
                            valid = { video_url = VIDEO, audio_url = AUDIO, sync_mode = "loop" } }
        list[#list + 1] = { input = { video_url = VIDEO, audio_url = AUDIO, loop = true },
                            refused = { code = "unknown_field", param = "loop" } }
    end
    return list
end

-- fal_model: the service's v2 endpoint serves two models and is told which; the others serve one. None of them takes
-- temperature or active_speaker: fal decides both.
local function lipsync(name, summary, target, fal_model, tunable, price)
    model(name) {
        type = "video", summary = summary, estimated = 120, timeout = 1800,
        params = parameters(tunable),
        rules = not tunable and { lacks{ "temperature", "active_speaker" } } or nil,
        routes = { fal = {
            target = target,
            input = function(p)
                return { video_url = p.video_url, audio_url = p.audio_url, sync_mode = p.sync_mode, model = fal_model }
            end,
        } },
        simulate = simulate,
        results = results,
        samples = samples(price, fal_model, tunable),
    }
end

lipsync("lipsync-2", "Lip synchronisation", "fal-ai/sync-lipsync/v2", "lipsync-2", true, 40)
lipsync("lipsync-2-pro", "Lip synchronisation in studio quality", "fal-ai/sync-lipsync/v2/pro", nil, true, 70)
lipsync("sync-3", "Lip synchronisation, third generation", "fal-ai/sync-lipsync/v3", nil, false, 90)
