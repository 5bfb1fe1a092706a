/* Recognises formats by their first bytes: one table of magics, and rules for what a magic cannot tell. */
#include "blob/media_type.h"

#define UNKNOWN "application/octet-stream"
#define TEXT_PLAIN "text/plain"
#define JSON "application/json"
#define MP3 "audio/mpeg"
#define EPUB "application/epub+zip"
#define ODT "application/vnd.oasis.opendocument.text"
#define DOCX "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

/* `type` where `magic` stands at `at`, and `form` (when it has bytes) at `form_at`; the first row that fits decides. */
static const struct magic {
    size_t at;
    struct text magic;
    size_t form_at;
    struct text form;
    const char *type;
} magics[] = {
    { 0, TEXT("\x89PNG\r\n\x1a\n"), 0, TEXT(""), "image/png" },
    { 0, TEXT("\xff\xd8\xff"), 0, TEXT(""), "image/jpeg" },
    { 0, TEXT("GIF87a"), 0, TEXT(""), "image/gif" },
    { 0, TEXT("GIF89a"), 0, TEXT(""), "image/gif" },
    { 0, TEXT("RIFF"), 8, TEXT("WEBP"), "image/webp" },
    { 0, TEXT("BM"), 6, TEXT("\0\0\0\0"), "image/bmp" },
    { 0, TEXT("II*\0"), 0, TEXT(""), "image/tiff" },
    { 0, TEXT("MM\0*"), 0, TEXT(""), "image/tiff" },
    { 4, TEXT("ftyp"), 8, TEXT("avif"), "image/avif" },
    { 4, TEXT("ftyp"), 8, TEXT("avis"), "image/avif" },
    { 4, TEXT("ftyp"), 8, TEXT("heic"), "image/heic" },
    { 4, TEXT("ftyp"), 8, TEXT("heix"), "image/heic" },
    { 4, TEXT("ftyp"), 8, TEXT("hevc"), "image/heic" },
    { 4, TEXT("ftyp"), 8, TEXT("hevx"), "image/heic" },
    { 4, TEXT("ftyp"), 8, TEXT("heim"), "image/heic" },
    { 4, TEXT("ftyp"), 8, TEXT("heis"), "image/heic" },
    { 4, TEXT("ftyp"), 8, TEXT("qt  "), "video/quicktime" },
    { 4, TEXT("ftyp"), 8, TEXT("M4A "), "audio/mp4" },
    { 4, TEXT("ftyp"), 8, TEXT("M4B "), "audio/mp4" },
    { 0, TEXT("\0"), 4, TEXT("moov"), "video/quicktime" },
    { 0, TEXT("\0"), 4, TEXT("mdat"), "video/quicktime" },
    { 0, TEXT("\0"), 4, TEXT("wide"), "video/quicktime" },
    { 0, TEXT("RIFF"), 8, TEXT("AVI "), "video/x-msvideo" },
    { 0, TEXT("\0\0\x01\xba"), 0, TEXT(""), "video/mpeg" },
    { 0, TEXT("RIFF"), 8, TEXT("WAVE"), "audio/wav" },
    { 0, TEXT("RF64"), 8, TEXT("WAVE"), "audio/wav" },
    { 0, TEXT("FORM"), 8, TEXT("AIFF"), "audio/aiff" },
    { 0, TEXT("FORM"), 8, TEXT("AIFC"), "audio/aiff" },
    { 0, TEXT("ID3"), 0, TEXT(""), MP3 },
    { 0, TEXT("OggS"), 28, TEXT("\x80theora"), "video/ogg" },
    { 0, TEXT("OggS"), 0, TEXT(""), "audio/ogg" },
    { 0, TEXT("fLaC"), 0, TEXT(""), "audio/flac" },
    { 0, TEXT("PK\x03\x04"), 30, TEXT("mimetypeapplication/epub+zip"), EPUB },
    { 0, TEXT("PK\x03\x04"), 30, TEXT("mimetypeapplication/vnd.oasis.opendocument.text"), ODT },
    { 0, TEXT("PK\x03\x04"), 30, TEXT("word/"), DOCX },
    { 0, TEXT("PK\x03\x04"), 0, TEXT(""), "application/zip" },
    { 0, TEXT("PK\x05\x06"), 0, TEXT(""), "application/zip" },
    { 0, TEXT("%PDF-"), 0, TEXT(""), "application/pdf" },
};

static const struct extension {
    struct text type;
    const char *extension;
} extensions[] = {
    { TEXT("image/png"), "png" },
    { TEXT("image/jpeg"), "jpg" },
    { TEXT("image/gif"), "gif" },
    { TEXT("image/webp"), "webp" },
    { TEXT("image/bmp"), "bmp" },
    { TEXT("image/tiff"), "tiff" },
    { TEXT("image/avif"), "avif" },
    { TEXT("image/heic"), "heic" },
    { TEXT("video/mp4"), "mp4" },
    { TEXT("video/quicktime"), "mov" },
    { TEXT("video/webm"), "webm" },
    { TEXT("video/x-matroska"), "mkv" },
    { TEXT("video/x-msvideo"), "avi" },
    { TEXT("video/mpeg"), "mpg" },
    { TEXT("video/ogg"), "ogv" },
    { TEXT("audio/wav"), "wav" },
    { TEXT("audio/aiff"), "aiff" },
    { TEXT(MP3), "mp3" },
    { TEXT("audio/ogg"), "ogg" },
    { TEXT("audio/flac"), "flac" },
    { TEXT("audio/aac"), "aac" },
    { TEXT("audio/mp4"), "m4a" },
    { TEXT("application/zip"), "zip" },
    { TEXT("application/pdf"), "pdf" },
    { TEXT(EPUB), "epub" },
    { TEXT(ODT), "odt" },
    { TEXT(DOCX), "docx" },
    { TEXT(JSON), "json" },
    { TEXT(TEXT_PLAIN), "txt" },
};

/* What a task of each type may yield: a whole media type, or a class that ends with '/'. Sound may come in a container
 * that is named after video. */
static const struct fit {
    enum task_type task;
    struct text media;
} fits[] = {
    { TASK_IMAGE, TEXT("image/") },
    { TASK_VIDEO, TEXT("video/") },
    { TASK_VIDEO, TEXT("image/gif") },
    { TASK_AUDIO, TEXT("audio/") },
    { TASK_AUDIO, TEXT("video/mp4") },
    { TASK_AUDIO, TEXT("video/webm") },
    { TASK_LLM, TEXT(JSON) },
    { TASK_LLM, TEXT(TEXT_PLAIN) },
    { TASK_DOCUMENT, TEXT("application/pdf") },
    { TASK_DOCUMENT, TEXT("application/zip") },
    { TASK_DOCUMENT, TEXT(EPUB) },
    { TASK_DOCUMENT, TEXT(ODT) },
    { TASK_DOCUMENT, TEXT(DOCX) },
    { TASK_DOCUMENT, TEXT(JSON) },
    { TASK_DOCUMENT, TEXT(TEXT_PLAIN) },
    { TASK_DOCUMENT, TEXT("image/") },
};

/* What a name may make of a type. */
static const struct finer {
    struct text sniffed, ending;
    const char *type;
} finer[] = {
    { TEXT("application/zip"), TEXT(".docx"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
    { TEXT("application/zip"), TEXT(".xlsx"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
    { TEXT("application/zip"), TEXT(".pptx"), "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
    { TEXT("application/zip"), TEXT(".odt"), "application/vnd.oasis.opendocument.text" },
    { TEXT("application/zip"), TEXT(".epub"), "application/epub+zip" },
    { TEXT(TEXT_PLAIN), TEXT(".csv"), "text/csv" },
    { TEXT(TEXT_PLAIN), TEXT(".md"), "text/markdown" },
    { TEXT(TEXT_PLAIN), TEXT(".json"), JSON },
};

static struct text skip(struct text t, size_t count) {
    return count >= t.len ? TEXT("") : (struct text){ t.ptr + count, t.len - count };
}

static bool holds(struct text start, size_t at, struct text magic) {
    return text_starts(skip(start, at), magic);
}

static unsigned byte_at(struct text t, size_t at) {
    return at < t.len ? (unsigned char)t.ptr[at] : 0;
}

static const char *sniff_magic(struct text start) {
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        if (holds(start, magics[i].at, magics[i].magic) && holds(start, magics[i].form_at, magics[i].form)) {
            return magics[i].type;
        }
    }
    return NULL;
}

/* ISO base media whose major brand says little: HEIF is told from AVIF by the compatible brands, the rest is MP4. */
static const char *sniff_iso_media(struct text start) {
    if (!holds(start, 4, TEXT("ftyp"))) {
        return NULL;
    }
    if (!holds(start, 8, TEXT("mif1")) && !holds(start, 8, TEXT("msf1"))) {
        return "video/mp4";
    }
    size_t box = byte_at(start, 2) << 8 | byte_at(start, 3);
    for (size_t at = 16; at + 4 <= box && at + 4 <= start.len; at += 4) {
        if (holds(start, at, TEXT("avif")) || holds(start, at, TEXT("avis"))) {
            return "image/avif";
        }
    }
    return "image/heic";
}

/* EBML names its document type in the header, a few elements in. */
static const char *sniff_matroska(struct text start) {
    if (!text_starts(start, TEXT("\x1a\x45\xdf\xa3"))) {
        return NULL;
    }
    for (size_t at = 4; at < start.len && at < 64; at++) {
        if (holds(start, at, TEXT("\x42\x82\x84webm"))) {
            return "video/webm";
        }
    }
    return "video/x-matroska";
}

/* Twelve bits of frame sync, then fields of which some values are reserved: ADTS has layer 0, MP3 layer II or III. */
static const char *sniff_frame_sync(struct text start) {
    unsigned second = byte_at(start, 1), third = byte_at(start, 2);
    if (start.len < 4 || byte_at(start, 0) != 0xff || (second & 0xe0) != 0xe0) {
        return NULL;
    }
    if ((second & 0xf6) == 0xf0) {
        return (third >> 2 & 0xf) < 13 ? "audio/aac" : NULL;
    }
    unsigned version = second >> 3 & 3, layer = second >> 1 & 3, bitrate = third >> 4, rate = third >> 2 & 3;
    return version != 1 && (layer == 1 || layer == 2) && bitrate != 0xf && rate != 3 ? MP3 : NULL;
}

/* Valid UTF-8 without control characters; the last character may be cut off by the end of the window. */
static bool is_readable(struct text start) {
    for (size_t i = 0; i < start.len; i++) {
        unsigned char c = (unsigned char)start.ptr[i];
        if ((c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f') || c == 0x7f) {
            return false;
        }
    }
    for (size_t cut = 0; cut < 4 && cut < start.len; cut++) {
        if (text_is_utf8((struct text){ start.ptr, start.len - cut })) {
            return cut == 0 || byte_at(start, start.len - cut) >= 0xc0;
        }
    }
    return false;
}

/* An object or an array that goes on as JSON does; a sentence in brackets is none. */
static bool begins_json(struct text t) {
    static const struct text words[] = { TEXT("true"), TEXT("false"), TEXT("null") };
    char open = (char)byte_at(t, 0);
    if (open != '{' && open != '[') {
        return false;
    }
    t = text_trim(skip(t, 1));
    char next = (char)byte_at(t, 0);
    if (open == '{') {
        return next == '"' || next == '}';
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (text_starts(t, words[i])) {
            return true;
        }
    }
    return next == ']' || next == '{' || next == '[' || next == '"' || next == '-' || (next >= '0' && next <= '9');
}

static const char *sniff_text(struct text start) {
    if (start.len == 0 || !is_readable(start)) {
        return NULL;
    }
    struct text byte_order_mark = TEXT("\xef\xbb\xbf");
    struct text body = text_starts(start, byte_order_mark) ? skip(start, byte_order_mark.len) : start;
    return begins_json(text_trim(body)) ? JSON : TEXT_PLAIN;
}

const char *media_type_sniff(struct text start) {
    static const char *(*const sniffers[])(struct text) = { sniff_magic, sniff_iso_media, sniff_matroska,
        sniff_frame_sync, sniff_text };
    start.len = start.len < MEDIA_SNIFF_SIZE ? start.len : MEDIA_SNIFF_SIZE;
    for (size_t i = 0; i < ARRAY_SIZE(sniffers); i++) {
        const char *type = sniffers[i](start);
        if (type != NULL) {
            return type;
        }
    }
    return UNKNOWN;
}

const char *media_type_named(const char *sniffed, struct text name) {
    for (size_t i = 0; i < ARRAY_SIZE(finer); i++) {
        struct text ending = finer[i].ending;
        if (name.len > ending.len && text_equal(text_of(sniffed), finer[i].sniffed) &&
            text_equal_nocase(skip(name, name.len - ending.len), ending)) {
            return finer[i].type;
        }
    }
    return sniffed;
}

bool media_type_is_passive(const char *media_type) {
    struct text type = text_of(media_type);
    return text_starts(type, TEXT("image/")) || text_starts(type, TEXT("video/")) || text_starts(type, TEXT("audio/"));
}

const char *media_type_extension(const char *media_type) {
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (text_equal(extensions[i].type, text_of(media_type))) {
            return extensions[i].extension;
        }
    }
    return "bin";
}

bool media_type_fits(const char *media_type, enum task_type type) {
    struct text media = text_of(media_type);
    for (size_t i = 0; i < ARRAY_SIZE(fits); i++) {
        if (fits[i].task != type) {
            continue;
        }
        bool is_class = text_ends(fits[i].media, TEXT("/"));
        if (is_class ? text_starts(media, fits[i].media) : text_equal(media, fits[i].media)) {
            return true;
        }
    }
    return false;
}
