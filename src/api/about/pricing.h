/* The public list of prices, made once for each setup and kept. */
#pragma once

struct pricing;

struct pricing *pricing_new(void);
void pricing_free(struct pricing *pricing); /* NULL is fine */
