"""Every model: its endpoint, a small good body, what its results look like, and bad bodies with their refusals."""

IMAGE, VIDEO, AUDIO = "/v1/images/generations", "/v1/videos/generations", "/v1/audios/generations"
ENDPOINTS = {"image": IMAGE, "video": VIDEO, "audio": AUDIO}

PNG_URL = "https://example.com/a.png"
MP4_URL = "https://example.com/a.mp4"
MP3_URL = "https://example.com/a.mp3"
PIXEL = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
         "ErkJggg==")
SILENCE = "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="

URL = ["url"]
URL_SEED = ["url", "seed"]
PBR = ["url", "content_type", "result_type", "map_type"]
TEXTURE = ["url", "content_type", "result_type"]


class Model:
    def __init__(self, endpoint, good, results, bad=()):
        self.endpoint, self.good, self.results, self.bad = endpoint, good, results, bad
        self.type = {IMAGE: "image", VIDEO: "video", AUDIO: "audio"}[endpoint]

    def body(self, model, /, **changes):
        return {"model": model, **self.good, **changes}


def seedance(extra, bad, fast):
    family = [
        ({"prompt": ""}, "out_of_range", "prompt"),
        ({"prompt": "é" * 5001}, "too_long", "prompt"),
        ({"prompt": 5}, "invalid_type", "prompt"),
        ({"prompt": None}, "invalid_type", "prompt"),
        ({"duration": 3}, "out_of_range", "duration"),
        ({"duration": 16}, "out_of_range", "duration"),
        ({"duration": 0}, "out_of_range", "duration"),
        ({"duration": 5.5}, "invalid_type", "duration"),
        ({"duration": "5"}, "invalid_type", "duration"),
        ({"resolution": "4k"}, "not_allowed_value", "resolution"),
        ({"aspect_ratio": "2:1"}, "not_allowed_value", "aspect_ratio"),
        ({"generate_audio": "yes"}, "invalid_type", "generate_audio"),
        ({"seed": -2}, "out_of_range", "seed"),
    ]
    if fast:
        family.append(({"resolution": "1080p"}, "not_allowed_value", "resolution"))
    return Model(VIDEO, {"prompt": "a fox", "duration": 4, **extra}, [URL_SEED], family + bad)


MODELS = {
    "phota-create-profile": Model(IMAGE, {"image_archive_url": "https://example.com/faces.zip"},
                                  [["result_type", "profile_id"]], [
        ({"image_archive_url": "faces.zip"}, "invalid_url", "image_archive_url"),
        ({"image_archive_url": "ftp://example.com/faces.zip"}, "invalid_url", "image_archive_url"),
    ]),
    "phota-image": Model(IMAGE, {"prompt": "a dog", "num_outputs": 2}, [URL, URL], [
        ({"num_outputs": 0}, "out_of_range", "num_outputs"),
        ({"num_outputs": "1"}, "invalid_type", "num_outputs"),
        ({"resolution": "2K"}, "not_allowed_value", "resolution"),
        ({"aspect_ratio": "5:4"}, "not_allowed_value", "aspect_ratio"),
    ]),
    "phota-image-edit": Model(IMAGE, {"image_urls": [PNG_URL], "prompt": "add a hat"}, [URL], [
        ({"image_urls": []}, "out_of_range", "image_urls"),
        ({"image_urls": PNG_URL}, "invalid_type", "image_urls"),
        ({"image_urls": [PNG_URL, 7]}, "invalid_type", "image_urls[1]"),
        ({"image_urls": [PNG_URL, "x"]}, "invalid_url", "image_urls[1]"),
        ({"profile_ids": [""]}, "out_of_range", "profile_ids[0]"),
    ]),
    "phota-image-enhance": Model(IMAGE, {"image_url": PNG_URL}, [URL], [
        ({"creativity": 1.5}, "out_of_range", "creativity"),
        ({"resemblance": "high"}, "invalid_type", "resemblance"),
    ]),
    "patina-pbr-maps": Model(IMAGE, {"image_url": PNG_URL, "maps": ["basecolor", "normal"]}, [PBR, PBR], [
        ({"maps": []}, "out_of_range", "maps"),
        ({"maps": ["normal", "shine"]}, "not_allowed_value", "maps[1]"),
        ({"maps": "normal"}, "invalid_type", "maps"),
    ]),
    "patina-material": Model(IMAGE, {"prompt": "moss", "maps": ["height"]}, [TEXTURE, PBR], [
        ({"mask_url": PNG_URL}, "missing_field", "image_url"),
        ({"tiling_mode": "z"}, "not_allowed_value", "tiling_mode"),
    ]),
    "patina-material-extract": Model(IMAGE, {"image_url": PNG_URL, "maps": ["roughness"]}, [TEXTURE, PBR], [
        ({"prompt": "x"}, "unknown_field", "prompt"),
    ]),
    "kling-video-create-voice": Model(VIDEO, {"voice_url": MP3_URL}, [["voice_id"]], [
        ({"voice_url": "a.mp3"}, "invalid_url", "voice_url"),
    ]),
    "sora-2-character": Model(VIDEO, {"video_url": MP4_URL, "name": "Ada"}, [["character_id", "name"]], [
        ({"name": ""}, "out_of_range", "name"),
        ({"name": "x" * 81}, "too_long", "name"),
    ]),
    "lipsync-2": Model(VIDEO, {"video_url": MP4_URL, "audio_url": MP3_URL}, [URL], [
        ({"sync_mode": "stretch"}, "not_allowed_value", "sync_mode"),
        ({"temperature": 1.1}, "out_of_range", "temperature"),
    ]),
    "lipsync-2-pro": Model(VIDEO, {"video_url": MP4_URL, "audio_url": MP3_URL}, [URL], [
        ({"active_speaker": 1}, "invalid_type", "active_speaker"),
    ]),
    "sync-3": Model(VIDEO, {"video_url": MP4_URL, "audio_url": MP3_URL}, [URL], [
        ({"temperature": 0.5}, "unsupported_advanced_options", "temperature"),
        ({"active_speaker": True}, "unsupported_advanced_options", "active_speaker"),
        ({"loop": True}, "unknown_field", "loop"),
    ]),
    "minimax-voice-clone": Model(AUDIO, {"audio_url": MP3_URL}, [["voice_id"]], [
        ({"accuracy": 2}, "out_of_range", "accuracy"),
        ({"preview_model": "speech-99"}, "not_allowed_value", "preview_model"),
    ]),
    "scribe-v2": Model(AUDIO, {"audio_url": MP3_URL}, [["text", "language_code", "language_probability", "words"]], [
        ({"keyterms": ["x" * 51]}, "too_long", "keyterms[0]"),
        ({"keyterms": ["x"] * 101}, "out_of_range", "keyterms"),
        ({"diarize": "no"}, "invalid_type", "diarize"),
    ]),
    "local-speech": Model(AUDIO, {"prompt": "Good morning"}, [URL], [
        ({"voice": "klingon"}, "not_allowed_value", "voice"),
        ({"voice": "--help"}, "not_allowed_value", "voice"),
        ({"speed": 0.4}, "out_of_range", "speed"),
        ({"speed": True}, "invalid_type", "speed"),
    ]),
    "local-transcribe": Model(AUDIO, {"audio_url": SILENCE}, [["text", "language_code", "language_probability", "words"]], [
        ({"audio_url": "data:audio/wav;base64,!!!!"}, "invalid_url", "audio_url"),
        ({"audio_url": PIXEL}, "invalid_url", "audio_url"),
        ({"audio_url": PIXEL.replace("image/png", "audio/wav")}, "invalid_url", "audio_url"),
        ({"audio_url": "data:;base64,"}, "invalid_url", "audio_url"),
        ({"audio_url": "file:///etc/passwd"}, "invalid_url", "audio_url"),
    ]),
    "local-image": Model(IMAGE, {"prompt": "marble", "image_size": {"width": 64, "height": 64}},
                         [["url", "content_type"]], [
        ({"image_size": {"width": 32, "height": 64}}, "out_of_range", "image_size.width"),
        ({"image_size": {"width": 64}}, "missing_field", "image_size.height"),
        ({"image_size": {"width": 64, "height": 64, "depth": 1}}, "unknown_field", "image_size.depth"),
        ({"image_size": "huge"}, "not_allowed_value", "image_size"),
        ({"image_size": 5}, "invalid_type", "image_size"),
        ({"seed": 4294967296}, "out_of_range", "seed"),
    ]),
    "local-pbr-maps": Model(IMAGE, {"image_url": PIXEL, "maps": ["normal"]}, [PBR], [
        ({"image_url": SILENCE}, "invalid_url", "image_url"),
        ({"image_url": SILENCE.replace("audio/wav", "image/png")}, "invalid_url", "image_url"),
        ({"image_url": "data:image/png;base64,"}, "invalid_url", "image_url"),
        ({"maps": ["albedo"]}, "not_allowed_value", "maps[0]"),
    ]),
    "local-image-to-video": Model(VIDEO, {"image_url": PIXEL, "duration": 1}, [URL], [
        ({"duration": 11}, "out_of_range", "duration"),
        ({"zoom": 0.5}, "out_of_range", "zoom"),
    ]),
}
for _mode, _extra, _bad in (
    ("text", {}, [({"image_url": PNG_URL}, "unknown_field", "image_url")]),
    ("image", {"image_url": PNG_URL}, [({"image_url": "first.png"}, "invalid_url", "image_url")]),
    ("reference", {"image_urls": [PNG_URL]}, [({"image_urls": [PNG_URL] * 10}, "out_of_range", "image_urls"),
                                              ({"image_urls": [PNG_URL, "x"]}, "invalid_url", "image_urls[1]")]),
):
    MODELS[f"seedance-2.0-{_mode}-to-video"] = seedance(_extra, _bad, False)
    MODELS[f"seedance-2.0-fast-{_mode}-to-video"] = seedance(_extra, _bad, True)

LOCAL = [name for name in MODELS if name.startswith("local-")]
BAD = [(name, *bad) for name, model in MODELS.items() for bad in model.bad]
