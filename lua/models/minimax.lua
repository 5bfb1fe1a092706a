-- MiniMax: cloning a voice. With a preview text, the result also has a recording of it.

voices "minimax" {
    "Wise_Woman", "Friendly_Person", "Inspirational_girl", "Deep_Voice_Man", "Calm_Woman", "Casual_Guy", "Lively_Girl",
    "Patient_Man", "Young_Knight", "Determined_Man", "Lovely_Girl", "Decent_Boy", "Imposing_Manner", "Elegant_Man", "Abbess",
    "Sweet_Girl_2", "Exuberant_Girl",
}

local SOUND = "https://cdn.example.com/ten-seconds.wav"

model "minimax-voice-clone" {
    type = "audio", summary = "A voice cloned from at least ten seconds of speech", estimated = 30, timeout = 600,
    params = {
        audio_url = url{ "audio", required, min_seconds = 10 },
        text = text{ min = 1, max = 5000, nullable },
        noise_reduction = boolean{ nullable },
        need_volume_normalization = boolean{ nullable },
        accuracy = number{ min = 0, max = 1, nullable },
        preview_model = choice{ "speech-02-hd", "speech-02-turbo", "speech-01-hd", "speech-01-turbo", nullable },
    },
    routes = { fal = {
        target = "fal-ai/minimax/voice-clone",
        input = function(p)
            return { audio_url = p.audio_url, text = p.text, noise_reduction = p.noise_reduction,
                     need_volume_normalization = p.need_volume_normalization, accuracy = p.accuracy,
                     model = p.preview_model }
        end,
    } },
    simulate = function(p)
        local seed = hash(p.audio_url)
        return { custom_voice_id = string.format("voice%08x", seed),
                 audio = p.text and sample.audio{ seconds = 2, seed = seed } or nil }
    end,
    -- The service makes a recording of its own choice when there is no text; only an asked-for one is a result.
    results = function(out, p)
        local voice_id = out.custom_voice_id or error("the answer has no custom_voice_id")
        if p.text and out.audio then
            return { { voice_id = voice_id, url = artifact(out.audio),
                       content_type = out.audio.content_type or "audio/mpeg" } }
        end
        return { { voice_id = voice_id } }
    end,
    samples = {
        { input = { audio_url = SOUND }, valid = { audio_url = SOUND }, price = 15,
          upstream = { fal = { audio_url = SOUND } },
          output = { custom_voice_id = "voice1234" }, results = { { voice_id = "voice1234" } } },
        { input = { audio_url = SOUND, text = "Hello there", preview_model = "speech-02-turbo", accuracy = 0.7 },
          upstream = { fal = { audio_url = SOUND, text = "Hello there", model = "speech-02-turbo", accuracy = 0.7 } },
          output = { custom_voice_id = "voice1234", audio = { url = "https://v3b.fal.media/files/b/v/p.mp3",
                                                              content_type = "audio/mpeg" } },
          results = { { voice_id = "voice1234", url = "https://v3b.fal.media/files/b/v/p.mp3",
                        content_type = "audio/mpeg" } } },
        -- A recording that nobody asked for is none of the results.
        { input = { audio_url = SOUND, noise_reduction = true, need_volume_normalization = false },
          upstream = { fal = { audio_url = SOUND, noise_reduction = true, need_volume_normalization = false } },
          output = { custom_voice_id = "voice1234", audio = { url = "https://v3b.fal.media/files/b/v/p.mp3" } },
          results = { { voice_id = "voice1234" } } },
        { input = { audio_url = SOUND, accuracy = 2 }, refused = { code = "out_of_range", param = "accuracy" } },
        { input = { audio_url = SOUND, preview_model = "speech-9" },
          refused = { code = "not_allowed_value", param = "preview_model" } },
        { input = { text = "Hello" }, refused = { code = "missing_field", param = "audio_url" } },
    },
}
