/* What a service does: signs a webhook, sends it, and looks at the answer. */
#pragma once

#include <stdatomic.h>

#include "house.h"

#define SIGNED_STANDARD "{\"scheme\":\"standard\"}"
#define SIGNED_ED25519 "{\"scheme\":\"ed25519\",\"header\":\"x-fal-webhook\",\"jwks\":\"https://keys.example/set.json\"}"
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

struct sending {
    struct hook_call call;
    struct webhook_header headers[4];
    char timestamp[24], signature[160];
    atomic_bool answered;
};

/* For the attempt of a task, with a body, not signed yet. */
void sending_init(struct sending *sending, const struct house *house, unsigned account, const struct task_id *id,
                  int number, struct text body);
/* By SIGNED_STANDARD with SECRET, dated so many seconds from now. */
void sending_sign(struct sending *sending, int64_t offset_s);
/* By SIGNED_ED25519, with the private key that grows from this byte. */
void sending_sign_with_key(struct sending *sending, uint8_t seed);
/* The key set of the keys that grow from these bytes, in ret. */
void sending_put_key_set(char *ret, size_t size, const uint8_t *seeds, size_t count);

void sending_post(struct sending *sending, struct house *house);
enum err sending_await(struct sending *sending);
/* Both. */
enum err sending_send(struct sending *sending, struct house *house);
