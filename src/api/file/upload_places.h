/* Who uploads how many files at a time: of an account, and all together. Each upload has a file open and may have as much on
 * disk as a file may have, so there is a bound; and a slow account must not hold all the places. Any thread. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

#define UPLOADS_MAX 512
#define UPLOADS_OF_ACCOUNT_MAX 64

struct upload_places;

struct upload_places *upload_places_new(void) must_check;
/* All must have been given back. NULL is fine. */
void upload_places_free(struct upload_places *places);
/* Takes one: ERR_TOO_MANY_UPLOADS when the account has all that it may, ERR_OVERLOADED when there is none at all. */
enum err upload_places_take(struct upload_places *places, int64_t account) must_check;
void upload_places_give(struct upload_places *places, int64_t account);
