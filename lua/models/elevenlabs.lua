-- ElevenLabs Scribe: speech to text with a time for every word.

local SOUND = "https://cdn.example.com/talk.mp3"

-- The documented four keys a word, present even where the service has no time for a sound.
local function word(w)
    return { text = w.text, start = w.start or null, ["end"] = w["end"] or null, type = w.type or "word" }
end

local function transcript(out)
    local words = array{}
    for i, w in ipairs(out.words or {}) do
        words[i] = word(w)
    end
    return { { text = out.text or error("the answer has no text"), language_code = out.language_code or null,
               language_probability = out.language_probability or null, words = words } }
end

model "scribe-v2" {
    type = "audio", summary = "Speech to text with word times", estimated = 30, timeout = 1800,
    params = {
        audio_url = url{ "audio", required },
        language_code = text{ min = 2, max = 8, nullable }, -- ISO 639-1 or 639-3; else detected
        tag_audio_events = boolean{ default = true },
        diarize = boolean{ default = true },
        keyterms = list{ text{ min = 1, max = 50 }, max = 100, nullable },
    },
    routes = { fal = { target = "fal-ai/elevenlabs/speech-to-text/scribe-v2" } },
    simulate = function(p)
        return {
            text = "Hello from the simulator.",
            language_code = p.language_code or "en",
            language_probability = 0.98,
            words = {
                { text = "Hello", start = 0.1, ["end"] = 0.42, type = "word" },
                { text = " ", start = 0.42, ["end"] = 0.5, type = "spacing" },
                { text = "from", start = 0.5, ["end"] = 0.7, type = "word" },
                { text = " ", start = 0.7, ["end"] = 0.75, type = "spacing" },
                { text = "the", start = 0.75, ["end"] = 0.86, type = "word" },
                { text = " ", start = 0.86, ["end"] = 0.9, type = "spacing" },
                { text = "simulator.", start = 0.9, ["end"] = 1.6, type = "word" },
            },
        }
    end,
    results = transcript,
    samples = {
        { input = { audio_url = SOUND },
          valid = { audio_url = SOUND, tag_audio_events = true, diarize = true }, price = 4,
          upstream = { fal = { audio_url = SOUND, tag_audio_events = true, diarize = true } },
          output = { text = "Hi (laughs)", language_code = "eng", language_probability = 1.0,
                     words = { { text = "Hi", start = 0.0, ["end"] = 0.2, type = "word", speaker_id = "speaker_0" },
                               { text = "(laughs)", type = "audio_event" } } },
          results = { { text = "Hi (laughs)", language_code = "eng", language_probability = 1.0,
                        words = { { text = "Hi", start = 0.0, ["end"] = 0.2, type = "word" },
                                  { text = "(laughs)", start = null, ["end"] = null, type = "audio_event" } } } } },
        -- Silence: no words at all is still a transcript.
        { input = { audio_url = SOUND, keyterms = { "Fennec" }, diarize = false, language_code = "de" },
          upstream = { fal = { audio_url = SOUND, keyterms = { "Fennec" }, diarize = false, language_code = "de",
                               tag_audio_events = true } },
          output = { text = "", language_code = "eng", language_probability = 0.3, words = array{} },
          results = { { text = "", language_code = "eng", language_probability = 0.3, words = array{} } } },
        { input = { audio_url = SOUND, keyterms = { string.rep("x", 51) } },
          refused = { code = "too_long", param = "keyterms[0]" } },
        { input = { audio_url = SOUND, diarize = "yes" }, refused = { code = "invalid_type", param = "diarize" } },
    },
}
