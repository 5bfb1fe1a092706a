/* Back from a request that was made to the fields that it was made of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/protocol/inside.h"

/* The number between "prefix" and "]", and where the path goes on; NULL when that is not how it begins. */
static const char *read_index(const char *path, const char *prefix, unsigned long *ret) {
    size_t len = strlen(prefix);
    if (strncmp(path, prefix, len) != 0) {
        return NULL;
    }
    char *end;
    *ret = strtoul(path + len, &end, 10);
    return end > path + len && *end == ']' ? end + 1 : NULL;
}

void chat_name_field(const struct chat_wishes *wishes, struct fault *fault) {
    unsigned long message, part;
    char path[PATH_SIZE], *param = fault->param;
    snprintf(path, sizeof(path), "%s", param);
    const char *rest = read_index(path, "messages[", &message);
    if (rest == NULL) {
        return;
    }
    if (wishes->system_prompt && message == 0) {
        snprintf(param, PATH_SIZE, "system_prompt");
        return;
    }
    if (wishes->protocol == CHAT_CUSTOM) {
        snprintf(param, PATH_SIZE, "messages[%lu]%s", message - wishes->system_prompt, rest);
        return;
    }
    rest = read_index(rest, ".content[", &part);
    if (rest == NULL || part == 0) {
        snprintf(param, PATH_SIZE, "prompt");
    } else if (wishes->protocol == CHAT_AUDIO) {
        snprintf(param, PATH_SIZE, "audio_url");
    } else {
        snprintf(param, PATH_SIZE, "%s[%lu]", wishes->protocol == CHAT_VISION ? "image_urls" : "video_urls", part - 1);
    }
}
