-- What each model costs, in credits, before the group's ratio. This is the one place to edit; to change prices
-- without touching the installed files, put a prices.lua of your own into the catalogue directory of the
-- configuration: it takes this file's place, so start from a copy. A price is one of
--
--   per_call(n)                              each task, whatever it makes
--   per_second{ n, field = "duration" }      each second that the parameter says; auto = n: how many -1 reserves;
--                                            what came is charged where the model's results tell that
--   per_second{ n, seconds = 8 }             each of so many seconds
--   per_image{ n, field = "num_outputs" }    each picture; without a field one; count = "image_urls": each of a list
--   per_token{ input = n, output = n, cached = n }   each million tokens of a language model, read, written, and read
--                                            from the service's cache (without `cached`: as the others)
--
-- and instead of n it can say `by = { resolution = { ["1K"] = 8, ["4K"] = 16 } }`: a price for each value of a
-- parameter. All of them take a credit for one US cent, near what the services themselves ask for.

local seedance = per_second{ field = "duration", auto = 15,
                             by = { resolution = { ["480p"] = 2, ["720p"] = 5, ["1080p"] = 12 } } }
local seedance_fast = per_second{ field = "duration", auto = 15,
                                  by = { resolution = { ["480p"] = 1.6, ["720p"] = 4 } } }

price "seedance-2.0-text-to-video" (seedance)
price "seedance-2.0-image-to-video" (seedance)
price "seedance-2.0-reference-to-video" (seedance)
price "seedance-2.0-fast-text-to-video" (seedance_fast)
price "seedance-2.0-fast-image-to-video" (seedance_fast)
price "seedance-2.0-fast-reference-to-video" (seedance_fast)

price "lipsync-2" (per_call(40))
price "lipsync-2-pro" (per_call(70))
price "sync-3" (per_call(90))

price "kling-video-create-voice" (per_call(5))
price "sora-2-character" (per_call(0))
price "minimax-voice-clone" (per_call(15))
price "scribe-v2" (per_call(4))

price "phota-create-profile" (per_call(50))
price "phota-image" (per_image{ field = "num_outputs", by = { resolution = { ["1K"] = 8, ["4K"] = 16 } } })
price "phota-image-edit" (per_image{ field = "num_outputs", by = { resolution = { ["1K"] = 8, ["4K"] = 16 } } })
price "phota-image-enhance" (per_image{ 13 }) -- one price: its service takes no resolution

price "patina-pbr-maps" (per_call(10))
price "patina-material" (per_call(15))
price "patina-material-extract" (per_call(15))

price "local-speech" (per_call(1))
price "local-transcribe" (per_call(2))
price "local-image" (per_call(1))
price "local-pbr-maps" (per_call(1))
price "local-document" (per_call(1))
price "local-pdf-text" (per_call(1))
price "local-pdf-images" (per_call(1))
price "local-image-to-video" (per_second{ 0.5, field = "duration" })

price "claude-opus-4-7" (per_token{ input = 500, output = 2500, cached = 50 })
price "claude-opus-4-6" (per_token{ input = 500, output = 2500, cached = 50 })
price "claude-sonnet-4-6" (per_token{ input = 300, output = 1500, cached = 30 })
price "gemini-2.5-pro" (per_token{ input = 125, output = 1000, cached = 12.5 })
price "gemini-3-pro-preview" (per_token{ input = 200, output = 1200, cached = 20 })
price "gemini-3.1-pro-preview" (per_token{ input = 200, output = 1200, cached = 20 })
price "gpt-5.4" (per_token{ input = 250, output = 1500, cached = 25 })
price "gpt-5.5" (per_token{ input = 500, output = 3000, cached = 50 })
price "kimi-k2.6" (per_token{ input = 95, output = 400, cached = 16 })
price "kimi-k2" (per_token{ input = 60, output = 250, cached = 15 })
price "nemotron-3-nano-omni" (per_token{ input = 20, output = 80 })
price "deepseek-chat" (per_token{ input = 28, output = 42, cached = 2.8 })
price "deepseek-reasoner" (per_token{ input = 28, output = 42, cached = 2.8 })
price "minimax-m2.5" (per_token{ input = 30, output = 120, cached = 3 })
price "doubao-seed-2.0" (per_token{ input = 47, output = 237, cached = 9.4 })
price "doubao-seed-2.0-pro" (per_token{ input = 47, output = 237, cached = 9.4 })
price "doubao-seed-2.0-lite" (per_token{ input = 9, output = 53, cached = 1.8 })
price "doubao-seed-2.0-mini" (per_token{ input = 3, output = 28, cached = 0.6 })
price "doubao-seed-2.0-code" (per_token{ input = 47, output = 237, cached = 9.4 })

price "ollama/*" (per_token{ input = 0, output = 0 })
price "local/*" (per_token{ input = 0, output = 0 })
-- As dear as the dearest that one would use: give a model that is used much a line of its own, with its price.
price "openrouter/*" (per_token{ input = 500, output = 3000, cached = 50 })
