/* Chunks of one answer, "Hello, desert.", as a service sends them. */
#pragma once

#define CHUNK(choice)                                                                                                  \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[" choice   \
    "]}"
#define FIRST                                                                                                          \
    CHUNK("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hello,\"},\"finish_reason\":null}")
#define SECOND CHUNK("{\"index\":0,\"delta\":{\"content\":\" desert.\"},\"finish_reason\":null}")
#define LAST CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}")
#define USAGE                                                                                                          \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[],"        \
    "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4,\"total_tokens\":15}}"
#define EVENT(json) "data: " json "\n\n"
